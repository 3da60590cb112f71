"""Closed form for a continuous endpoint among those whom a prognostic score selects."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from cohorts.entrances import entrance
from trialsim.analytic.arguments import (
    ANY,
    CORRELATION,
    NOT_NEGATIVE,
    OPEN_SHARE,
    POSITIVE,
    SHARE_TO_1,
)
from trialsim.analytic.point import DesignPoint, FloatArray, Quantity, simplify
from trialsim.analytic.retention import count_enrolled, count_measured
from trialsim.analytic.solver import SizeQuestion, solve_question
from trialsim.analytic.two_arm_test import Distribution
from trialsim.errors import DesignError


@dataclass(frozen=True, kw_only=True)
class EnrichmentPoint(DesignPoint):
    """A design point of an enriched trial with a continuous endpoint.

    Attributes
    ----------
    slowing
        Share of the decline (above `normal_decline`) that treatment prevents.
    fraction_enrolled
        Share of the screened people who are selected.
    mean_selected, sd_selected
        Decline among the selected without treatment.
    residual_correlation
        Correlation of score and decline among the selected; smaller than before selection.
    n_to_screen
        People to screen, `n_total` / `fraction_enrolled`.
    cost
        n_total x participant cost + n_to_screen x screening cost.
    """

    slowing: Quantity
    fraction_enrolled: Quantity
    mean_selected: Quantity
    sd_selected: Quantity
    residual_correlation: Quantity
    n_to_screen: Quantity
    cost: Quantity


@entrance
def prognostic_enrichment(
    *,
    mean_decline: Quantity,
    sd_decline: Quantity,
    score_correlation: Quantity,
    fraction_enrolled: Quantity,
    slowing: Quantity | None = None,
    normal_decline: Quantity = 0.0,
    screening_cost: Quantity = 0.0,
    participant_cost: Quantity = 0.0,
    adjust_for_score: bool = False,
    retention: Quantity = 1.0,
    n_control: Quantity | None = None,
    power: Quantity | None = None,
    alpha: Quantity = 0.05,
    sides: int = 2,
    allocation_ratio: Quantity = 1.0,
    distribution: Distribution = "z",
) -> EnrichmentPoint:
    """Enroll the top fraction by a score, compare a continuous decline that treatment slows.

    Score and decline are bivariate normal. With c = z_{1-s} and lam = phi(c) / s, the selected
    decline by mean + rho sd lam, with variance sd^2 (1 - rho^2 lam (lam - c)) (Johnson, Kotz &
    Balakrishnan 1994, ch. 10); the residual correlation is that of range restriction (Thorndike's
    case 2). Treatment shifts the mean by slowing x (mean among the selected - `normal_decline`)
    and leaves the variance as it is.

    Parameters
    ----------
    mean_decline, sd_decline
        Decline in everyone eligible without treatment; decline is positive.
    score_correlation
        Correlation of the score with the decline in everyone eligible.
    fraction_enrolled
        Share of the screened people who are selected, greater than 0 and at most 1.
    slowing
        Share of the decline that treatment prevents, 0-1. A solved value above 1 says that no
        slowing reaches the power.
    normal_decline
        Decline of normal ageing, which treatment does not slow; 0 means that it slows all.
    screening_cost, participant_cost
        Cost of each person screened (at every fraction, 1 included) and enrolled.
    adjust_for_score
        Whether the analysis adjusts for the score, by what correlation is left after selection.
    retention
        Share of the enrolled whose outcome is measured; missing completely at random.
    n_control, power, alpha, sides, allocation_ratio
        As in `trialsim.analytic.means`; exactly one of `n_control`, `power`, `slowing` is None.
    distribution
        "z", or "t" with N - 2 degrees of freedom (and the price of one covariate if adjusted).

    Returns
    -------
    EnrichmentPoint
        Whichever of `slowing`, `n_control` and `power` was left out, with people to screen and
        cost.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> point = prognostic_enrichment(
    ...     mean_decline=100, sd_decline=100, score_correlation=0.5,
    ...     fraction_enrolled=0.3, slowing=0.25, power=0.8,
    ... )
    >>> round(point.n_control, 2)
    82.17
    """
    question = SizeQuestion(
        slowing, n_control, power, alpha, sides, allocation_ratio, distribution, "slowing"
    )
    question.check(
        mean_decline=(mean_decline, ANY),
        sd_decline=(sd_decline, POSITIVE),
        score_correlation=(score_correlation, CORRELATION),
        fraction_enrolled=(fraction_enrolled, SHARE_TO_1),
        slowing=(slowing, OPEN_SHARE),
        normal_decline=(normal_decline, NOT_NEGATIVE),
        screening_cost=(screening_cost, NOT_NEGATIVE),
        participant_cost=(participant_cost, NOT_NEGATIVE),
        retention=(retention, SHARE_TO_1),
    )
    selected = compute_selected_decline(
        mean_decline, sd_decline, score_correlation, fraction_enrolled
    )
    slowable = _compute_slowable(selected.mean, normal_decline)
    left = 1 - selected.correlation**2 if adjust_for_score else 1.0
    # In units of what can be slowed the effect is the slowing itself.
    unit_variance = left * selected.sd**2 * (1 + np.divide(1, allocation_ratio)) / slowable**2
    solved = solve_question(
        count_measured(question, retention, None),
        unit_variance=unit_variance,
        n_covariates=float(adjust_for_score),
    )
    solved = count_enrolled(solved, question, retention)
    share = solved.pop("delta")
    n_to_screen = np.divide(solved["n_total"], fraction_enrolled)
    cost = np.multiply(solved["n_total"], participant_cost) + n_to_screen * screening_cost
    return EnrichmentPoint(
        **solved,
        delta=simplify(share * slowable),
        slowing=share,
        fraction_enrolled=simplify(fraction_enrolled),
        mean_selected=simplify(selected.mean),
        sd_selected=simplify(selected.sd),
        residual_correlation=simplify(selected.correlation),
        n_to_screen=simplify(n_to_screen),
        cost=simplify(cost),
    )


class SelectedDecline(NamedTuple):
    """Decline of the selected, and what is left of its correlation with the score."""

    mean: FloatArray
    sd: FloatArray
    correlation: FloatArray


def compute_selected_decline(
    mean: Quantity, sd: Quantity, correlation: Quantity, fraction_enrolled: Quantity
) -> SelectedDecline:
    """Return mean, sd and residual correlation in the top fraction by a score.

    Moments of a truncated bivariate normal, by the sources of `prognostic_enrichment`.

    Parameters
    ----------
    mean, sd
        Decline in everyone.
    correlation
        Correlation of score and decline in everyone.
    fraction_enrolled
        Greater than 0 and at most 1.
    """
    fraction = np.asarray(fraction_enrolled, dtype=float)
    rho = np.asarray(correlation, dtype=float)
    # c = -inf where everyone is enrolled; then lam = 0 and lam (lam - c) -> 0.
    cut = np.where(fraction < 1, -special.ndtri(np.minimum(fraction, 1 - 1e-12)), 0.0)
    lam = np.where(fraction < 1, np.exp(-(cut**2) / 2) / np.sqrt(2 * np.pi) / fraction, 0.0)
    score_variance = 1 - lam * (lam - cut)
    variance = 1 - rho**2 * (1 - score_variance)
    return SelectedDecline(
        mean=np.asarray(mean + rho * sd * lam),
        sd=np.asarray(sd * np.sqrt(variance)),
        correlation=np.asarray(rho * np.sqrt(score_variance / variance)),
    )


def _compute_slowable(mean_selected: FloatArray, normal_decline: Quantity) -> FloatArray:
    slowable = np.asarray(mean_selected - normal_decline)
    if np.any(slowable <= 0):
        raise DesignError(
            "The selected must decline by more than normal ageing: their mean decline is "
            f"{np.min(mean_selected):g}, normal_decline {np.max(normal_decline):g}."
        )
    return slowable


@entrance
def optimal_fraction(
    *,
    mean_decline: float,
    sd_decline: float,
    score_correlation: float,
    slowing: float,
    power: float,
    screening_cost: float,
    participant_cost: float,
    normal_decline: float = 0.0,
    adjust_for_score: bool = False,
    retention: float = 1.0,
    smallest_fraction: float = 0.01,
    alpha: float = 0.05,
    sides: int = 2,
    allocation_ratio: float = 1.0,
    distribution: Distribution = "z",
) -> EnrichmentPoint:
    """Find the fraction enrolled whose trial costs least.

    Parameters
    ----------
    mean_decline, sd_decline, score_correlation, slowing, normal_decline, screening_cost, \
