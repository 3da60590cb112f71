"""Closed form for the difference in slopes of a random-slope model."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from cohorts.entrances import entrance
from trialsim.analytic.arguments import ANY, NOT_NEGATIVE, POSITIVE, find_problems
from trialsim.analytic.point import DesignPoint, FloatArray, Quantity
from trialsim.analytic.retention import (
    complete_retention,
    compute_last_visit_shares,
    find_retention_problems,
)
from trialsim.analytic.solver import SizeQuestion, solve_question
from trialsim.analytic.two_arm_test import Distribution
from trialsim.errors import DesignError

_MOST_BETWEEN: Final = 1e12
"""Variance between people over that within one: beyond it, their sum holds too few digits of the
latter to be inverted."""


@entrance
def random_slope(
    *,
    delta: Quantity | None = None,
    visit_times: npt.ArrayLike,
    slope_variance: Quantity,
    residual_variance: Quantity,
    intercept_variance: Quantity = 0.0,
    intercept_slope_covariance: Quantity = 0.0,
    slope_variance_treatment: Quantity | None = None,
    residual_variance_treatment: Quantity | None = None,
    intercept_variance_treatment: Quantity | None = None,
    intercept_slope_covariance_treatment: Quantity | None = None,
    baseline: Literal["free", "common"] = "free",
    retention: npt.ArrayLike | None = None,
    retention_treatment: npt.ArrayLike | None = None,
    n_control: Quantity | None = None,
    power: Quantity | None = None,
    alpha: Quantity = 0.05,
    sides: int = 2,
    allocation_ratio: Quantity = 1.0,
    distribution: Distribution = "z",
) -> DesignPoint:
    """Compare the slopes of two arms in a linear mixed model with random intercept and slope.

    A person last seen at visit k carries the information X_k' V_k^{-1} X_k on (intercept,
    slope), V_k = Z_k D Z_k' + residual_variance I. `baseline="free"` gives each arm an intercept
    of its own (Zhao & Edland 2020; Diggle et al. 2002, sec. 2.4); "common" lets the arms share
    one, as randomization allows (Hu, Mackey & Thomas 2021, Biom J 63:806), and never needs more
    people.

    Parameters
    ----------
    delta
        Difference in slope, in units of the endpoint per unit of `visit_times`.
    visit_times
        Times of the visits, baseline included; shape (n_visits,).
    slope_variance, residual_variance, intercept_variance, intercept_slope_covariance
        Variance components of the control arm; arrays ask several models at once.
    slope_variance_treatment, residual_variance_treatment, intercept_variance_treatment, \
