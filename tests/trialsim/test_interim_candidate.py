"""The looks of the people that a strategy enrolls, beside the sample size of one analysis."""

import re
from typing import Any

import numpy as np
import pytest

from cohorts.schema import validate_table
from trialsim.analytic import group_sequential
from trialsim.comparison.closed_form import compute_model_moments, compute_sample_size
from trialsim.costs import Costs
from trialsim.design import DropOut, TrialDesign
from trialsim.errors import DesignError
from trialsim.interim.candidate import (
    Enrolled,
    compare_enriching,
    describe_reestimation,
    plan_candidate,
    simulate_candidate,
    tabulate_candidate_expectations,
    tabulate_candidate_looks,
)
from trialsim.interim.plan import InterimPlan, build_interim
from trialsim.simulation import GrowthModel

MONTHS = (0.0, 6.0, 12.0, 18.0)
COSTS = Costs(screening=1000, participant=20_000, screening_rate_per_month=30)


def design(analysis: str = "mmrm", **changes: Any) -> TrialDesign:
    return TrialDesign(
        visits_months=MONTHS,
        dropout=DropOut(control=0.2),
        trajectories="parametric",
        slowing=0.3,
        alpha=0.025,
        sides=1,
        analyses=(analysis,),
        **changes,
    )


def people(slope: float = -5.0, fraction: float = 1.0) -> Enrolled:
    model = GrowthModel(
        3000.0,
        slope,
        0.0,
        0.0,
        np.array([[160_000.0, 1000.0], [1000.0, 20.0]]),
        2500.0,
        np.array(MONTHS),
        np.zeros(10),
    )
    return Enrolled("regression", fraction, True, model, compute_model_moments(model))


@pytest.mark.parametrize("analysis", ["change", "ancova", "random_slope", "mmrm"])
def test_maximum_size_is_that_of_one_analysis_times_the_inflation(analysis: str) -> None:
    interim, asked = InterimPlan((0.5, 1.0)), design(analysis)
    plan = plan_candidate(people(), asked, interim, COSTS)
    single = compute_sample_size(analysis, people().moments, asked)
    inflation = group_sequential([0.5, 1]).inflation_factor
    # one by z, the other by t, each arm a whole person
    assert plan.n_control == pytest.approx(single * inflation, abs=4)
    assert plan.n_control == int(plan.n_control)


def test_tables_hold_what_was_planned_and_simulated() -> None:
    interim = InterimPlan((0.4, 1.0), futility={"z": [0.2]})
    asked = design()
    plan = plan_candidate(people(), asked, interim, COSTS)
    simulated = simulate_candidate(
        people(), plan, asked, interim, COSTS, n_simulations=150, seed=3, workers=1
    )
    looks = tabulate_candidate_looks(people(), plan, simulated, asked, interim)
    expected = tabulate_candidate_expectations(people(), plan, simulated, asked, interim, COSTS)
    validate_table(looks, "looks")
    validate_table(expected, "look_expectations")
    error = 4 * looks["simulated_stop_efficacy_whole_mcse"] + 0.01
    gap = (looks["simulated_stop_efficacy_whole"] - looks["stop_efficacy_whole"]).abs()
    assert (gap < error).all()
    whole = expected.set_index("effect").loc["whole"]
    assert whole["expected_cost"] == pytest.approx(21_000 * whole["expected_n"])
    assert whole["expected_months"] < whole["maximum_months"]
    assert "non-binding" in whole["paragraph"]


def test_accrual_follows_from_screening_unless_it_is_stated() -> None:
    half = people(fraction=0.5)
    assert half.get_accrual(InterimPlan((0.5, 1.0)), COSTS) == 15
    assert half.get_accrual(InterimPlan((0.5, 1.0), accrual_per_month=7.0), COSTS) == 7
    with pytest.raises(DesignError, match="how fast"):
        half.get_accrual(InterimPlan((0.5, 1.0)), Costs())


def test_reestimation_is_told_with_its_type_one_error() -> None:
    plan = plan_candidate(people(), design(), InterimPlan((0.5, 1.0)), COSTS)
    told = describe_reestimation(people(), plan, design(), seed=2, n_simulations=4000)
    kept, planned = (float(share) for share in re.findall(r"(\d+\.\d)%", told))
    error = float(re.findall(r"one side is (\S+)", told)[0])
    assert kept == pytest.approx(80, abs=4)
    assert planned < 72
    assert error == pytest.approx(0.025, abs=4 * 0.0025)


def test_enriching_at_the_look_keeps_alpha_and_screens_fewer() -> None:
    interim = InterimPlan((0.5, 1.0), enrichment="adaptive")
    table = compare_enriching(
        people(-7.0, 0.3), people(-5.0), design(), interim, COSTS, seed=1, n_simulations=5000
    )
    validate_table(table, "adaptive_enrichment")
    adaptive, enriched = (row for _, row in table.iterrows())
    limit = 0.025 + 4 * np.sqrt(0.025 * 0.975 / 5000)
    assert max(adaptive["type_one_error"], enriched["type_one_error"]) <= limit
    assert enriched["reject_any"] == pytest.approx(0.8, abs=0.04)
    assert adaptive["expected_screened"] < enriched["expected_screened"]
    with pytest.raises(DesignError, match="leaves someone out"):
        compare_enriching(people(), people(), design(), interim, COSTS, seed=1)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "looks is missing"),
        ({"looks": [0.5, 1], "look": 2}, "look is not known; there are looks"),
        ({"looks": [0.5, 1], "by": "people"}, "by must be one of months"),
        ({"looks": ["early"]}, "wrong type"),
        ({"looks": [0.5, 1], "accrual_per_month": 0}, "accrual_per_month must be greater than 0"),
        ({"looks": [0.3, 0.6, 1], "enrichment": "adaptive"}, "chooses at one look"),
    ],
)
def test_impossible_sections_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        build_interim(values)


def test_a_look_too_early_is_told_of_the_people() -> None:
    with pytest.raises(DesignError, match="before anyone has the visit at month 18"):
        plan_candidate(people(), design(), InterimPlan((6.0,), by="months"), COSTS)
