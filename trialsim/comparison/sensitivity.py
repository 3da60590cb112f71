"""How far each assumption moves the sample size."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from trialsim.comparison.candidate_runs import CandidateRun
from trialsim.comparison.closed_form import Moments, compute_sample_size
from trialsim.design import DropOut, TrialDesign
from trialsim.errors import DesignError

_COLUMNS = [
    "parameter", "low_value", "high_value", "n_control_at_low", "n_control_at_high",
    "n_control_at_base", "strategy", "fraction_enrolled", "analysis",
]  # fmt: skip


def tabulate_sensitivity(runs: Sequence[CandidateRun], sizes: pd.DataFrame) -> pd.DataFrame:
    """Return the table `sensitivity` for the cheapest attainable choice of the first analysis.

    Each assumption is moved alone: standard deviation and effect by 20 %, correlation between
    visits by 20 % of its distance from 1, drop-out by half, and the gain from selection down
    to 80 % (a score that predicts new people less well than these). The simulated sample size is
    scaled by the closed form.
    """
    run = _find_choice(runs, sizes)
    if run is None:
        return pd.DataFrame(columns=_COLUMNS)
    analysis = next(iter(run.sizes))
    base = compute_sample_size(analysis, run.moments, run.design)
    everyone = _find_everyone(runs)
    rows = []
    for parameter, lowest, highest, build in _list_assumptions(run, everyone):
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


_Build = Callable[[float], tuple[Moments, TrialDesign]]


def _list_assumptions(
    run: CandidateRun, everyone: Moments | None
) -> list[tuple[str, float, float, _Build]]:
    moments, design = run.moments, run.design
    sd = float(np.sqrt(_compute_change_variance(moments)))
    correlation = _get_correlation(moments)
    left = design.dropout.control
    assumptions: list[tuple[str, float, float, _Build]] = [
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


def _find_choice(runs: Sequence[CandidateRun], sizes: pd.DataFrame) -> CandidateRun | None:
    first = runs[0].design.analyses[0]
    known = sizes[(sizes["analysis"] == first) & sizes["is_attainable"]]
    known = known.dropna(subset=["n_control"])
    if known.empty:
        return None
    best = known.sort_values(["cost", "n_control"], kind="stable").iloc[0]
    key = (best["strategy"], best["fraction_enrolled"])
    return next(
        run for run in runs if (run.candidate.strategy, run.candidate.fraction_enrolled) == key
    )


def _find_everyone(runs: Sequence[CandidateRun]) -> Moments | None:
    whole = [run.moments for run in runs if run.candidate.fraction_enrolled == 1.0]
    return whole[0] if whole else None


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
    ratio = design.dropout.treated / design.dropout.control if design.dropout.control else 1.0
    dropout: DropOut = replace(design.dropout, control=left, treatment=min(left * ratio, 0.99))
    return design.change(dropout=dropout)


def _deflate(moments: Moments, everyone: Moments, share: float) -> Moments:
    """Return moments that keep a share of what selection changed in the mean decline."""
    mean = everyone.true_change + share * (moments.true_change - everyone.true_change)
    return replace(moments, true_change=mean)
