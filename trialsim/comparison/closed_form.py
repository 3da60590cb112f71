"""Closed forms for the people of a pool, to stand beside the simulation."""

from collections.abc import Sequence
from contextlib import suppress
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
    difference = np.array([_find_difference(analysis, moments, design)])
    point = _ask(analysis, [moments], difference, design, ratio, n_control=float(n_control))
    return float(np.asarray(point.power).item())


def compute_sample_size(analysis: str, moments: Moments, design: TrialDesign) -> float:
    """Return the people needed in control for the target power; NaN where no trial reaches it.

    Not rounded. Everyone who is randomized counts, those who leave included.
    """
    return float(compute_sample_sizes(analysis, [moments], design)[0])


def compute_sample_sizes(analysis: str, moments: Sequence[Moments], design: TrialDesign) -> Floats:
    """Return `compute_sample_size` of each of several pools, (n_pools,), solved at once."""
    sizes = np.full(len(moments), np.nan)
    differences = np.full(len(moments), np.nan)
    for place, own in enumerate(moments):
        # the people of this pool do not decline: no trial shows that it is slowed
        with suppress(DesignError):
            differences[place] = _find_difference(analysis, own, design)
    declining = np.flatnonzero(np.isfinite(differences))
    if declining.size:
        kept = [moments[int(place)] for place in declining]
        sizes[declining] = _solve_sizes(analysis, kept, differences[declining], design)
    return sizes


def _solve_sizes(
    analysis: str, moments: Sequence[Moments], differences: Floats, design: TrialDesign
) -> Floats:
    try:
        point = _ask(
            analysis, moments, differences, design, design.allocation_ratio,
            power=design.target_power,
        )  # fmt: skip
    except DesignError:
        if len(moments) == 1:
            return np.array([np.nan])
        # one pool without an answer must not take the others' away: it is found by halving
        half = len(moments) // 2
        return np.concatenate([
            _solve_sizes(analysis, moments[:half], differences[:half], design),
            _solve_sizes(analysis, moments[half:], differences[half:], design),
        ])  # fmt: skip
    return _count_randomized(analysis, np.asarray(point.n_control, dtype=float), design)


def _find_difference(analysis: str, moments: Moments, design: TrialDesign) -> float:
    """Return what the analysis estimates, treatment minus control."""
    shift = compute_shift(design, moments.true_change)
    return Estimand(shift, design.times).get_value(analysis)


def _ask(
    analysis: str,
    moments: Sequence[Moments],
    differences: Floats,
    design: TrialDesign,
    ratio: float,
    **given: float,
) -> analytic.DesignPoint:
    """Return the closed form of every pool, whose numbers are (n_pools,)."""
    common: dict[str, Any] = {
        "delta": differences,
        "alpha": design.alpha,
        "sides": design.sides,
        "distribution": "t",
    }
    retention, retained = design.compute_retention(0), design.compute_retention(1)
    kind = ANALYSES[analysis]
    covariance = np.stack([own.covariance for own in moments])
    if kind.is_mixed:
        common |= {"retention_treatment": retained, "allocation_ratio": ratio, **given}
        if kind.model == "mmrm":
            return _ask_mmrm(kind, covariance, retention, common)
        growths = [own.growth for own in moments]
        return _ask_random_slope(kind, growths, design, retention, common)
    if "n_control" in given:
        given = {"n_control": given["n_control"] * retention[-1]}
    common |= {"allocation_ratio": ratio * retained[-1] / retention[-1], **given}
    return _ask_complete(kind, covariance, common)


def _count_randomized(analysis: str, n_control: Floats, design: TrialDesign) -> Floats:
    if ANALYSES[analysis].is_mixed:
        return n_control
    return np.asarray(n_control / design.compute_retention(0)[-1])


def _ask_complete(
    kind: Analysis, covariance: Floats, common: dict[str, Any]
) -> analytic.DesignPoint:
    """Analyses of the people who complete."""
    last = covariance.shape[-1] - 2
    variance = covariance[:, last, last]
    if kind.model == "change":
        change = variance + covariance[:, 0, 0] - 2 * covariance[:, 0, last]
        return analytic.means(sd=np.sqrt(change), **common)
    known = _list_covariates(kind, covariance)
    explained = _explain(covariance, known, covariance[:, [last]][:, :, known])
    return analytic.ancova(
        sd=np.sqrt(variance),
        correlation=np.sqrt(explained[:, 0, 0] / variance),
        n_covariates=len(known),
        **common,
    )


def _list_covariates(kind: Analysis, covariance: Floats) -> list[int]:
    """Return the places of baseline, and of the score where it is used."""
    return [0, covariance.shape[-1] - 1] if kind.uses_score else [0]


def _explain(covariance: Floats, known: list[int], shared: Floats) -> Floats:
    """Return the covariance of outcomes that what is known explains.

    Parameters
    ----------
    covariance
        (n_pools, n_visits + 1, n_visits + 1).
    known
        Places in it.
    shared
        Covariance of the outcomes with what is known, (n_pools, n_outcomes, n_known).
    """
    own = covariance[:, known][:, :, known]
    return np.asarray(shared @ np.linalg.solve(own, shared.transpose(0, 2, 1)))


def _ask_mmrm(
    kind: Analysis, covariance: Floats, retention: Floats, common: dict[str, Any]
) -> analytic.DesignPoint:
    """MMRM of the later visits given baseline, and the score where it is used."""
    known = _list_covariates(kind, covariance)
    later = covariance[:, 1:-1]
    residual = later[:, :, 1:-1] - _explain(covariance, known, later[:, :, known])
    sd = np.sqrt(np.diagonal(residual, axis1=1, axis2=2))
    common["retention_treatment"] = common["retention_treatment"][1:]
    return analytic.mmrm(
        sd=sd[:, -1],
        correlation=residual / (sd[:, :, None] * sd[:, None, :]),
        retention=retention[1:],
        **common,
    )


def _ask_random_slope(
    kind: Analysis,
    growths: Sequence[GrowthModel | None],
    design: TrialDesign,
    retention: Floats,
    common: dict[str, Any],
) -> analytic.DesignPoint:
    known = [growth for growth in growths if growth is not None]
    if len(known) < len(growths):
        raise DesignError("The closed form of the random-slope model needs its variances.")
    total = np.stack(
        [growth.covariance if kind.uses_score else growth.total_covariance for growth in known]
    )
    return analytic.random_slope(
        visit_times=design.times,
        slope_variance=total[:, 1, 1],
        intercept_variance=total[:, 0, 0],
        intercept_slope_covariance=total[:, 0, 1],
        residual_variance=np.array([growth.residual_variance for growth in known], dtype=float),
        baseline="common" if design.common_baseline else "free",
        retention=retention,
        **common,
    )
