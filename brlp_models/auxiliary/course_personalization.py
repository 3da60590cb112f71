"""The most probable individual parameters of many people at once."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from brlp_models.auxiliary.course_curve import CurveParameters, compute_curves
from brlp_models.model.threads import limited_threads

_MAX_ITERATIONS: Final = 200
_TOLERANCE: Final = 1e-9
"""A person is done at an accepted step below this, in prior standard deviations."""


@dataclass(frozen=True)
class Observations:
    """Visits of many people, padded to the longest follow-up.

    Parameters
    ----------
    times
        Ages in years, shape (n_people, n_times); any number where there is no visit.
    values
        Shape (n_people, n_times, n_features); zero where not observed.
    is_observed
        1 where a value was observed, else 0; the shape of `values`.
    """

    times: Tensor
    values: Tensor
    is_observed: Tensor

    def __getitem__(self, people: Tensor) -> "Observations":
        return Observations(self.times[people], self.values[people], self.is_observed[people])

    @property
    def n_people(self) -> int:
        """Number of people."""
        return int(self.times.shape[0])


def compute_residuals(
    parameters: CurveParameters, standardized: Tensor, observed: Observations
) -> tuple[Tensor, Tensor]:
    """Return the residuals in units of the noise, and their Jacobian, one row a person.

    Shapes (n_people, n_times * n_features) and (..., 2 + n_sources); zero where not observed.
    """
    values, jacobian = compute_curves(parameters, standardized, observed.times)
    weight = observed.is_observed / parameters.noise_std
    residuals = weight * (values - observed.values)
    return residuals.flatten(1), (weight[..., None] * jacobian).flatten(1, 2)


def compute_negative_log_posterior(residuals: Tensor, standardized: Tensor) -> Tensor:
    """Return half the squared residuals plus half the squared prior scores, a number a person."""
    return 0.5 * (residuals**2).sum(1) + 0.5 * (standardized**2).sum(1)


def find_posterior_modes(
    parameters: CurveParameters,
    observed: Observations,
    *,
    start: Tensor | None = None,
) -> Tensor:
    """Minimize each person's negative log posterior by batched Levenberg-Marquardt.

    Each person has an own damping (Marquardt 1963, with the gain-ratio update of Nielsen 1999);
    people who have converged leave the batch.

    Parameters
    ----------
    parameters, observed
        The model, the visits.
    start
        First guess, shape (n_people, 2 + n_sources); the mode of the prior when None.

    Returns
    -------
    Tensor
        Standardized individual parameters, shape (n_people, 2 + n_sources).
    """
    if start is None:
        start = torch.zeros(observed.n_people, 2 + parameters.n_sources, dtype=torch.float64)
    # matrices this small gain nothing from threads, which wait on a busy machine
    with limited_threads(1):
        search = _Search(parameters, observed, start.clone())
        for _ in range(_MAX_ITERATIONS):
            search.advance()
            if len(search.active) == 0:
                break
    return search.modes


class _Search:
    """The state of the damped least-squares search of everyone who has not converged."""

    def __init__(self, parameters: CurveParameters, observed: Observations, modes: Tensor) -> None:
        self.parameters = parameters
        self.observed = observed
        self.modes = modes
        self.identity = torch.eye(modes.shape[1], dtype=modes.dtype)
        self.active = torch.arange(observed.n_people)
        self.damping = torch.full((observed.n_people,), 1e-2, dtype=modes.dtype)
        self.backoff = torch.full_like(self.damping, 2.0)
        self.residuals, self.jacobian = compute_residuals(parameters, modes, observed)

    def advance(self) -> None:
        """Try one step for everyone, keep what improves, let go who stands still."""
        here = self.modes[self.active]
        loss = compute_negative_log_posterior(self.residuals, here)
        step, expected = self._propose(here)
        residuals, jacobian = compute_residuals(
            self.parameters, here + step, self.observed[self.active]
        )
        gain = loss - compute_negative_log_posterior(residuals, here + step)
        better = gain >= 0
        self._update_damping(better, gain / expected.clamp_min(1e-300))
        self.modes[self.active[better]] = (here + step)[better]
        running = step.abs().amax(1) > _TOLERANCE
        self.active = self.active[running]
        self.residuals = torch.where(better[:, None], residuals, self.residuals)[running]
        self.jacobian = torch.where(better[:, None, None], jacobian, self.jacobian)[running]

    def _propose(self, here: Tensor) -> tuple[Tensor, Tensor]:
        """Return the damped step, and the decrease that the quadratic model expects of it."""
        damping = self.damping[self.active]
        gradient = torch.einsum("nrk,nr->nk", self.jacobian, self.residuals) + here
        hessian = self.jacobian.mT @ self.jacobian + self.identity
        damped = hessian + damping[:, None, None] * self.identity
        step = -torch.linalg.solve(damped, gradient[..., None]).squeeze(-1)
        return step, 0.5 * (step * (damping[:, None] * step - gradient)).sum(1)

    def _update_damping(self, better: Tensor, gain_ratio: Tensor) -> None:
        winners, losers = self.active[better], self.active[~better]
        self.damping[winners] *= (1 - (2 * gain_ratio[better].clamp(max=1.0) - 1) ** 3).clamp_min(
            1 / 3
        )
        self.backoff[winners] = 2.0
        self.damping[losers] *= self.backoff[losers]
        self.backoff[losers] *= 2.0


def compute_posterior_covariances(
    parameters: CurveParameters, modes: Tensor, observed: Observations
) -> Tensor:
    """Return the Laplace covariance of the standardized parameters, (n_people, k, k).

    The Hessian is the Gauss-Newton one, so it is positive definite everywhere.
    """
    _, jacobian = compute_residuals(parameters, modes, observed)
    identity = torch.eye(modes.shape[1], dtype=modes.dtype)
    covariances: Tensor = torch.linalg.inv(jacobian.mT @ jacobian + identity)
    return covariances
