"""Closed forms for the people of a pool, to stand beside the simulation."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from trialsim import analytic
from trialsim.analyses import ANALYSES, Analysis
from trialsim.analysis.result import Floats
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.simulation.effects import Estimand, compute_shift
from trialsim.simulation.outcomes import GrowthModel, fit_growth_model
from trialsim.simulation.pool import Pool


@dataclass(frozen=True)
class Moments:
    """What the closed forms know of untreated people.

    Attributes
    ----------
    true_change
        Mean change of the true volume from baseline at each visit, (n_visits,).
    covariance
        Of the outcomes at the visits followed by the score, (n_visits + 1, n_visits + 1).
    growth
        The random-slope model of the same people; None where no analysis needs it.
    """

    true_change: Floats
    covariance: Floats
    growth: GrowthModel | None


def compute_pool_moments(pool: Pool, design: TrialDesign) -> Moments:
    """Return the moments of a resampled pool, which is its own population."""
    table = np.column_stack([pool.outcome, pool.score])
    needs_growth = any(ANALYSES[name].compares_slopes for name in design.analyses)
    growth = fit_growth_model(pool, design.times) if needs_growth else None
    # deviations of a pool are widened already, so its own variance is the unbiased one
    covariance = np.cov(table, rowvar=False, ddof=0, aweights=pool.weights)
    return Moments(pool.true_change, covariance, growth)


def compute_model_moments(model: GrowthModel) -> Moments:
    """Return the moments of a growth model."""
    courses = np.column_stack([np.ones_like(model.times), model.times])
    variance = float(np.var(model.scores))
    loading = courses @ [model.score_intercept, model.score_slope]
    visits = courses @ model.total_covariance @ courses.T
    visits = visits + model.residual_variance * np.eye(len(model.times))
    covariance = np.block(
        [[visits, (loading * variance)[:, None]], [loading * variance, np.array([[variance]])]]
    )
    return Moments(model.compute_expectations().true_change, covariance, model)


def has_closed_form(analysis: str, design: TrialDesign) -> bool:
    """Whether a formula answers this design.

    None does where leaving depends on the outcome or changes it, where scans are unreadable,
    intercurrent events happen or sites differ, where slowing is proportional, where outcomes are
    imputed, or where slopes are compared although the effect does not grow in proportion to time.
    """
    dropout = design.dropout
    ignorable = not (
        dropout.depends_on_outcome or dropout.unseen_shift_control or dropout.unseen_shift_treatment
    )
    plain = design.effect_model == "shift" and not (
        design.has_events or np.any(design.unreadable) or design.sites.n > 1
    )
    kind = ANALYSES[analysis]
    fits = kind.imputation is None and (design.has_linear_effect or not kind.compares_slopes)
    return ignorable and plain and fits


def compute_power(
    analysis: str, moments: Moments, design: TrialDesign, n_control: int, n_treatment: int
) -> float:
    """Return the power of a trial size, 0-1."""
    ratio = n_treatment / n_control
    point = _ask(analysis, moments, design, ratio, n_control=float(n_control))
    return float(point.power)


def compute_sample_size(analysis: str, moments: Moments, design: TrialDesign) -> float:
    """Return the people needed in control for the target power; NaN where no trial reaches it.

    Not rounded. Everyone who is randomized counts, those who leave included.
    """
    try:
        point = _ask(analysis, moments, design, design.allocation_ratio, power=design.target_power)
    except DesignError:
        return np.nan
    return _count_randomized(analysis, float(point.n_control), design)


def _ask(
    analysis: str,
    moments: Moments,
    design: TrialDesign,
    ratio: float,
    **given: float,
) -> Any:
    shift = compute_shift(design, moments.true_change)
    estimand = Estimand(shift, design.times)
    common: dict[str, Any] = {
        "delta": estimand.get_value(analysis),
        "alpha": design.alpha,
        "sides": design.sides,
        "distribution": "t",
    }
    retention, retained = design.compute_retention(0), design.compute_retention(1)
    kind = ANALYSES[analysis]
    if kind.is_mixed:
        common |= {"retention_treatment": retained, "allocation_ratio": ratio, **given}
        if kind.model == "mmrm":
            return _ask_mmrm(kind, moments.covariance, retention, common)
        return _ask_random_slope(kind, moments.growth, design, retention, common)
    if "n_control" in given:
        given = {"n_control": given["n_control"] * retention[-1]}
    common |= {"allocation_ratio": ratio * retained[-1] / retention[-1], **given}
    return _ask_complete(kind, moments.covariance, common)


def _count_randomized(analysis: str, n_control: float, design: TrialDesign) -> float:
    if ANALYSES[analysis].is_mixed:
        return n_control
    return n_control / float(design.compute_retention(0)[-1])


def _ask_complete(kind: Analysis, covariance: Floats, common: dict[str, Any]) -> Any:
    """Analyses of the people who complete."""
    last = len(covariance) - 2
    change = covariance[last, last] + covariance[0, 0] - 2 * covariance[0, last]
    if kind.model == "change":
        return analytic.means(sd=float(np.sqrt(change)), **common)
    covariates = _list_covariates(kind, covariance)
    target = covariance[covariates, last]
    explained = target @ np.linalg.solve(covariance[np.ix_(covariates, covariates)], target)
    correlation = float(np.sqrt(explained / covariance[last, last]))
    return analytic.ancova(
        sd=float(np.sqrt(covariance[last, last])),
        correlation=correlation,
        n_covariates=len(covariates),
        **common,
    )


def _list_covariates(kind: Analysis, covariance: Floats) -> list[int]:
    """Return the places of baseline, and of the score where it is used."""
    return [0, len(covariance) - 1] if kind.uses_score else [0]


def _ask_mmrm(kind: Analysis, covariance: Floats, retention: Floats, common: dict[str, Any]) -> Any:
    """MMRM of the later visits given baseline, and the score where it is used."""
    known = _list_covariates(kind, covariance)
    shared = covariance[1:-1, known]
    explained = shared @ np.linalg.solve(covariance[np.ix_(known, known)], shared.T)
    residual = covariance[1:-1, 1:-1] - explained
    sd = np.sqrt(np.diag(residual))
    common["retention_treatment"] = common["retention_treatment"][1:]
    return analytic.mmrm(
        sd=float(sd[-1]),
        correlation=residual / np.outer(sd, sd),
        retention=retention[1:],
        **common,
    )


def _ask_random_slope(
    kind: Analysis,
    growth: GrowthModel | None,
    design: TrialDesign,
    retention: Floats,
    common: dict[str, Any],
) -> Any:
    if growth is None:
        raise DesignError("The closed form of the random-slope model needs its variances.")
    total = growth.covariance if kind.uses_score else growth.total_covariance
    return analytic.random_slope(
        visit_times=design.times,
        slope_variance=float(total[1, 1]),
        intercept_variance=float(total[0, 0]),
        intercept_slope_covariance=float(total[0, 1]),
        residual_variance=float(growth.residual_variance),
        baseline="common" if design.common_baseline else "free",
        retention=retention,
        **common,
    )
