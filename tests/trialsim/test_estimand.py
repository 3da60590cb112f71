"""Intercurrent events mean what the design says: known answers, and analyses without bias."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.trialsim.growth_model import MONTHS, build_model
from trialsim.analysis.patterns import summarize
from trialsim.design import DropOut, Event, TrialDesign, build_design
from trialsim.errors import DesignError
from trialsim.events import EVENT_STRATEGIES, EventStrategy
from trialsim.imputation import STRATEGIES, fit_imputed
from trialsim.imputation.many_trials import fit_imputed_statistics
from trialsim.simulation.effects import Estimand, compute_shift
from trialsim.simulation.intercurrent import (
    EventMonths,
    apply_strategies,
    find_month,
    lose_effect,
)
from trialsim.simulation.observing import draw_people, observe
from trialsim.simulation.performance import compute_characteristics
from trialsim.simulation.trials import SimulatedTrials, simulate_trials

Floats = NDArray[np.float64]
TIMES = np.array(MONTHS)
NEVER = np.inf
SEED = 20260101
DESIGN = TrialDesign(MONTHS, slowing=0.4, analyses=("mmrm",))


def run(design: TrialDesign, n: int = 300, size: int = 60) -> SimulatedTrials:
    return simulate_trials(
        build_model(design.visits_months),
        design,
        [(size, size)],
        seed=SEED,
        replicates=range(n),
        workers=1,
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"discontinuation": 1.5}, "discontinuation.control must be a share .* got 1.5"),
        ({"death": {"control": [0.1, 2]}}, "death.control must be a share .* got 2"),
        ({"dropout": [0.1, 1.2]}, "dropout.control must be a share .* got 1.2"),
        ({"unreadable": 1.1}, "unreadable must be a share from 0 to below 1, got 1.1"),
        ({"dropout": [0.1]}, "one for each of the 2 visits after baseline, got 1"),
        ({"adverse_event": {"rate": 1}}, "rate is not known; there are control, treatment"),
        ({"discontinuation": {"strategy": "ignore"}}, "must be one of hypothetical, treatment_pol"),
        ({"death": {"strategy": "treatment_policy"}}, "nothing is measured after a death"),
        ({"death": {"shift": -5.0}}, "death.shift must be 0, got -5"),
        ({"effect_lost_per_year": 2.0}, "effect_lost_per_year must be a share from 0 to 1, got 2"),
        ({"onset_months": 24.0}, "before the last visit at month 24, got 24"),
        ({"pseudo_atrophy": -1.0}, "pseudo_atrophy must be 0 or more, got -1"),
        ({"pseudo_atrophy_months": 36.0}, "at most the last visit's month 24, got 36"),
        (
            {"composite_worst": 0.0},
            "composite_worst must lie between 0 and 1, both excluded, got 0",
        ),
        ({"imputed_delta": -5.0}, "no analysis imputes, got -5: list one of missing_at_random"),
        (
            {"analyses": ["mmrm", "copy_increments"], "degrees_of_freedom": "kenward_roger"},
            '"kenward_roger" is not for copy_increments, whose standard error',
        ),
    ],
)
def test_events_that_cannot_be_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words) as caught:
        build_design({"visits_months": MONTHS, **values})
    assert len(caught.value.problems) == 1


def test_rates_by_visit_are_of_those_who_are_left() -> None:
    design = build_design({"visits_months": MONTHS, "dropout": {"control": [0.1, 0.5]}})
    assert design.compute_retention(0) == pytest.approx([1, 0.9, 0.45])
    assert design.compute_retention(1) == pytest.approx([1, 0.9, 0.45])
    assert np.exp(-design.compute_hazard(0) * 24) == pytest.approx(0.45)


def test_a_cumulative_hazard_is_reached_between_visits() -> None:
    level = np.array([[0.0, 0.1, 0.3, 0.5]])
    found = find_month(level, np.array([0.0, 0.2, 0.4]), TIMES)
    assert found[0].tolist() == pytest.approx([0, 6, 18, NEVER])


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(1.0, [0, 0, 0]), (0.0, [0, 6, 6]), (0.5, [0, 6 * 0.5**0.5, 6 * 0.5**1.5])],
)
def test_an_effect_is_lost_at_the_stated_rate(rate: float, expected: list[float]) -> None:
    design = DESIGN.change(effect_lost_per_year=rate)
    effect = np.array([0.0, 12.0, 24.0])
    found = lose_effect(effect, np.array([[6.0, NEVER]]), design)
    assert found[0, 0] == pytest.approx(expected)
    assert found[0, 1] == pytest.approx(effect)


def test_an_effect_has_grown_as_far_as_treatment_went() -> None:
    kept = DESIGN.change(effect_lost_per_year=0.0)
    found = lose_effect(np.array([0.0, 12.0, 24.0]), np.array([[3.0, 21.0]]), kept)
    assert found[0].tolist() == [[0, 3, 3], [0, 12, 21]]


@pytest.mark.parametrize(
    ("strategy", "value", "is_missing"),
    [
        ("hypothetical", 80.0, True),
        ("treatment_policy", 77.0, False),
        ("composite", 100.0 - 50.0, False),
        ("while_on_treatment", 90.0, False),
    ],
)
def test_each_strategy_makes_of_an_outcome_what_it_says(
    strategy: EventStrategy, value: float, is_missing: bool
) -> None:
    design = DESIGN.change(discontinuation=Event(0.1, strategy=strategy, shift=-3.0))
    outcome = np.array([[[100.0, 90.0, 80.0]]])
    never = np.array([[NEVER]])
    months = {"discontinuation": np.array([[15.0]]), "adverse_event": never, "death": never}
    found, missing = apply_strategies(
        outcome,
        EventMonths(months),
        design,
        np.array([0.0, -25.0, -50.0]),
        leaves=never,
        unreadable=np.zeros((1, 1, 3), dtype=bool),
    )
    assert found[0, 0].tolist() == [100.0, 90.0, value]
    assert missing[0, 0].tolist() == [False, False, is_missing]


def test_what_an_event_decided_before_someone_left_stays_known() -> None:
    design = DESIGN.change(
        adverse_event=Event(0.1, strategy="composite"),
        discontinuation=Event(0.1, strategy="while_on_treatment"),
    )
    outcome = np.tile([100.0, 90.0, 80.0], (1, 3, 1))
    months = {
        "discontinuation": np.array([[6.0, NEVER, 20.0]]),
        "adverse_event": np.array([[NEVER, 6.0, NEVER]]),
        "death": np.full((1, 3), NEVER),
    }
    found, missing = apply_strategies(
        outcome,
        EventMonths(months),
        design,
        np.array([0.0, -25.0, -50.0]),
        leaves=np.full((1, 3), 18.0),
        unreadable=np.zeros((1, 1, 3), dtype=bool),
    )
    assert missing[0].tolist() == [[False] * 3, [False] * 3, [False, False, True]]
    assert found[0, :2].tolist() == [[100, 100, 100], [100, 75, 50]]


@pytest.mark.parametrize("strategy", EVENT_STRATEGIES)
def test_an_analysis_finds_the_estimand_of_each_strategy(strategy: EventStrategy) -> None:
    event = Event((0.1, 0.1), (0.1, 0.3), strategy, shift=-20.0)
    design = DESIGN.change(discontinuation=event, effect_lost_per_year=0.7)
    row = compute_characteristics(run(design), "mmrm", design)[0]
    assert abs(row["bias"]) < 4 * row["bias_mcse"]
    assert row["coverage"] == pytest.approx(0.95, abs=4 * np.sqrt(0.0475 / 300))
    assert row["type_one_error"] == pytest.approx(0.05, abs=4 * np.sqrt(0.0475 / 300))


def test_the_treatment_policy_counts_what_is_left_of_the_effect() -> None:
    event = Event(0.0, 0.36, "treatment_policy")
    found = run(DESIGN.change(discontinuation=event), n=400)
    # the effect is lost at once by those who stop, 20 % by each visit
    whole = 0.4 * 14 * 24
    error = 4 * whole * 0.5 / np.sqrt(400 * 60)
    assert found.estimand.difference[-1] == pytest.approx(0.64 * whole, abs=error)
    assert run(DESIGN).estimand.difference[-1] == pytest.approx(whole)


def test_jump_to_reference_has_no_bias_where_leaving_loses_the_effect_at_once() -> None:
    design = DESIGN.change(
        dropout=DropOut(0.4),
        discontinuation=Event(strategy="treatment_policy"),
        analyses=("mmrm", "jump_to_reference", "copy_increments"),
    )
    trials = run(design, n=400)
    bias = {}
    for name in design.analyses:
        row = compute_characteristics(trials, name, design)[0]
        bias[name] = row["bias"] / row["bias_mcse"]
    assert abs(bias["jump_to_reference"]) < 4
    assert bias["mmrm"] > bias["copy_increments"] > 4


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_many_trials_are_imputed_as_finished_ones_are(strategy: str) -> None:
    rng = np.random.default_rng(SEED)
    line = rng.normal(size=(2, 44, 1)) + 0.4 * rng.normal(size=(2, 44, 1)) * np.arange(4)
    outcome = line + 0.5 * rng.normal(size=(2, 44, 4))
    arm = (np.arange(44) % 2).astype(float)
    outcome += 0.5 * arm[:, None] * np.arange(4)
    outcome[rng.exponential(size=(2, 44, 1)) * 6 < np.arange(4)] = np.nan
    outcome[0, 3, 1] = np.nan
    outcome -= outcome[..., 0].mean()
    predictors = np.ones((2, 44, 2))
    predictors[..., 1] = arm
    slow = fit_imputed(outcome[..., 1:], arm, outcome[..., :1], strategy=strategy, delta=-0.3)
    fast = fit_imputed_statistics(summarize(outcome, predictors), strategy=strategy, delta=-0.3)
    assert fast.estimate == pytest.approx(slow.estimate, rel=1e-8)
    assert fast.se == pytest.approx(slow.se, rel=0.15)


def test_the_slope_of_an_effect_is_that_of_its_regression_on_time() -> None:
    estimand = Estimand(np.array([0.0, 6.0, 6.0]), np.array([0.0, 12.0, 24.0]))
    assert estimand.get_value("random_slope") == pytest.approx(0.25)
    assert estimand.get_value("mmrm") == 6


def test_an_effect_may_begin_late_and_brains_may_shrink_first() -> None:
    change = -10.0 * TIMES
    late = compute_shift(DESIGN.change(onset_months=12.0), change)
    assert late == pytest.approx([0, 0, 0.4 * 240 / 2])
    late_at_once = compute_shift(DESIGN.change(onset_months=6.0, effect="offset"), change)
    assert late_at_once == pytest.approx([0, 96, 96])
    shrunk = compute_shift(DESIGN.change(pseudo_atrophy=20.0, pseudo_atrophy_months=24.0), change)
    assert shrunk == pytest.approx([0, 48 - 10, 96 - 20])
    with pytest.raises(DesignError, match="takes away the whole effect at the last visit, 96"):
        compute_shift(DESIGN.change(pseudo_atrophy=100.0), change)


def test_scans_cannot_be_read_as_often_as_the_design_says() -> None:
    design = DESIGN.change(unreadable=(0.2, 0.05))
    model = build_model()
    arms = tuple(
        draw_people(model, design, range(50), arm=arm, n_people=80, seed=SEED, scenario=0)
        for arm in (0, 1)
    )
    seen = observe(model, design, (arms[0], arms[1]), np.zeros(3))
    missing = np.isnan(np.concatenate(seen.outcomes)).mean(axis=(0, 1))
    assert missing[0] == 0
    assert missing[1:] == pytest.approx([0.2, 0.05], abs=4 * np.sqrt(0.16 / 8000))
    row = compute_characteristics(run(design), "mmrm", design)[0]
    assert abs(row["bias"]) < 4 * row["bias_mcse"]


def test_events_of_nobody_change_nothing() -> None:
    plain = run(DESIGN, n=20).effect["mmrm"].estimate
    other = replace(DESIGN, discontinuation=Event(0.0, strategy="composite"))
    assert np.array_equal(run(other, n=20).effect["mmrm"].estimate, plain)
