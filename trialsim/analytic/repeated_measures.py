"""Closed forms for repeated measures with a given correlation."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cohorts.entrances import entrance
from trialsim.analytic.arguments import POSITIVE, find_problems
from trialsim.analytic.correlation import expand_correlation, find_correlation_problems
from trialsim.analytic.point import DesignPoint, FloatArray, Quantity, simplify
from trialsim.analytic.retention import (
    complete_retention,
    compute_last_visit_shares,
    find_retention_problems,
)
from trialsim.analytic.solver import SizeQuestion, solve_question
from trialsim.analytic.two_arm_test import Distribution


@dataclass(frozen=True, kw_only=True)
class MmrmPoint(DesignPoint):
    """A design point of an MMRM.

    Attributes
    ----------
    variance_inflation_control, variance_inflation_treatment
        Variance of the last visit's mean over that with everyone seen; 1 or more.
    """

    variance_inflation_control: Quantity
    variance_inflation_treatment: Quantity


@entrance
def mmrm(
    *,
    delta: Quantity | None = None,
    sd: Quantity,
    correlation: npt.ArrayLike,
    retention: npt.ArrayLike | None = None,
    sd_treatment: Quantity | None = None,
    correlation_treatment: npt.ArrayLike | None = None,
    retention_treatment: npt.ArrayLike | None = None,
    n_control: Quantity | None = None,
    power: Quantity | None = None,
    alpha: Quantity = 0.05,
    sides: int = 2,
    allocation_ratio: Quantity = 1.0,
    distribution: Distribution = "z",
) -> MmrmPoint:
    """Compare the last visit's means in a mixed model for repeated measures with drop-out.

    Information of one person: I = sum_k (r_k - r_{k+1}) [R_k^{-1}]; variance inflation
    phi = [I^{-1}]_{JJ} (Lu, Luo & Chen 2008, Int J Biostat 4(1), eq. 3).

    Parameters
    ----------
    delta
        Difference between the arms at the last visit.
    sd
        Standard deviation at the last visit in the control arm.
    correlation
        Correlation of the visits, (n_visits, n_visits), given baseline where the analysis
        adjusts for it; see `ar1` and `exchangeable`. Several at once: (n, n_visits, n_visits).
    retention
        Share still in at each visit, (n_visits,), drop-out being monotone; None means everyone.
    sd_treatment, correlation_treatment, retention_treatment
        The same in the treatment arm; None means as in control.
    n_control, power, alpha, sides, allocation_ratio
        As in `trialsim.analytic.means`; sample sizes count everyone who is randomized.
    distribution
        "z", or "t" with N - 2 degrees of freedom.

    Returns
    -------
    MmrmPoint
        Whichever of `delta`, `n_control` and `power` was left out, with the others and the variance
        inflation.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> from trialsim import analytic
    >>> point = analytic.mmrm(delta=0.5, sd=1, correlation=analytic.ar1(0.7, 4), power=0.8)
    >>> round(float(point.n_control), 1)
    62.8
    """
    n_visits = np.shape(correlation)[-1] if np.ndim(correlation) else 0
    question = SizeQuestion(delta, n_control, power, alpha, sides, allocation_ratio, distribution)
    treated = correlation if correlation_treatment is None else correlation_treatment
    wrong = list(find_correlation_problems(correlation, stacked=True))
    if correlation_treatment is not None:
        wrong += find_correlation_problems(
            treated, n_visits, name="correlation_treatment", stacked=True
        )
    question.check(
        *wrong,
        *find_retention_problems(retention, n_visits, name="retention"),
        *find_retention_problems(retention_treatment, n_visits, name="retention_treatment"),
        sd=(sd, POSITIVE),
        sd_treatment=(sd_treatment, POSITIVE),
    )
    if retention_treatment is None:
        retention_treatment = retention
    inflation = compute_variance_inflation(correlation, retention)
    inflation_treatment = compute_variance_inflation(treated, retention_treatment)
    variance_treatment = np.square(sd if sd_treatment is None else sd_treatment)
    unit_variance = inflation * np.square(sd) + np.divide(
        inflation_treatment * variance_treatment, allocation_ratio
    )
    return MmrmPoint(
        **solve_question(question, unit_variance=unit_variance),
        variance_inflation_control=simplify(inflation),
        variance_inflation_treatment=simplify(inflation_treatment),
    )


def compute_variance_inflation(
    correlation: npt.ArrayLike, retention: npt.ArrayLike | None
) -> FloatArray:
    """Return the variance of the last visit's mean over that with everyone seen, (...).

    Parameters
    ----------
    correlation
        (..., n_visits, n_visits).
    retention
        Share seen at each visit, (n_visits,), not rising; None means everyone.
    """
    matrix = np.asarray(correlation, dtype=float)
    information = np.zeros_like(matrix)
    shares = compute_last_visit_shares(complete_retention(retention, matrix.shape[-1]))
    for last, share in enumerate(shares, start=1):
        information[..., :last, :last] += share * np.linalg.inv(matrix[..., :last, :last])
    return np.asarray(np.linalg.inv(information)[..., -1, -1])


@entrance
def marginal_slope(
    *,
    delta: Quantity | None = None,
    visit_times: npt.ArrayLike,
    variance: Quantity,
    correlation: npt.ArrayLike,
    n_control: Quantity | None = None,
    power: Quantity | None = None,
    alpha: Quantity = 0.05,
    sides: int = 2,
    allocation_ratio: Quantity = 1.0,
    distribution: Distribution = "z",
) -> DesignPoint:
    """Compare the slopes of two arms in a marginal model (Diggle et al. 2002, p. 29).

    Variance of one person's slope: [(X' R^{-1} X)^{-1}]_{slope, slope} variance.

    Parameters
    ----------
    delta
        Difference in slope, in units of the endpoint per unit of `visit_times`.
    visit_times
        Times of the visits; shape (n_visits,).
    variance
        Variance of the outcome at each visit.
    correlation
        Correlation of the visits, (n_visits, n_visits), or one number (exchangeable).
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
    >>> point = analytic.marginal_slope(
    ...     delta=20, visit_times=[0, 1, 2], variance=3600, correlation=0.5, power=0.8
    ... )
    >>> round(float(point.n_control), 1)
    35.3
    """
    times = np.asarray(visit_times, dtype=float)
    question = SizeQuestion(delta, n_control, power, alpha, sides, allocation_ratio, distribution)
    spread = times.ndim == 1 and times.size >= 2 and np.ptp(times) > 0
    further = [] if spread else [f"visit_times must hold two different times, got {times}."]
    design = np.column_stack([np.ones(times.size), times.ravel()])
    return _compare_marginal(question, design, variance, correlation, further)


@entrance
def time_averaged(
    *,
    delta: Quantity | None = None,
    n_visits: int,
    variance: Quantity,
    correlation: npt.ArrayLike,
    n_control: Quantity | None = None,
    power: Quantity | None = None,
    alpha: Quantity = 0.05,
    sides: int = 2,
    allocation_ratio: Quantity = 1.0,
    distribution: Distribution = "z",
) -> DesignPoint:
    """Compare means over all visits by generalized least squares (Liu & Liang 1997, Biometrics).

    Variance of one person's mean: variance / (1' R^{-1} 1).

    Parameters
    ----------
    delta
        Difference between the arms, the same at each visit.
    n_visits
        Number of visits.
    variance
        Variance of the outcome at each visit.
    correlation
        Correlation of the visits, (n_visits, n_visits), or one number (exchangeable).
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
    >>> model = {"n_visits": 3, "variance": 1, "correlation": 0.5}
    >>> point = analytic.time_averaged(delta=0.5, power=0.8, **model)
    >>> round(float(point.n_control), 1)
    41.9
    """
    question = SizeQuestion(delta, n_control, power, alpha, sides, allocation_ratio, distribution)
    further = [] if n_visits >= 1 else [f"n_visits must be at least 1, got {n_visits}."]
    return _compare_marginal(
        question, np.ones((max(n_visits, 1), 1)), variance, correlation, further
    )


def _compare_marginal(
    question: SizeQuestion,
    design: FloatArray,
    variance: Quantity,
    correlation: npt.ArrayLike,
    further_problems: list[str],
) -> DesignPoint:
    problems = further_problems + find_problems(variance=(variance, POSITIVE))
    matrix = expand_correlation(correlation, len(design))
    problems += find_correlation_problems(matrix, len(design))
    question.check(*problems)
    information = design.T @ np.linalg.solve(matrix, design)
    unit = np.linalg.inv(information)[-1, -1] * np.asarray(variance, dtype=float)
    return DesignPoint(
        **solve_question(
            question, unit_variance=unit * (1 + np.divide(1, question.allocation_ratio))
        )
    )
