"""The looks of the people that a strategy enrolls, beside the sample size of one analysis."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

from cohorts.schema import validate_table
from trialsim.analytic import LookPlan, group_sequential
from trialsim.comparison.closed_form import compute_model_moments, compute_sample_size
from trialsim.costs import Costs
from trialsim.design import DropOut, TrialDesign
from trialsim.errors import DesignError
from trialsim.events import Event
from trialsim.interim.candidate import (
    Enrolled,
    compare_enriching,
    plan_candidate,
    plan_enriching,
    simulate_candidate,
    tabulate_candidate_expectations,
    tabulate_candidate_looks,
)
from trialsim.interim.endpoint import get_sd
from trialsim.interim.increments import correlate_plan, find_dependence
from trialsim.interim.plan import InterimPlan, build_interim
from trialsim.interim.reestimation import tabulate_reestimation
from trialsim.simulation import GrowthModel
from trialsim.simulation.effects import Estimand
from trialsim.simulation.looks import SimulatedLooks
from trialsim.simulation.performance import compute_characteristics
from trialsim.simulation.stopping import find_stops
from trialsim.simulation.trials import Fits, simulate_trials

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


def people(slope: float = -5.0, fraction: float = 1.0, score_slope: float = 0.0) -> Enrolled:
    scores = np.repeat([-1.0, 1.0], 5)
    model = GrowthModel(
        3000.0,
        slope,
        0.0,
        score_slope,
        np.array([[160_000.0, 1000.0], [1000.0, 20.0]]),
        2500.0,
        np.array(MONTHS),
        scores if score_slope else np.zeros(10),
    )
    return Enrolled("regression", fraction, True, model, compute_model_moments(model))


@pytest.mark.parametrize(
    "analysis", ["change", "ancova", "random_slope", "mmrm", "random_slope_score", "mmrm_score"]
)
def test_maximum_size_is_that_of_one_analysis_times_the_inflation(analysis: str) -> None:
    interim, asked = InterimPlan((0.5, 1.0)), design(analysis)
    enrolled = people(score_slope=3.0 if analysis.endswith("score") else 0.0)
    plan = plan_candidate(enrolled, asked, interim, COSTS)
    single = compute_sample_size(analysis, enrolled.moments, asked)
    inflation = group_sequential([0.5, 1]).inflation_factor
    # one by z, the other by t, each arm a whole person
    assert plan.n_control == pytest.approx(single * inflation, abs=4)
    assert plan.n_control == int(plan.n_control)


def test_looks_add_to_the_people_that_simulated_trials_needed() -> None:
    # arms of other sizes that lose other shares, so that none stands for the other
    asked = design(allocation_ratio=2.0).change(dropout=DropOut(control=0.3, treatment=0.1))
    interim, plain = InterimPlan((0.5, 1.0)), people()
    found = plain.calibrate(asked, n_control=300.0, estimate=1.0)
    plan = plan_candidate(found, asked, interim, COSTS)
    inflation = group_sequential([0.5, 1]).inflation_factor
    assert plan.n_total == np.ceil(300 * inflation) + np.ceil(600 * inflation)
    assert plan.design.power == pytest.approx(0.8, abs=0.002)
    # the closed form knows the difference, so all else is its error's
    assert plan.delta == plan_candidate(plain, asked, interim, COSTS).delta


def test_looks_add_to_the_people_that_are_proposed() -> None:
    asked, interim = design(), build_interim({"looks": [0.5, 1], "reestimation": "blinded"})
    found = people(-7.0, 0.3).calibrate(asked, n_control=100.0, estimate=1.0)
    proposed, everyone = replace(found, proposed=1.2), people()
    plans = [plan_candidate(one, asked, interim, COSTS) for one in (found, proposed)]
    inflation = group_sequential([0.5, 1]).inflation_factor
    assert plans[1].n_control == np.ceil(120 * inflation)
    # the people are as they were found: more of them have more power
    drift = plans[0].design.drift * np.sqrt(plans[1].n_total / plans[0].n_total)
    assert plans[1].design.drift == pytest.approx(drift)
    planned = [
        tabulate_reestimation(one, plan, asked, interim, seed=2, n_simulations=500)
        for one, plan in zip((found, proposed), plans, strict=True)
    ]
    assert planned[1]["planned_n"].iloc[0] == pytest.approx(
        1.2 * planned[0]["planned_n"].iloc[0], abs=2
    )
    assert planned[1]["maximum_n"].iloc[0] == 2 * plans[1].n_total
    enriched = [
        compare_enriching(one, everyone, asked, interim, COSTS, seed=1, n_simulations=2000)
        for one in (found, proposed)
    ]
    people_of = [table["maximum_n"].iloc[0] for table in enriched]
    assert people_of[1] == pytest.approx(1.2 * people_of[0], abs=2)


def test_looks_of_trials_without_a_closed_form_are_those_of_simulated_ones() -> None:
    # a third of the treated stop treatment and lose the effect: the closed form knows it of nobody
    asked = design(discontinuation=Event(treatment=0.33, strategy="treatment_policy"))
    interim = InterimPlan((0.5, 1.0))
    trials = simulate_trials(
        people().model, asked, [(250, 250)], seed=1, replicates=range(400), workers=1
    )
    (row,) = compute_characteristics(trials, "mmrm", asked)
    wanted, had = special.ndtri([0.8, row["power"]]) - special.ndtri(0.025)
    needed, estimate = 250 * (wanted / had) ** 2, row["true_difference"] + row["bias"]
    calibrated = people().calibrate(asked, n_control=float(needed), estimate=estimate)
    plan = plan_candidate(calibrated, asked, interim, COSTS)
    assert plan.n_control >= needed
    assert plan.delta == pytest.approx(estimate)
    looked = simulate_candidate(
        calibrated, plan, asked, interim, COSTS, n_simulations=400, seed=2, workers=1
    )
    whole = tabulate_candidate_expectations(
        calibrated, plan, looked, asked, interim, COSTS
    ).set_index("effect").loc["whole"]  # fmt: skip
    # the size is known to about a tenth from 400 trials, which is 3 % of power
    error = float(np.hypot(0.03, whole["simulated_power_mcse"]))
    assert whole["simulated_power"] == pytest.approx(whole["power"], abs=3 * error)
    blind = plan_candidate(people(), asked, interim, COSTS)
    assert plan.n_control > 1.2 * blind.n_control


def test_reestimation_counts_the_people_of_unequal_arms() -> None:
    interim = build_interim({"looks": [0.5, 1], "reestimation": "blinded"})
    asked = design(allocation_ratio=3.0)
    plan = plan_candidate(people(), asked, interim, COSTS)
    table = tabulate_reestimation(people(), plan, asked, interim, seed=2, n_simulations=500)
    inflation = group_sequential([0.5, 1]).inflation_factor
    assert table["planned_n"].iloc[0] * inflation == pytest.approx(plan.n_total, abs=4)
    assert table["maximum_n"].iloc[0] == 2 * plan.n_total


def test_tables_hold_what_was_planned_and_simulated() -> None:
    interim = InterimPlan((0.4, 1.0), futility={"z": [0.2]})
    asked, half = design(), people(fraction=0.5)
    plan = plan_candidate(half, asked, interim, COSTS)
    simulated = simulate_candidate(
        half, plan, asked, interim, COSTS, n_simulations=150, seed=3, workers=1
    )
    looks = tabulate_candidate_looks(half, plan, simulated, asked, interim)
    expected = tabulate_candidate_expectations(half, plan, simulated, asked, interim, COSTS)
    validate_table(looks, "looks")
    validate_table(expected, "look_expectations")
    error = 4 * looks["simulated_stop_efficacy_whole_mcse"] + 0.01
    gap = (looks["simulated_stop_efficacy_whole"] - looks["stop_efficacy_whole"]).abs()
    assert (gap < error).all()
    whole = expected.set_index("effect").loc["whole"]
    # half of those screened are enrolled
    assert whole["expected_cost"] == pytest.approx(22_000 * whole["expected_n"])
    assert whole["expected_months"] < whole["maximum_months"]
    assert "non-binding" in whole["paragraph"]


def test_accrual_follows_from_screening_unless_it_is_stated() -> None:
    half = people(fraction=0.5)
    assert half.get_accrual(InterimPlan((0.5, 1.0)), COSTS) == 15
    assert half.get_accrual(InterimPlan((0.5, 1.0), accrual_per_month=7.0), COSTS) == 7
    failing = replace(COSTS, failure_rate=0.6)
    assert half.get_accrual(InterimPlan((0.5, 1.0)), failing) == pytest.approx(6)
    with pytest.raises(DesignError, match="how fast"):
        half.get_accrual(InterimPlan((0.5, 1.0)), Costs())


@pytest.mark.parametrize("rule", ["blinded", "promising"])
def test_reestimation_keeps_alpha_and_shows_it(rule: str) -> None:
    interim = build_interim({"looks": [0.5, 1], "reestimation": rule})
    plan = plan_candidate(people(), design(), interim, COSTS)
    table = tabulate_reestimation(people(), plan, design(), interim, seed=2, n_simulations=4000)
    validate_table(table, "reestimation")
    none, whole = (table[table["effect"] == effect] for effect in ("none", "whole"))
    assert none["power_reestimated"].to_numpy() == pytest.approx(0.025, abs=4 * 0.0025)
    if rule == "blinded":
        # people go with the variance, each arm rounded up
        sizes = whole["expected_n"] / whole["planned_n"]
        assert sizes.to_numpy() == pytest.approx([1, 1.44], rel=0.02)
        # a fifth more spread: the planned size loses power, the re-estimated one does not
        assert whole["power_reestimated"].to_numpy() == pytest.approx(0.8, abs=0.04)
        assert whole["power_planned"].iloc[1] < 0.72
    else:
        assert whole["power_reestimated"].iloc[0] > whole["power_planned"].iloc[0] + 0.02
        assert plan.n_total < whole["expected_n"].iloc[0] < table["maximum_n"].iloc[0]


def test_a_promising_zone_without_more_people_expects_those_of_the_plan() -> None:
    interim = build_interim(
        {"looks": [0.5, 1], "reestimation": "promising", "reestimation_maximum": 1.0}
    )
    plan = plan_candidate(people(), design(), interim, COSTS)
    table = tabulate_reestimation(people(), plan, design(), interim, seed=2, n_simulations=100)
    expected = plan.tabulate_expectations()["expected_n"]
    assert table["expected_n"].to_numpy() == pytest.approx(expected.to_numpy())


def test_bounds_follow_the_correlation_of_an_estimator_that_is_not_efficient() -> None:
    interim = InterimPlan((0.5, 1.0), efficacy="lan_demets_pocock")
    plan = plan_candidate(people(), design(), interim, COSTS)
    # Z at half of the information would correlate .71 with the last one were it efficient
    n, truth = 60_000, np.array([[1.0, 0.3], [0.3, 1.0]])
    z = np.linalg.cholesky(truth) @ np.random.default_rng(4).standard_normal((2, n))
    fits = Fits(z, np.ones((2, n)), np.full((2, n), np.inf), z > -99, z > 99)
    estimand = Estimand(np.zeros(4), np.array(MONTHS))
    simulated = SimulatedLooks({}, {"mmrm": fits}, z, z, np.stack([z, z], axis=-1), estimand)
    followed = correlate_plan(plan, simulated, "mmrm")
    error = np.sqrt(0.025 * 0.975 / n)

    def count_errors(bounds: LookPlan) -> float:
        stops = find_stops(z, bounds.design.efficacy_z, np.full(2, -np.inf))
        return float(stops.efficacy.mean())

    assert count_errors(plan) > 0.025 + 4 * error
    assert count_errors(followed) == pytest.approx(0.025, abs=4 * error)
    told = find_dependence(plan, simulated, "mmrm")
    assert told is not None
    assert "Z at looks 1 and 2 correlates" in told
    with pytest.raises(DesignError, match="need independent increments"):
        followed.design.conditional_power(1, 1.0)


@pytest.mark.parametrize(("errors", "is_told"), [(-3.9, False), (4.1, True)])
def test_dependence_is_told_beyond_four_standard_errors(errors: float, is_told: bool) -> None:
    plan = plan_candidate(people(), design(), InterimPlan((0.5, 1.0)), COSTS)
    n, independent = 10_000, float(np.sqrt(plan.design.information_rates[0]))
    # the standard error of a correlation rho of n pairs is (1 - rho^2) / sqrt(n)
    rho = independent + errors * (1 - independent**2) / np.sqrt(n)
    drawn = np.random.default_rng(4).standard_normal((2, n))
    exact = np.linalg.solve(np.linalg.cholesky(np.cov(drawn)), drawn - drawn.mean(1)[:, None])
    z = np.linalg.cholesky(np.array([[1.0, rho], [rho, 1.0]])) @ exact
    fits = Fits(z, np.ones((2, n)), np.full((2, n), np.inf), z > -99, z > 99)
    estimand = Estimand(np.zeros(4), np.array(MONTHS))
    simulated = SimulatedLooks({}, {"mmrm": fits}, z, z, np.stack([z, z], axis=-1), estimand)
    assert (find_dependence(plan, simulated, "mmrm") is not None) == is_told


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
    # a stated pace of randomization says how fast people are screened
    paced = InterimPlan((0.5, 1.0), enrichment="adaptive", accrual_per_month=9.0)
    told = compare_enriching(
        people(-7.0, 0.3), people(-5.0), design(), paced,
        Costs(screening=1000, participant=20_000), seed=1, n_simulations=5000,
    )  # fmt: skip
    pd.testing.assert_frame_equal(told, table)
    with pytest.raises(DesignError, match="leaves someone out"):
        compare_enriching(people(), people(), design(), interim, COSTS, seed=1)


def mix(fraction: float, score: float = 0.0) -> list[Enrolled]:
    """Return the selected, the rest, and everyone, whose lines differ by those of the two too."""
    lines = np.array([[2900.0, -8.0], [3000.0, -4.0]])
    away = lines[0] - lines[1]
    within, scores = np.array([[160_000.0, 1000.0], [1000.0, 20.0]]), np.repeat([-1.0, 1.0], 5)
    found = []
    for share, line, between in (
        (fraction, lines[0], 0.0),
        (1 - fraction, lines[1], 0.0),
        (1.0, lines[0] * fraction + lines[1] * (1 - fraction), fraction * (1 - fraction)),
    ):
        model = GrowthModel(
            *line, 0.0, score, within + between * np.outer(away, away), 2500.0, np.array(MONTHS),
            scores if score else np.zeros(10),
        )  # fmt: skip
        moments = compute_model_moments(model)
        found.append(Enrolled("regression", share, share < 1, model, moments))
    return found


@pytest.mark.parametrize("analysis", ["change", "ancova", "mmrm", "random_slope"])
def test_enriching_is_planned_for_the_selected_and_the_rest_of_everyone(analysis: str) -> None:
    fraction, asked = 0.3, design(analysis).change(sides=2, alpha=0.05)
    chosen, rest, everyone = mix(fraction)
    rule, population, _ = plan_enriching(chosen, everyone, asked, InterimPlan((0.5, 1.0)))
    assert population.effect == pytest.approx(everyone.expect_difference(asked))
    assert population.effect_selected == pytest.approx(chosen.expect_difference(asked))
    assert population.effect_rest == pytest.approx(rest.expect_difference(asked))
    # within the rest: that everyone varies more, since the selected decline faster, is not theirs
    sds = [get_sd(people.build_endpoint(asked), asked) for people in (rest, everyone)]
    assert population.sd_rest == pytest.approx(sds[0])
    assert sds[1] > 1.02 * sds[0]
    # the trial shows a benefit on one side
    assert (rule.design.alpha, rule.design.sides) == (0.025, 1)


@pytest.mark.parametrize("analysis", ["mmrm_score", "random_slope_score"])
def test_given_their_score_the_selected_are_as_the_rest(analysis: str) -> None:
    asked = design(analysis)
    chosen, _, _ = mix(0.3, score=3.0)
    everyone = people(-5.0, score_slope=3.0)
    _, population, _ = plan_enriching(chosen, everyone, asked, InterimPlan((0.5, 1.0)))
    sd = get_sd(everyone.build_endpoint(asked), asked)
    assert population.sd_rest == pytest.approx(sd)


def test_few_people_who_differ_by_more_than_they_vary_are_planned_as_everyone() -> None:
    asked = design()
    chosen, _, everyone = mix(0.3)
    far = replace(chosen, model=replace(chosen.model, slope=-80.0))
    _, population, _ = plan_enriching(far, everyone, asked, InterimPlan((0.5, 1.0)))
    within = 0.3 * population.sd_selected**2 + 0.7 * population.sd_rest**2
    assert within == pytest.approx(get_sd(everyone.build_endpoint(asked), asked) ** 2)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, r"looks is missing, such as \[0.5, 1\]"),
        ({"looks": [0.5, 1], "look": 2}, "look is not known; there are looks"),
        ({"looks": [0.5, 1], "by": "people"}, "by must be one of months"),
        ({"looks": ["early"]}, "wrong type"),
        ({"looks": [0.5, 1], "accrual_per_month": 0}, "accrual_per_month must be greater than 0"),
        ({"looks": [0.3, 0.6, 1], "enrichment": "adaptive"}, "chooses at one look"),
        ({"looks": [0.3, 0.6, 1], "reestimation": "promising"}, "at its only look before the last"),
        ({"looks": [0.5, 1], "reestimation_lowest": 0.95}, "must lie below reestimation_target"),
        ({"looks": [0.5, 1], "reestimation_maximum": 0.9}, "must be 1 or more, got 0.9"),
    ],
)
def test_impossible_sections_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        build_interim(values)


def test_a_look_too_early_is_told_of_the_people() -> None:
    with pytest.raises(DesignError, match="before anyone has the visit at month 18"):
        plan_candidate(people(), design(), InterimPlan((6.0,), by="months"), COSTS)
