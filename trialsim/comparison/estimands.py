"""Bias and power under each way to deal with intercurrent events and with who left (ICH E9(R1))."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from trialsim.comparison.candidate_runs import CandidateRun, Simulation, build_outcome_model
from trialsim.design import TrialDesign
from trialsim.design_checks import EVENTS
from trialsim.events import EVENT_STRATEGIES, EventStrategy
from trialsim.imputation.strategies import STRATEGIES
from trialsim.simulation.outcomes import OutcomeModel
from trialsim.simulation.performance import compute_characteristics
from trialsim.simulation.trials import simulate_trials

_COLUMNS = [
    "strategy", "fraction_enrolled", "estimand", "analysis", "imputed_delta", "n_control",
    "n_treatment", "true_difference", "bias", "bias_mcse", "power", "mcse", "type_one_error",
    "type_one_error_mcse", "coverage", "tipping_delta",
]  # fmt: skip
_SMALLEST_ARM = 8
_STEPS = (0.5, 1.0, 1.5)
"""Deltas that are simulated, as shares of the one at which the expected trial tips."""

Row = dict[str, Any]


def tabulate_estimands(run: CandidateRun | None, simulation: Simulation) -> pd.DataFrame:
    """Return the table `estimands` of one choice, at the size found for its first analysis.

    The same people have the same events in every row. Empty where nobody leaves and no intercurrent
    event happens, because every strategy then means the same.

    Parameters
    ----------
    run
        The choice; None where none reaches the target power.
    simulation
        How trials are simulated.
    """
    if run is None or not (run.design.has_events or _loses_people(run.design)):
        return pd.DataFrame(columns=_COLUMNS)
    wanted = run.sizes[run.design.analyses[0]].n_control
    arms = (wanted, wanted * run.design.allocation_ratio)
    n_control, n_treatment = (max(_SMALLEST_ARM, math.ceil(n - 1e-9)) for n in arms)
    size = (n_control, n_treatment)
    model = build_outcome_model(run.pool, run.design)
    rows: list[Row] = []
    for strategy in list_event_strategies(run.design):
        design = deal_with_events(run.design, strategy)
        found = _simulate(model, design, size, simulation)
        if strategy == "treatment_policy":
            imputing = [name for name in STRATEGIES if name != "missing_at_random"]
            found += _simulate(model, _impute(design, imputing), size, simulation)
            found += _tip(model, design, size, simulation)
        rows += [{"estimand": strategy, **row} for row in found]
    candidate = run.candidate
    named = {"strategy": candidate.strategy, "fraction_enrolled": candidate.fraction_enrolled}
    table = pd.DataFrame([{**named, **row} for row in rows]).reindex(columns=_COLUMNS)
    # the first analysis may be one of those that impute: told once, with where it tips
    return table.drop_duplicates(["estimand", "analysis", "imputed_delta"], keep="last")


def list_event_strategies(design: TrialDesign) -> Iterator[EventStrategy]:
    """Yield the strategies that differ: without events, whether outcomes after leaving count."""
    happens = any(design.get_event(name).happens for name in EVENTS)
    for strategy in EVENT_STRATEGIES:
        if happens or strategy in ("hypothetical", "treatment_policy"):
            yield strategy


def deal_with_events(design: TrialDesign, strategy: EventStrategy) -> TrialDesign:
    """Return the design with one strategy for every event; a death has no outcomes after it."""
    changed = {
        name: replace(
            design.get_event(name),
            strategy="hypothetical"
            if name == "death" and strategy == "treatment_policy"
            else strategy,
        )
        for name in EVENTS
    }
    return design.change(analyses=design.analyses[:1], imputed_delta=0.0, **changed)


def _loses_people(design: TrialDesign) -> bool:
    return any(design.compute_share_left(arm) > 0 for arm in (0, 1))


def _impute(design: TrialDesign, names: Sequence[str], delta: float = 0.0) -> TrialDesign:
    # an imputation has no random effects
    effect = "fixed" if design.sites.effect == "random" else design.sites.effect
    return design.change(
        analyses=tuple(names),
        sites=replace(design.sites, effect=effect),
        imputed_delta=delta,
        degrees_of_freedom="satterthwaite",
        covariance="pooled",
        standard_error="model",
    )


def _simulate(
    model: OutcomeModel, design: TrialDesign, size: tuple[int, int], simulation: Simulation
) -> list[Row]:
    trials = simulate_trials(
        model,
        design,
        [size],
        seed=simulation.seed,
        replicates=range(simulation.n_simulations),
        workers=simulation.workers,
    )
    rows = [
        {
            "analysis": name,
            "imputed_delta": design.imputed_delta,
            **compute_characteristics(trials, name, design)[0],
        }
        for name in design.analyses
    ]
    # a delta is added with and without an effect: what is rejected without one is no error of the
    # test
    unknown = dict.fromkeys(("type_one_error", "type_one_error_mcse"), np.nan)
    return [{**row, **unknown} for row in rows] if design.imputed_delta else rows


def _tip(
    model: OutcomeModel, design: TrialDesign, size: tuple[int, int], simulation: Simulation
) -> list[Row]:
    """Return imputation at random missingness with deltas around where half are significant."""
    names = ["missing_at_random"]
    rows = _simulate(model, _impute(design, names), size, simulation)
    share = design.compute_share_left(1)
    effect = rows[0]["true_difference"] + rows[0]["bias"]
    bound = -special.ndtri(design.alpha / design.sides) * rows[0]["empirical_se"]
    if not (share > 0 and effect > bound):
        return rows
    for step in _STEPS:
        delta = float(f"{-step * (effect - bound) / share:.2g}")
        rows += _simulate(model, _impute(design, names, delta), size, simulation)
    tipping = _find_tipping_delta(
        np.array([row["imputed_delta"] for row in rows]), np.array([row["power"] for row in rows])
    )
    return [{**row, "tipping_delta": tipping} for row in rows]


def _find_tipping_delta(delta: np.ndarray, power: np.ndarray) -> float:
    """Return the delta at which half of the trials are significant, between simulated ones."""
    order = np.argsort(power, kind="stable")
    if not power.min() < 0.5 < power.max():
        return float("nan")
    return float(np.interp(0.5, power[order], delta[order]))