intercept_slope_covariance_treatment
        The same in the treatment arm; None means as in control.
    baseline
        "free" or "common".
    retention, retention_treatment
        Share still in at each visit, (n_visits,), drop-out being monotone; None means everyone
        (treatment: as in control). People without a visit carry no information.
    n_control, power, alpha, sides, allocation_ratio
        As in `trialsim.analytic.means`.
    distribution
        "z", or "t" with N - 2 degrees of freedom.

    Returns
    -------
    DesignPoint
        Whichever of `delta`, `n_control` and `power` was left out, with the others.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> from trialsim import analytic
    >>> point = analytic.random_slope(
    ...     delta=20, visit_times=[0, 0.5, 1, 1.5, 2], slope_variance=4900, residual_variance=3600,
    ...     power=0.8,
    ... )
    >>> round(float(point.n_control), 1)
    248.8
    """
    times = np.asarray(visit_times, dtype=float)
    control = SlopeComponents(
        slope_variance, residual_variance, intercept_variance, intercept_slope_covariance
    )
    treated = control.replace(
        slope_variance_treatment,
        residual_variance_treatment,
        intercept_variance_treatment,
        intercept_slope_covariance_treatment,
    )
    question = SizeQuestion(delta, n_control, power, alpha, sides, allocation_ratio, distribution)
    question.check(
        *find_schedule_problems(times, baseline),
        *control.find_problems(""),
        *(treated.find_problems("_treatment") if treated is not control else []),
        *find_retention_problems(retention, times.size, name="retention"),
        *find_retention_problems(retention_treatment, times.size, name="retention_treatment"),
    )
    if retention_treatment is None:
        retention_treatment = retention
    unit_variance = compute_slope_variance(
        control.compute_information(times, complete_retention(retention, times.size)),
        treated.compute_information(times, complete_retention(retention_treatment, times.size)),
        np.asarray(allocation_ratio, dtype=float),
        baseline,
    )
    return DesignPoint(**solve_question(question, unit_variance=unit_variance))


@dataclass(frozen=True)
class SlopeComponents:
    """Variance components of one arm."""

    slope: Quantity
    residual: Quantity
    intercept: Quantity
    covariance: Quantity

    def replace(self, *own: Quantity | None) -> "SlopeComponents":
        """Return the components with those that are given in place of these."""
        if all(component is None for component in own):
            return self
        mine = (self.slope, self.residual, self.intercept, self.covariance)
        return SlopeComponents(*(a if b is None else b for a, b in zip(mine, own, strict=True)))

    def find_problems(self, suffix: str) -> list[str]:
        """Return one sentence for each component that cannot be right."""
        problems = find_problems(
            **{
                f"slope_variance{suffix}": (self.slope, NOT_NEGATIVE),
                f"residual_variance{suffix}": (self.residual, POSITIVE),
                f"intercept_variance{suffix}": (self.intercept, NOT_NEGATIVE),
                f"intercept_slope_covariance{suffix}": (self.covariance, ANY),
            }
        )
        if problems:
            return problems
        covariance = np.asarray(self.covariance, dtype=float)
        largest = np.sqrt(np.multiply(self.slope, self.intercept))
        too_large = np.abs(covariance) > largest * (1 + 1e-9)
        if np.any(too_large):
            covariance, largest = np.broadcast_arrays(covariance, largest)
            problems.append(
                f"intercept_slope_covariance{suffix} must be at most the root of intercept "
                f"variance x slope variance ({largest[too_large].ravel()[0]:g}), "
                f"got {covariance[too_large].ravel()[0]:g}."
            )
        return problems

    def compute_information(self, times: FloatArray, retention: FloatArray) -> FloatArray:
        """Return the information of one randomized person on (intercept, slope), (..., 2, 2)."""
        design = np.column_stack([np.ones_like(times), times])
        intercept, slope, shared, residual = np.broadcast_arrays(
            *(
                np.asarray(component, dtype=float)
                for component in (self.intercept, self.slope, self.covariance, self.residual)
            )
        )
        random = np.stack([intercept, shared, shared, slope], axis=-1)
        random = random.reshape(*intercept.shape, 2, 2)
        between = design @ random @ design.T
        largest = np.diagonal(between, axis1=-2, axis2=-1).max(axis=-1)
        if np.any(residual * _MOST_BETWEEN < largest):
            raise DesignError(
                f"The variances are too far apart to compute with: {np.min(residual):g} within a "
                f"person, up to {np.max(largest):g} between people at a visit."
            )
        covariance = between + residual[..., None, None] * np.eye(times.size)
        information = np.zeros_like(random)
        for last, share in enumerate(compute_last_visit_shares(retention), start=1):
            seen = design[:last]
            information += share * seen.T @ np.linalg.solve(covariance[..., :last, :last], seen)
        return information


def find_schedule_problems(times: FloatArray, baseline: str) -> list[str]:
    """Return one sentence for each reason why no slope can be estimated so."""
    problems = []
    if times.ndim != 1 or times.size < 2 or not np.all(np.isfinite(times)):
        problems.append(f"visit_times must list at least two numbers, got {times.tolist()}.")
    elif np.any(np.diff(times) <= 0):
        problems.append(f"visit_times must rise, got {times.tolist()}.")
    if baseline not in ("free", "common"):
        problems.append(f'baseline must be "free" or "common", got "{baseline}".')
    return problems


def compute_slope_variance(
    control: FloatArray, treated: FloatArray, ratio: FloatArray, baseline: str
) -> FloatArray:
    """Return the variance of the difference in slope times the size of the control arm.

    Parameters
    ----------
    control, treated
        Information of one person on (intercept, slope), (..., 2, 2).
    ratio
        Treatment : control.
    baseline
        "free" or "common".

    Raises
    ------
    DesignError
        Visits that leave no slope.
    """
    if min(np.min(np.linalg.matrix_rank(arm)) for arm in (control, treated)) < 2:
        raise DesignError("The visits leave too little to estimate a slope in each arm.")
    if baseline == "free":
        slopes = (np.linalg.inv(information)[..., 1, 1] for information in (control, treated))
        variance_control, variance_treated = slopes
        return np.asarray(variance_control + variance_treated / ratio)
    # Parameters: common intercept, control slope, difference in slope (the treated arm's slope
    # is their sum).
    difference = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    control_only = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    information = control_only.T @ control @ control_only + ratio[..., None, None] * (
        difference.T @ treated @ difference
    )
    return np.asarray(np.linalg.inv(information)[..., 2, 2])
