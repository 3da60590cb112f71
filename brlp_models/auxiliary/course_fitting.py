r"""Fit of the logistic progression by Laplace-approximated marginal likelihood.

The objective is the marginal log-likelihood of all visits, with the individual parameters *u*
(standard normal a priori) integrated out by Laplace's approximation at each person's mode:

.. math::

   \ell(\theta) = -\sum_i \Big[ \tfrac12 \lVert r_i(\hat u_i) \rVert^2
   + \tfrac12 \lVert \hat u_i \rVert^2 + \tfrac12 \log\det(J_i^T J_i + I)
   + \sum_{k} n_{ik} \log(\sigma_k \sqrt{2 \pi}) \Big]

where *r* are residuals in units of the noise and *J* is their Jacobian (Gauss-Newton, which is the
interaction form of first-order conditional estimation; Lindstrom & Bates 1990, Wolfinger 1993).
It is maximized by L-BFGS. The gradient is exact, since it sees the modes move with the parameters:
one Newton step (full Hessian) from the detached mode has the value of the mode and, by the implicit
function theorem, its derivative.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from brlp_models.auxiliary.course_curve import (
    CurveParameters,
    compute_curves,
    compute_metric,
    compute_orthonormal_basis,
)
from brlp_models.auxiliary.course_personalization import (
    Observations,
    compute_negative_log_posterior,
    compute_residuals,
    find_posterior_modes,
)
from brlp_models.errors import ModelError

_MARGIN = 0.02
"""How far from 0 and 1 a feature's mean is kept when it is turned into a logit."""


