"""How far each assumption moves the sample size."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from scipy import optimize

from cohorts.schema import BREAK_EVEN
from trialsim.comparison.candidate_runs import CandidateRun
from trialsim.comparison.closed_form import Moments, compute_sample_size
from trialsim.costs import Costs
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.events import Rate

_COLUMNS = [
    "parameter", "low_value", "high_value", "n_control_at_low", "n_control_at_high",
    "n_control_at_base", "strategy", "fraction_enrolled", "analysis",
]  # fmt: skip


NOISES: Final = ((1.0, 2.0), (3.0, 5.0))
"""Measurement errors, percent of the volume, two a row."""

_RATIOS: Final = (0.05, 5.0)


Assumption = tuple[str, float, float, Callable[[float], tuple[Moments, TrialDesign]]]
"""Name, low and high value, what they make of moments and design."""


def tabulate_sensitivity(
    run: CandidateRun | None, runs: Sequence[CandidateRun], costs: Costs, noise_sd: float
) -> pd.DataFrame:
    """Return the table `sensitivity` of one choice, for its first analysis.

    Each assumption is moved alone: standard deviation and effect by 20 %, correlation between
    visits by 20 % of its distance from 1, drop-out by half, and the gain from selection down
    to 80 % (a score that predicts new people less well than these), the measurement error of a scan
    to 1, 2, 3 and 5 % of the volume (the choice of people is kept), and the slowing in the people
    selected to where the saving over enrolling everyone vanishes. The simulated sample size is
    scaled by the closed form.

    Parameters
    ----------
    run
        The choice; empty where it is None.
    runs
        All that were compared; those that enroll everyone say what selection changes.
    costs
        Of which the saving is; of people where nothing costs.
    noise_sd
        Measurement error of a scan in the unit of the endpoint; 0 where it is not known.
    """
    if run is None:
        return pd.DataFrame(columns=_COLUMNS)
    analysis = next(iter(run.sizes))
    base = compute_sample_size(analysis, run.moments, run.design)
    everyone = _find_everyone(runs)
    assumptions = _list_assumptions(run, None if everyone is None else everyone.moments)
    assumptions += _list_noises(run, noise_sd)
    if everyone is not None and run.candidate.is_screened:
        assumptions += _list_break_even(run, everyone, costs)
    rows = []
    for parameter, lowest, highest, build in assumptions:
        low, high = float(f"{lowest:.3g}"), float(f"{highest:.3g}")
        at = {}
        for end, value in (("low", low), ("high", high)):
            moments, design = build(value)
            try:
                ratio = compute_sample_size(analysis, moments, design) / base
            except DesignError:
                ratio = np.nan
            at[end] = run.sizes[analysis].n_control * ratio
        values = (
            parameter, low, high, at["low"], at["high"], run.sizes[analysis].n_control,
            run.candidate.strategy, run.candidate.fraction_enrolled, analysis,
        )  # fmt: skip
        rows.append(dict(zip(_COLUMNS, values, strict=True)))
    return pd.DataFrame(rows, columns=_COLUMNS)


def _list_assumptions(run: CandidateRun, everyone: Moments | None) -> list[Assumption]:
    moments, design = run.moments, run.design
    sd = float(np.sqrt(_compute_change_variance(moments)))
    correlation = _get_correlation(moments)
    left = design.compute_share_left(0)
    assumptions: list[Assumption] = [
        ("sd of change", 0.8 * sd, 1.2 * sd,
         lambda value: (_scale_sd(moments, value / sd), design)),
        ("slowing", 0.8 * design.slowing, min(1.2 * design.slowing, 0.999),
         lambda value: (moments, design.change(slowing=value))),
        ("share leaving", left / 2, min(1.5 * left, 0.95) if left else 0.2,
         lambda value: (moments, _change_dropout(design, value))),
    ]  # fmt: skip
    if moments.growth is None:
        assumptions.append(
            ("correlation between visits", 1 - 1.2 * (1 - correlation), 1 - 0.8 * (1 - correlation),
             lambda value: (_move_correlation(moments, value), design))
        )  # fmt: skip
    if everyone is not None and run.candidate.is_screened:
        assumptions.append(
            ("gain from selection", 0.8, 1.0,
             lambda value: (_deflate(moments, everyone, value), design))
        )  # fmt: skip
    return assumptions


def _list_noises(run: CandidateRun, noise_sd: float) -> list[Assumption]:
    """Return measurement errors of 1 and 2, of 3 and 5 % of the volume, where today's is known."""
    if not noise_sd:
        return []
    percent = 1.0
    if run.design.unit == "mm3":
        percent = float(run.pool.weights @ run.pool.outcome[:, 0]) / 100

    def build(value: float) -> tuple[Moments, TrialDesign]:
        added = (value * percent) ** 2 - noise_sd**2
        return _add_noise(run.moments, added), run.design

    return [
        (f"measurement error {low:g} or {high:g} % of volume", low, high, build)
        for low, high in NOISES
    ]


