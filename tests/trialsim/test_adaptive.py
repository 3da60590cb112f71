"""Decisions at a look: alpha kept, closed forms beside simulation."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from trialsim.adaptive import (
    EnrichmentRule,
    Population,
    PromisingZone,
    StageResults,
    analyze_stages,
    combine_stages,
    reestimate_blinded,
    simulate_adaptive_enrichment,
    simulate_blinded_reestimation,
    simulate_dose_selection,
)
from trialsim.adaptive.blinded import pool_variance
from trialsim.adaptive.enrichment import compare_with_enriching_from_the_start
from trialsim.adaptive.intersection import intersect
from trialsim.adaptive.stages import StageSample, draw_sample
from trialsim.analytic import group_sequential, means
from trialsim.costs import Costs
from trialsim.errors import DesignError

TWO = group_sequential([0.5, 1])
N = 20_000
ALPHA_ERROR = 4 * np.sqrt(0.025 * 0.975 / N)


def test_planned_stages_combine_to_the_z_of_everyone() -> None:
    z = np.array([1.3, 0.4, 2.0])
    rates = np.array([0.2, 0.6, 1.0])
    steps = np.sqrt(np.diff(rates, prepend=0))
    together = np.cumsum(steps * z) / np.sqrt(rates)
    assert combine_stages(norm.sf(z), rates) == pytest.approx(together)


def test_repeated_interval_ends_where_the_bound_is_met() -> None:
    stages = StageResults(np.array([0.4, 0.5]), np.array([0.2, 0.15]), np.array([30.0, 50.0]))
    found = analyze_stages(TWO, stages)
    at_end = combine_stages(stages.compute_p(found.repeated_lower[1]), TWO.information_rates)
    assert at_end[1] == pytest.approx(TWO.efficacy_z[1])
    assert found.rejected.tolist() == (found.z >= TWO.efficacy_z).tolist()
    assert (found.repeated_lower > 0).tolist() == found.rejected.tolist()


def test_extended_samples_are_samples_of_everyone() -> None:
    first = StageSample(np.array([3.0]), np.array([2.0]), np.array([2.0]))  # 1, 2, 3
    # no spread: the people added are all at 5
    for added, expected in ((0.0, [1, 2, 3]), (1.0, [1, 2, 3, 5]), (2.0, [1, 2, 3, 5, 5])):
        whole = first.extend(np.random.default_rng(0), np.array([added]), 5.0, 0.0)
        assert whole.n[0] == len(expected)
        assert whole.mean[0] == pytest.approx(np.mean(expected))
        assert whole.squares[0] == pytest.approx(np.var(expected) * len(expected))


def test_pooled_variance_needs_no_arm() -> None:
    control, treatment = np.array([1.0, 2.0, 4.0]), np.array([6.0, 7.0])
    samples = [
        StageSample(np.array([x.size]), np.array([x.mean()]), np.array([x.var() * x.size]))
        for x in (control, treatment)
    ]
    everyone = np.concatenate([control, treatment])
    assert pool_variance(*samples)[0] == pytest.approx(everyone.var(ddof=1))


def test_drawn_samples_have_the_moments_of_normal_samples() -> None:
    sample = draw_sample(np.random.default_rng(1), N, 7, 2.0, 3.0)
    assert sample.mean.mean() == pytest.approx(2, abs=4 * 3 / np.sqrt(7 * N))
    assert sample.squares.mean() / 6 == pytest.approx(9, rel=0.03)


def test_blinded_size_counts_drop_out_and_caps() -> None:
    plain = reestimate_blinded(100.0, delta=5.0, adjusted=False)
    half = reestimate_blinded(100.0, delta=5.0, adjusted=False, retention=0.5)
    capped = reestimate_blinded(100.0, delta=5.0, adjusted=False, retention=0.5, maximum=80)
    assert half.n_control_randomized == pytest.approx(2 * plain.n_control_randomized)
    assert half.n_control == plain.n_control
    assert capped.n_control_randomized == 80


def test_blinded_size_of_unequal_arms_is_that_of_the_sd_within_them() -> None:
    # of 1 to 2 people, 2/9 of the squared difference lie between the arms
    found = reestimate_blinded(100.0 + 25.0 * 2 / 9, delta=5.0, allocation_ratio=2.0)
    closed = means(delta=5.0, sd=10.0, power=0.8, allocation_ratio=2.0, distribution="z")
    assert found.sd == pytest.approx(10)
    # the closed form counts the other tail, too: 1e-6 of the power
    assert found.n_control == pytest.approx(closed.n_control, rel=1e-5)


def test_blinded_reestimation_keeps_alpha_and_saves_the_power() -> None:
    table = simulate_blinded_reestimation(
        sd=1.3, planned_sd=1.0, delta=0.5, first_stage=30, n_simulations=N
    ).set_index("effect")
    assert table.loc[0.0, "power_reestimated"] == pytest.approx(0.025, abs=ALPHA_ERROR)
    assert table.loc[1.0, "power_reestimated"] == pytest.approx(0.8, abs=0.015)
    assert table.loc[1.0, "power_planned"] < 0.6


def test_promising_zone_keeps_alpha_by_weights_and_agrees_with_simulation() -> None:
    zone = PromisingZone(group_sequential([0.5, 1], power=0.8))
    table = zone.tabulate().set_index("effect")
    assert table.loc[0.0, "power"] == pytest.approx(0.025, abs=1e-4)
    assert table.loc[1.0, "power"] > table.loc[1.0, "power_planned"]
    for effect in (0.0, 1.0):
        found = zone.simulate(effect, n_simulations=N)
        assert found["power"] == pytest.approx(table.loc[effect, "power"], abs=4 * found["mcse"])


def test_promising_zone_asks_for_no_more_than_its_target_or_cap() -> None:
    zone = PromisingZone(TWO, target=0.9, lowest=0.3, maximum=1.5)
    z = np.linspace(-1, 4, 400)
    total = zone.compute_total(z)
    assert total.min() == 1
    assert total.max() == 1.5
    inside = (total > 1) & (total < 1.5)
    needed = (TWO.efficacy_z[1] - z * np.sqrt(0.5)) / np.sqrt(0.5)
    reached = norm.cdf(z / np.sqrt(0.5) * np.sqrt(total - 0.5) - needed)
    assert reached[inside] == pytest.approx(0.9)


def test_promising_zone_without_more_people_is_its_design() -> None:
    design = group_sequential([0.4, 1], futility={"z": [0.5]})
    table = PromisingZone(design, maximum=1.0).tabulate()
    expected = design.expected_information(table["effect"].to_numpy()).of_maximum
    assert table["expected_information"].to_numpy() == pytest.approx(expected, rel=1e-6)
    assert table["power"].to_numpy() == pytest.approx(table["power_planned"].to_numpy(), rel=1e-6)
    assert not table["share_promising"].any()


def test_promising_zone_by_the_conventional_statistic_is_what_trials_give() -> None:
    zone = PromisingZone(TWO, lowest=0.3)
    rng, n = np.random.default_rng(3), 200_000
    for effect, row in zone.tabulate(statistic="conventional").set_index("effect").iterrows():
        drift = float(str(effect)) * TWO.drift
        first = drift * np.sqrt(0.5) + rng.standard_normal(n)
        total = zone.compute_total(first)
        more = total - 0.5
        score = first * np.sqrt(0.5) + drift * more + np.sqrt(more) * rng.standard_normal(n)
        wins = (first >= TWO.efficacy_z[0]) | (score >= TWO.efficacy_z[1] * np.sqrt(total))
        error = np.sqrt(wins.mean() * (1 - wins.mean()) / n)
        assert row["power"] == pytest.approx(wins.mean(), abs=4 * error)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_largest_z_is_that_of_the_multivariate_normal(n: int, rho: float) -> None:
    z = 2.1
    p = np.full((n, 1), norm.sf(z))
    law = multivariate_normal(cov=np.full((n, n), rho) + (1 - rho) * np.eye(n), seed=1)
    assert intersect(p, "dunnett", rho)[0] == pytest.approx(1 - law.cdf(np.full(n, z)), abs=3e-5)


def test_simes_and_bonferroni_are_what_they_are() -> None:
    p = np.array([[0.01], [0.04], [0.03]])
    assert intersect(p, "simes")[0] == pytest.approx(0.03)
    assert intersect(p, "bonferroni")[0] == pytest.approx(0.03)
    assert intersect(np.array([[0.02], [0.024]]), "simes")[0] == pytest.approx(0.024)


@pytest.mark.parametrize("test", ["simes", "spiessens_debois"])
def test_adaptive_enrichment_keeps_alpha(test: Any) -> None:
    rule = EnrichmentRule(TWO, test=test)
    for effects in ((0.0, 0.0), (-0.2, 0.0)):
        found = simulate_adaptive_enrichment(
            rule, Population(0.3, *effects), n_total=240, n_simulations=N
        )
        assert found.reject_any <= 0.025 + ALPHA_ERROR


def test_enrichment_follows_the_effect() -> None:
    rule = EnrichmentRule(TWO, stop_below=0.0)
    apart, alike, harm = (
        simulate_adaptive_enrichment(
            rule, Population(0.3, *effects), n_total=300, n_simulations=5000
        )
        for effects in ((0.6, 0.0), (0.4, 0.4), (-0.3, -0.3))
    )
    assert apart.chose_selected > 0.8
    assert alike.chose_selected < apart.chose_selected
    assert harm.stopped_early > 0.8
    assert harm.reject_any < 0.001


def test_the_selected_keep_alpha_whatever_the_rest_gains() -> None:
    # the rest alone makes everyone's test certain, so that of the selected is all that is left
    rule = EnrichmentRule(TWO, margin=-np.inf, success="all")
    found = simulate_adaptive_enrichment(
        rule, Population(0.3, 0.0, 5.0), n_total=240, n_simulations=N
    )
    assert found.reject_everyone == 1
    assert found.reject_selected == pytest.approx(0.025, abs=ALPHA_ERROR)
    # one rejection is enough otherwise: the trial ends at the look
    early = simulate_adaptive_enrichment(
        EnrichmentRule(TWO), Population(0.3, 0.0, 5.0), n_total=240, n_simulations=N
    )
    assert early.stopped_early == 1


def test_everyones_test_counts_the_people_of_both_kinds() -> None:
    # two of a kind in an arm, harm of the selected as large as the benefit of the rest: p of
    # everyone is uniform if its 4 degrees of freedom are right, and bonferroni doubles it
    design = group_sequential([0.5, 1], efficacy="pocock")
    rule = EnrichmentRule(design, stop_below=np.inf, test="bonferroni")
    found = simulate_adaptive_enrichment(
        rule, Population(0.5, -50.0, 50.0), n_total=16, n_simulations=N
    )
    expected = norm.sf(design.efficacy_z[0]) / 2
    assert found.reject_everyone == pytest.approx(expected, abs=4 * np.sqrt(expected / N))


def test_a_trial_of_the_selected_has_the_power_of_its_design() -> None:
    # 100 an arm of the selected, known well enough that t and z agree to a percent
    found = simulate_adaptive_enrichment(
        EnrichmentRule(TWO),
        Population(0.3, 0.5, 0.0),
        n_total=200,
        start="selected",
        n_simulations=N,
    )
    effect = 0.5 * np.sqrt(50) / TWO.drift
    expected = TWO.stop_probabilities(effect).efficacy.sum()
    assert found.reject_any == pytest.approx(expected, abs=0.015)
    assert found.chose_everyone == 0


def test_population_of_a_score_keeps_the_mean_of_everyone() -> None:
    population = Population.from_score(
        mean_decline=100, sd_decline=90, score_correlation=0.5, fraction=0.3, slowing=0.3
    )
    assert population.effect == pytest.approx(30)
    assert population.effect_selected > 30 > population.effect_rest


def test_both_ways_to_enrich_are_paid_for() -> None:
    table = compare_with_enriching_from_the_start(
        EnrichmentRule(TWO),
        Population(0.25, 0.5, 0.1),
        n_total=200,
        followup_months=24.0,
        costs=Costs(screening=1000, participant=20_000, screening_rate_per_month=20),
        n_simulations=2000,
    ).set_index("design")
    adaptive, enriched = table.loc["adaptive"], table.loc["enriched from the start"]
    for row in (adaptive, enriched):
        money = 20_000 * row["expected_n"] + 1000 * row["expected_screened"]
        assert row["expected_cost"] == pytest.approx(money)
    # enrollment waits at the look for whom to enroll: the first 100 come in 5 months, and months
    # beyond their last visits are those of the second stage, followed in its turn
    goes_on = 1 - adaptive["stopped_early"]
    second = adaptive["expected_screened"] - 100
    assert adaptive["expected_months"] == pytest.approx(5 + 24 + second / 20 + 24 * goes_on)
    # enriched from the start it does not: all 800 have been screened by the look at month 44
    assert enriched["expected_n"] == pytest.approx(200)
    assert enriched["expected_screened"] == pytest.approx(800)
    stopped = enriched["stopped_early"]
    assert enriched["expected_months"] == pytest.approx((20 + 24) * stopped + 64 * (1 - stopped))


def test_a_trial_of_the_selected_that_stops_has_enrolled_whoever_came_by_then() -> None:
    options = {"n_total": 400, "start": "selected", "n_simulations": 500}
    costs = Costs(screening_rate_per_month=10, opening_months=6, failure_rate=0.2)
    people = Population(0.5, 3.0, 0.0)  # every trial stops
    known, at_once, unknown = (
        simulate_adaptive_enrichment(EnrichmentRule(TWO), people, **options, **further)
        for further in ({"followup_months": 12.0, "costs": costs}, {"costs": costs}, {})
    )
    assert known.stopped_early == at_once.stopped_early == 1
    # 10 a month, of whom half are selected and four fifths pass
    assert known.expected_n == pytest.approx(200 + 12 * 10 * 0.5 * 0.8)
    assert at_once.expected_n == pytest.approx(unknown.expected_n) == pytest.approx(200)
    assert known.expected_months == pytest.approx(at_once.expected_months + 12)


def test_those_who_fail_screening_are_screened_too() -> None:
    everyone, two_in_five = (
        simulate_adaptive_enrichment(
            EnrichmentRule(TWO),
            Population(0.25, 0.5, 0.1),
            n_total=200,
            costs=Costs(screening=1000, failure_rate=failure_rate),
            n_simulations=500,
        )
        for failure_rate in (0.0, 0.6)
    )
    assert two_in_five.expected_screened == pytest.approx(2.5 * everyone.expected_screened)
    assert two_in_five.expected_cost == pytest.approx(2.5 * everyone.expected_cost)


@pytest.mark.parametrize("test", ["dunnett", "simes"])
def test_dose_selection_keeps_alpha_and_finds_the_best_dose(test: Any) -> None:
    none = simulate_dose_selection(
        TWO, [0.0, 0.0, 0.0], sd=1, n_per_arm=(40, 40), test=test, n_simulations=N
    )
    some = simulate_dose_selection(
        TWO, [0.0, 0.2, 0.5], sd=1, n_per_arm=(40, 40), test=test, n_simulations=N
    )
    assert none.reject_any <= 0.025 + ALPHA_ERROR
    assert some.chosen.argmax() == some.reject.argmax() == 2
    assert some.reject_any > 0.75


def test_dose_selection_stops_at_the_futility_bound_of_its_design() -> None:
    design = group_sequential([0.5, 1], futility={"z": [1.0]})
    found = simulate_dose_selection(design, [0.0, 0.0], sd=1, n_per_arm=(50, 50))
    assert found.stopped_early > 0.7
    # three arms until the look, two after it
    assert found.expected_n == pytest.approx(150 + 100 * (1 - found.stopped_early))


BAD = [
    (
        lambda: simulate_dose_selection(TWO, [0.1, np.nan], sd=1, n_per_arm=(9, 9)),
        "effects must be finite",
    ),
    (lambda: reestimate_blinded(1.0, delta=1.0, sides=3), "sides must be 1 or 2"),
    (lambda: combine_stages([0.1, 0.2, 0.3], [0.5, 1]), "at most 2 stages"),
    (lambda: combine_stages([1.2], [0.5, 1]), "between 0 and 1"),
    (lambda: combine_stages([0.1, np.nan], [0.5, 1]), "between 0 and 1 .* got .0.1, nan"),
    (lambda: combine_stages([], [0.5, 1]), "p_values must hold shares"),
    (lambda: combine_stages([0.1, 0.2], [0.5, 0.4]), "information_rates must increase"),
    (lambda: combine_stages([0.1, 0.2], [np.nan, 1]), "information_rates must increase"),
    (
        lambda: StageResults(np.array([0.1, np.nan]), np.ones(2), np.ones(2)),
        "estimate must be a finite number",
    ),
    (lambda: StageResults(np.ones(2), np.array([1, -1.0]), np.ones(2)), "se must be greater"),
    (lambda: StageResults(np.ones(2), np.ones(1), np.ones(2)), "one number for each stage"),
    (lambda: PromisingZone(TWO).simulate(1.0, n_simulations=0), "n_simulations must be 1 or more"),
    (
        lambda: simulate_blinded_reestimation(
            sd=1, planned_sd=1, delta=1, first_stage=9, n_simulations=0
        ),
        "n_simulations must be 1 or more",
    ),
    (lambda: Population(0.5, np.nan, 0.1), "effect_selected must be a finite number"),
    (lambda: EnrichmentRule(TWO, test="fisher"), "test must be one of simes"),  # type: ignore[arg-type]
    (
        lambda: simulate_adaptive_enrichment(
            EnrichmentRule(TWO), Population(0.5, 0.1, 0.1), n_total=99, followup_months=-3
        ),
        "followup_months must be 0 or more",
    ),
    (
        lambda: simulate_adaptive_enrichment(
            EnrichmentRule(TWO), Population(0.5, 0.1, 0.1), n_total=99, n_simulations=0
        ),
        "n_simulations must be 1 or more",
    ),
    (lambda: reestimate_blinded(-1.0, delta=1.0), "variance must be greater than 0"),
    (lambda: reestimate_blinded(1.0, delta=0.0), "delta must differ from 0"),
    (lambda: reestimate_blinded(1.0, delta=4.0), "take adjusted=False"),
    (lambda: reestimate_blinded(1.0, delta=1.0, minimum=9, maximum=5), "minimum must not exceed"),
    (
        lambda: simulate_blinded_reestimation(sd=1, planned_sd=1, delta=1, first_stage=1),
        "at least 2 people an arm",
    ),
    (lambda: PromisingZone(group_sequential([0.3, 0.6, 1])), "two looks, got 3 looks"),
    (lambda: PromisingZone(TWO, lowest=0.95), "lowest must lie below target"),
    (lambda: PromisingZone(TWO, maximum=0.5), "maximum must be 1 or more"),
    (lambda: Population(1.0, 0.1, 0.1), "fraction must lie between 0 and 1, both excluded"),
    (lambda: Population(0.5, 0.1, 0.1, sd_rest=0.0), "Standard deviations must be"),
    (lambda: EnrichmentRule(group_sequential([1])), "two looks, got 1 looks"),
    (
        lambda: simulate_adaptive_enrichment(
            EnrichmentRule(TWO), Population(0.02, 0.1, 0.1), n_total=40
        ),
        "fewer than 2 of a kind",
    ),
    (lambda: intersect(np.full((2, 1), 0.1), "dunnett"), "needs the correlation"),
    (lambda: intersect(np.full((2, 1), 0.1), "fisher"), "must be simes"),  # type: ignore[arg-type]
    (lambda: simulate_dose_selection(TWO, [0.1], sd=1, n_per_arm=(9, 9)), "2 to 4 doses, got 1"),
    (
        lambda: simulate_dose_selection(TWO, [0.1, 0.2], sd=1, n_per_arm=(1, 9)),
        "2 people or more in a stage",
    ),
]


@pytest.mark.parametrize(("ask", "words"), BAD)
def test_impossible_rules_are_refused(ask: Any, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        ask()