def fit_parameters(
    observed: Observations, *, n_sources: int, max_iterations: int = 300
) -> tuple[CurveParameters, float]:
    """Return the parameters of largest approximate marginal likelihood, and its logarithm.

    Parameters
    ----------
    observed
        The visits.
    n_sources
        Components of the space shift, below the number of features.
    max_iterations
        Of L-BFGS.

    Raises
    ------
    ModelError
        Where the number of sources or the data cannot support a fit.
    """
    _check_data(observed, n_sources)
    start = guess_parameters(observed, n_sources)
    layout = _Layout.of(start)
    modes = torch.zeros(observed.n_people, 2 + n_sources, dtype=torch.float64)

    def negative_and_gradient(vector: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        free = torch.tensor(vector, dtype=torch.float64, requires_grad=True)
        parameters = layout.unpack(free)
        modes[:] = find_posterior_modes(layout.unpack(free.detach()), observed, start=modes)
        loss = -compute_log_likelihood(parameters, modes, observed)
        (gradient,) = torch.autograd.grad(loss, free)
        return loss.item(), gradient.numpy()

    found = minimize(
        negative_and_gradient,
        layout.pack(start).numpy(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_iterations, "maxcor": 30, "ftol": 1e-7, "gtol": 1e-2},
    )
    return layout.unpack(torch.from_numpy(found.x)), -float(found.fun)


def compute_log_likelihood(
    parameters: CurveParameters, modes: Tensor, observed: Observations
) -> Tensor:
    """Return the Laplace-approximated marginal log-likelihood of all visits.

    Parameters
    ----------
    parameters
        May carry gradients.
    modes
        Each person's posterior mode under these parameters, without gradient.
    observed
        The visits.
    """
    identity = torch.eye(modes.shape[1], dtype=modes.dtype)
    residuals, jacobian = compute_residuals(parameters, modes, observed)
    gradient = torch.einsum("nrk,nr->nk", jacobian, residuals) + modes
    hessian = _compute_hessians(parameters, modes, observed)
    moving = modes - torch.linalg.solve(hessian, gradient[..., None]).squeeze(-1)
    residuals, jacobian = compute_residuals(parameters, moving, observed)
    attachment = compute_negative_log_posterior(residuals, moving)
    determinant = 0.5 * torch.linalg.slogdet(jacobian.mT @ jacobian + identity).logabsdet
    noise = parameters.noise_std.log() + 0.5 * math.log(2 * math.pi)
    normalization = (observed.is_observed.sum((0, 1)) * noise).sum()
    likelihood: Tensor = -(attachment + determinant).sum() - normalization
    return likelihood


@torch.no_grad()
def _compute_hessians(parameters: CurveParameters, modes: Tensor, observed: Observations) -> Tensor:
    """Return the exact Hessian of each person's negative log posterior, (n_people, k, k).

    Beyond Gauss-Newton's: a logistic's curvature is slope * (1 - 2 value), and its argument is
    curved in the (tau, xi) plane.
    """
    values, jacobian = compute_curves(parameters, modes, observed.times)
    weight = observed.is_observed / parameters.noise_std**2
    residual = weight * (values - observed.values)
    slope = (values * (1 - values)).clamp_min(1e-12)
    curved = weight + residual * (1 - 2 * values) / slope
    hessian = torch.einsum("ntfk,ntf,ntfl->nkl", jacobian, curved, jacobian)
    by_tau, by_xi = ((residual[..., None] * jacobian[..., :2]).sum((1, 2)) * parameters.xi_std).T
    hessian[:, 0, 1] += by_tau
    hessian[:, 1, 0] += by_tau
    hessian[:, 1, 1] += by_xi
    return hessian + torch.eye(modes.shape[1], dtype=modes.dtype)


class _Layout(NamedTuple):
    """Where each parameter lies in the vector that L-BFGS sees; scales are kept as logarithms."""

    n_features: int
    n_sources: int
    tau_unit: float

    @classmethod
    def of(cls, start: CurveParameters) -> "_Layout":
        return cls(start.n_features, start.n_sources, start.tau_std.item())

    def pack(self, values: CurveParameters) -> Tensor:
        scalars = [values.tau_mean / self.tau_unit, values.tau_std.log(), values.xi_std.log()]
        return torch.cat(
            [
                values.log_g,
                values.log_v0,
                values.noise_std.log(),
                torch.stack(scalars),
                values.betas.flatten(),
            ]
        )

    def unpack(self, vector: Tensor) -> CurveParameters:
        k = self.n_features
        log_g, log_v0, log_noise, scalars, betas = torch.split(
            vector, [k, k, k, 3, (k - 1) * self.n_sources]
        )
        return CurveParameters(
            log_g=log_g,
            log_v0=log_v0,
            betas=betas.reshape(k - 1, self.n_sources),
            tau_mean=scalars[0] * self.tau_unit,
            tau_std=scalars[1].exp(),
            xi_std=scalars[2].exp(),
            noise_std=log_noise.exp(),
        )


def guess_parameters(observed: Observations, n_sources: int) -> CurveParameters:
    """Return a first guess: pooled means, within-person slopes, principal residual directions."""
    weight = observed.is_observed
    level = (weight * observed.values).sum((0, 1)) / weight.sum((0, 1))
    level = level.clamp(_MARGIN, 1 - _MARGIN)
    seen = weight.amax(2)
    mean_age = (seen * observed.times).sum() / seen.sum()
    spread = ((seen * (observed.times - mean_age) ** 2).sum() / seen.sum()).sqrt()
    log_g = ((1 - level) / level).log()
    log_v0 = _within_person_slopes(observed).clamp_min(1e-3).log()
    center, noise = _person_means(observed)
    basis = compute_orthonormal_basis(compute_metric(log_g) ** 2 * log_v0.exp())
    # at the reference age the curve's slope is 1/M, so a space shift w moves it by just w
    _, sizes, directions = torch.linalg.svd((center - level) @ basis)
    scale = sizes[:n_sources] / math.sqrt(observed.n_people)
    return CurveParameters(
        log_g=log_g,
        log_v0=log_v0,
        betas=0.5 * directions[:n_sources].T * scale,
        tau_mean=mean_age,
        tau_std=spread.clamp_min(1.0),
        xi_std=torch.tensor(0.5, dtype=torch.float64),
        noise_std=noise.clamp_min(1e-3),
    )


def _person_means(observed: Observations) -> tuple[Tensor, Tensor]:
    """Return each person's mean of each feature, and the sd around it of each feature."""
    weight = observed.is_observed
    count = weight.sum(1)
    pooled = (weight * observed.values).sum((0, 1)) / weight.sum((0, 1))
    mean = torch.where(count > 0, (weight * observed.values).sum(1) / count.clamp_min(1), pooled)
    deviations = weight * (observed.values - mean[:, None])
    freedom = (count - 1).clamp_min(0).sum(0).clamp_min(1)
    return mean, ((deviations**2).sum((0, 1)) / freedom).sqrt()


def _within_person_slopes(observed: Observations) -> Tensor:
    weight = observed.is_observed
    count = weight.sum(1).clamp_min(1)
    age = observed.times[..., None]
    age = weight * (age - (weight * age).sum(1, keepdim=True) / count[:, None])
    value = observed.values
    value = weight * (value - (weight * value).sum(1, keepdim=True) / count[:, None])
    return (age * value).sum((0, 1)) / (age**2).sum((0, 1)).clamp_min(1e-6)


def _check_data(observed: Observations, n_sources: int) -> None:
    n_features = observed.values.shape[2]
    problems = []
    if not 0 <= n_sources < n_features:
        problems.append(
            f"n_sources must be between 0 and {n_features - 1} (features minus 1), got {n_sources}."
        )
    repeated = int((observed.is_observed.amax(2).sum(1) >= 2).sum())
    if repeated < 10:
        problems.append(
            f"A progression model needs at least 10 people with two visits, got {repeated}; "
            "add people or follow-up visits, or leave these people out."
        )
    low, high = observed.values.min().item(), observed.values.max().item()
    if low < -0.5 or high > 1.5:
        problems.append(
            f"Features must be scaled to about 0-1, got values from {low:g} to {high:g}."
        )
    if problems:
        raise ModelError(*problems)