def _list_break_even(run: CandidateRun, everyone: CandidateRun, costs: Costs) -> list[Assumption]:
    """Return the ratio of slowing in the selected to slowing in everyone at which nothing is saved.

    Empty where nothing is saved at any ratio that leaves an effect.
    """
    design, analysis = run.design, next(iter(run.sizes))
    if analysis not in everyone.sizes:
        return []
    spent = _compute_cost(everyone, everyone.sizes[analysis].n_control, costs)
    base = compute_sample_size(analysis, run.moments, design)

    def build(ratio: float) -> tuple[Moments, TrialDesign]:
        return run.moments, design.change(slowing=ratio * design.slowing)

    def excess(ratio: float) -> float:
        size = compute_sample_size(analysis, *build(ratio)) / base
        return _compute_cost(run, run.sizes[analysis].n_control * size, costs) - spent

    largest = min(_RATIOS[1], 0.999 / design.slowing)
    at = excess(_RATIOS[0]), excess(largest)
    if not (np.isfinite(at).all() and at[0] > 0 > at[1]):
        return []
    ratio = float(optimize.brentq(excess, _RATIOS[0], largest, xtol=1e-4))
    return [(BREAK_EVEN, min(ratio, 1.0), max(ratio, 1.0), build)]


def _compute_cost(run: CandidateRun, n_control: float, costs: Costs) -> float:
    """Return the cost of a trial that need not be whole; its people where nothing costs."""
    fixed, each = costs.compute_cost_line(
        fraction_enrolled=run.candidate.fraction_enrolled,
        is_screened=run.candidate.is_screened,
        months=run.design.duration_months,
        n_visits=len(run.design.visits_months),
    )
    n_total = n_control * (1 + run.design.allocation_ratio)
    return fixed + each * n_total if costs.is_priced else n_total


def _find_everyone(runs: Sequence[CandidateRun]) -> CandidateRun | None:
    return next((run for run in runs if run.candidate.fraction_enrolled == 1.0), None)


def _add_noise(moments: Moments, variance: float) -> Moments:
    """Return moments with variance added to (taken off) every visit, as far as some is left."""
    n_visits = len(moments.covariance) - 1
    covariance = moments.covariance.copy()
    visits = covariance[:n_visits, :n_visits] + variance * np.eye(n_visits)
    values, vectors = np.linalg.eigh(visits)
    least = 1e-6 * values[-1]
    covariance[:n_visits, :n_visits] = (vectors * np.maximum(values, least)) @ vectors.T
    growth = moments.growth
    if growth is not None:
        left = max(growth.residual_variance + variance, 1e-6 * growth.residual_variance)
        growth = replace(growth, residual_variance=left)
    return replace(moments, covariance=covariance, growth=growth)


def _compute_change_variance(moments: Moments) -> float:
    last = len(moments.covariance) - 2
    c = moments.covariance
    return float(c[last, last] + c[0, 0] - 2 * c[0, last])


def _get_correlation(moments: Moments) -> float:
    last = len(moments.covariance) - 2
    c = moments.covariance
    return float(c[0, last] / np.sqrt(c[0, 0] * c[last, last]))


def _scale_sd(moments: Moments, factor: float) -> Moments:
    growth = moments.growth
    if growth is not None:
        growth = replace(
            growth,
            covariance=growth.covariance * factor**2,
            residual_variance=growth.residual_variance * factor**2,
            score_intercept=growth.score_intercept * factor,
            score_slope=growth.score_slope * factor,
        )
    return replace(moments, covariance=moments.covariance * factor**2, growth=growth)


def _move_correlation(moments: Moments, target: float) -> Moments:
    """Return moments whose visits are mixed with uncorrelated (perfectly correlated) ones."""
    n = len(moments.covariance) - 1
    sd = np.sqrt(np.diag(moments.covariance)[:n])
    visits = moments.covariance[:n, :n] / np.outer(sd, sd)
    now = _get_correlation(moments)
    if target < now:
        visits = visits * (target / now)
        np.fill_diagonal(visits, 1.0)
    else:
        weight = (target - now) / (1 - now)
        visits = (1 - weight) * visits + weight
    covariance = moments.covariance.copy()
    covariance[:n, :n] = visits * np.outer(sd, sd)
    return replace(moments, covariance=covariance)


def _change_dropout(design: TrialDesign, left: float) -> TrialDesign:
    """Return the design with every hazard of leaving multiplied so that control loses `left`."""
    now = design.compute_share_left(0)
    if not now:
        return design.change(dropout=replace(design.dropout, control=left))
    factor = np.log1p(-left) / np.log1p(-now)

    def scale(rate: Rate) -> Rate:
        if isinstance(rate, tuple):
            return tuple(float(1 - (1 - share) ** factor) for share in rate)
        return float(1 - (1 - rate) ** factor)

    dropout = design.dropout
    return design.change(
        dropout=replace(dropout, control=scale(dropout.control), treatment=scale(dropout.treated))
    )


def _deflate(moments: Moments, everyone: Moments, share: float) -> Moments:
    """Return moments that keep a share of what selection changed in the mean decline."""
    mean = everyone.true_change + share * (moments.true_change - everyone.true_change)
    return replace(moments, true_change=mean)
