r"""The logistic curve of disease course mapping.

Schiratti et al., JMLR 2017; Koval et al., Scientific Reports 2021. For person *i*,
feature *k*, age *t*:

.. math::

   \psi_i(t) = e^{\xi_i} (t - \tau_i), \quad w_i = A s_i, \quad M_k = (1 + g_k)^2 / g_k, \quad
   y_{ik}(t) = 1 / (1 + g_k \exp(-M_k (v_k \psi_i(t) + w_{ik})))

with :math:`A = Q \beta`, where the columns of *Q* span the complement of *v* in the metric
:math:`G_k = M_k^2`. Everything here is differentiable and batched over people.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class CurveParameters:
    """What all people share; every tensor is float64.

    Parameters
    ----------
    log_g, log_v0
        Position and velocity of each feature, shape (n_features,); the velocity is per year.
    betas
        Mixing coefficients, shape (n_features - 1, n_sources).
    tau_mean, tau_std
        Mean and standard deviation of the reference age in years, shape ().
    xi_std
        Standard deviation of the log acceleration, shape ().
    noise_std
        Standard deviation of the residual of each feature, shape (n_features,).
    """

    log_g: Tensor
    log_v0: Tensor
    betas: Tensor
    tau_mean: Tensor
    tau_std: Tensor
    xi_std: Tensor
    noise_std: Tensor

    @property
    def n_features(self) -> int:
        """Number of features."""
        return int(self.log_g.shape[0])

    @property
    def n_sources(self) -> int:
        """Number of independent components of the space shift."""
        return int(self.betas.shape[1])


def compute_metric(log_g: Tensor) -> Tensor:
    """Return :math:`M_k = (1 + g_k)^2 / g_k`, shape (n_features,)."""
    g = log_g.exp()
    return (1 + g) ** 2 / g


def compute_orthonormal_basis(direction: Tensor) -> Tensor:
    """Return the Householder basis of the complement of `direction`, shape (n, n - 1).

    The reflection takes `direction` onto the first axis, away from it to avoid cancellation; its
    first column is dropped.
    """
    norm = direction.norm()
    first = torch.zeros_like(direction)
    first[0] = 1
    normal = direction + torch.copysign(norm, direction[0]) * first
    reflection = torch.eye(len(direction), dtype=direction.dtype)
    reflection = reflection - 2 * torch.outer(normal, normal) / normal.dot(normal)
    return reflection[:, 1:]


def compute_mixing_matrix(parameters: CurveParameters) -> Tensor:
    r"""Return :math:`A = Q \beta`, shape (n_features, n_sources)."""
    metric = compute_metric(parameters.log_g)
    basis = compute_orthonormal_basis(metric**2 * parameters.log_v0.exp())
    return basis @ parameters.betas


def compute_curves(
    parameters: CurveParameters, standardized: Tensor, times: Tensor
) -> tuple[Tensor, Tensor]:
    """Evaluate the curves of people at their own ages.

    Parameters
    ----------
    parameters
        What all people share.
    standardized
        The individual parameters divided by their prior's scale, shape
        (n_people, 2 + n_sources): (tau - tau_mean) / tau_std, xi / xi_std, sources. Their prior
        is standard normal.
    times
        Ages in years, shape (n_people, n_times).

    Returns
    -------
    values : Tensor
        Shape (n_people, n_times, n_features), between 0 and 1.
    jacobian : Tensor
        Derivative of `values` by `standardized`, shape
        (n_people, n_times, n_features, 2 + n_sources).
    """
    metric = compute_metric(parameters.log_g)
    mixing = compute_mixing_matrix(parameters)
    rate = metric * parameters.log_v0.exp()
    tau = parameters.tau_mean + parameters.tau_std * standardized[:, 0]
    speed = (parameters.xi_std * standardized[:, 1]).exp()
    psi = speed[:, None] * (times - tau[:, None])
    shift = standardized[:, 2:] @ mixing.T
    values = torch.sigmoid(rate * psi[..., None] + (metric * shift)[:, None, :] - parameters.log_g)
    slope = values * (1 - values)
    by_tau = -(parameters.tau_std * speed)[:, None, None] * rate * slope
    by_xi = parameters.xi_std * psi[..., None] * rate * slope
    by_source = slope[..., None] * (metric[:, None] * mixing)
    return values, torch.cat([by_tau[..., None], by_xi[..., None], by_source], dim=-1)