participant_cost, adjust_for_score, retention, power, alpha, sides, allocation_ratio, distribution
        As in `prognostic_enrichment`.
    smallest_fraction
        The search runs from here to 1.

    Returns
    -------
    EnrichmentPoint
        At the cheapest fraction.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> from trialsim import analytic
    >>> point = analytic.optimal_fraction(
    ...     mean_decline=100, sd_decline=100, score_correlation=0.5, slowing=0.25, power=0.8,
    ...     screening_cost=1000, participant_cost=20000,
    ... )
    >>> round(float(point.fraction_enrolled), 2)
    0.12
    """

    def enroll(fraction: Quantity) -> EnrichmentPoint:
        return prognostic_enrichment(
            mean_decline=mean_decline,
            sd_decline=sd_decline,
            score_correlation=score_correlation,
            fraction_enrolled=fraction,
            slowing=slowing,
            normal_decline=normal_decline,
            screening_cost=screening_cost,
            participant_cost=participant_cost,
            adjust_for_score=adjust_for_score,
            retention=retention,
            power=power,
            alpha=alpha,
            sides=sides,
            allocation_ratio=allocation_ratio,
            distribution=distribution,
        )

    if screening_cost == 0 and participant_cost == 0:
        raise DesignError("The cheapest fraction needs a screening_cost or a participant_cost.")
    # The grid finds the right valley (with "t" there may be two), the search its floor.
    grid = np.append(np.arange(smallest_fraction, 1.0, 0.01), 1.0)
    best = int(np.argmin(np.asarray(enroll(grid).cost)))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    found = optimize.minimize_scalar(
        lambda fraction: float(enroll(float(fraction)).cost), bounds=around, method="bounded"
    )
    candidates = [enroll(float(found.x)), enroll(float(grid[best]))]
    return min(candidates, key=lambda point: float(point.cost))
