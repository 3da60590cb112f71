"""Beliefs, decisions, several endpoints, doses, margins."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from tests.trialsim.reference_fixed import average_power
from trialsim.analytic import (
    Empirical,
    GoNoGo,
    NormalPrior,
    assure,
    assure_enrichment,
    dunnett,
    elicit_prior,
    means,
    non_inferiority,
    prognostic_enrichment,
    several_endpoints,
    summarize_studies,
)
from trialsim.errors import DesignError
from trialsim.simulation.multiple_tests import simulate_doses, simulate_endpoints


def test_assurance_of_a_certain_effect_is_its_power() -> None:
    found = assure(delta=0.4, sd=1, n_control=100, distribution="t")
    power = means(delta=0.4, sd=1, n_control=100).power
    assert found.assurance == pytest.approx(power, abs=1e-6)
    assert found.power_at_means == pytest.approx(found.assurance)


@pytest.mark.parametrize("prior", [NormalPrior(0.4, 0.15), NormalPrior(0.1, 0.4)])
def test_assurance_by_draws_is_that_of_the_formula(prior: NormalPrior) -> None:
    drawn = assure(delta=prior, sd=2, n_control=80)
    formula = average_power(prior, se=2 * np.sqrt(2 / 80), alpha=0.05, sides=2)
    assert drawn.assurance == pytest.approx(formula, abs=2e-5)
    assert drawn.benefit == pytest.approx(norm.cdf(prior.mean / prior.sd), abs=2e-4)


def test_assurance_counts_every_uncertainty() -> None:
    certain = assure(delta=0.4, sd=1, n_control=100, score_correlation=0.5, dropout=0.2)
    unsure = assure(
        delta=NormalPrior(0.4, 0.1),
        sd=NormalPrior(1, 0.1),
        n_control=100,
        score_correlation=Empirical((0.3, 0.5, 0.7)),
        dropout=NormalPrior(0.2, 0.05),
    )
    seen = means(delta=0.4, sd=np.sqrt(0.75), n_control=80, distribution="z").power
    assert certain.assurance == pytest.approx(seen, abs=1e-6)
    assert unsure.assurance < unsure.power_at_means
    assert unsure.power_quantiles[0] < unsure.assurance < unsure.power_quantiles[-1]


def test_assurance_of_enrichment_asks_how_good_the_score_will_be() -> None:
    shared: dict[str, Any] = {"mean_decline": 100.0, "sd_decline": 90.0, "fraction_enrolled": 0.3}
    planned = prognostic_enrichment(slowing=0.25, score_correlation=0.5, n_control=120, **shared)
    known = assure_enrichment(slowing=0.25, score_correlation=0.5, n_control=120, **shared)
    unsure = assure_enrichment(
        slowing=0.25, score_correlation=Empirical((0.2, 0.35, 0.5)), n_control=120, **shared
    )
    assert known.assurance == pytest.approx(planned.power, abs=1e-6)
    assert unsure.assurance < known.assurance - 0.02


def test_a_meta_analysis_predicts_the_next_trial() -> None:
    alike = summarize_studies([0.3, 0.3, 0.3], [0.1, 0.1, 0.1])
    apart = summarize_studies([0.0, 0.3, 0.6], [0.1, 0.1, 0.1])
    assert (alike.mean, alike.sd) == pytest.approx((0.3, 0.1 / np.sqrt(3)))
    # variance of the three is .09, of which .01 is their own error
    assert (apart.mean, apart.sd) == pytest.approx((0.3, np.sqrt(0.08 + 0.03)), abs=1e-6)


def test_an_elicited_prior_has_the_expert_s_quantiles() -> None:
    prior = elicit_prior([0.1, 0.9], [1.0, 3.0])
    assert prior.quantile(np.array([0.1, 0.5, 0.9])) == pytest.approx([1, 2, 3])


@pytest.mark.parametrize("prior", [None, NormalPrior(0.2, 0.3)])
def test_decisions_are_as_frequent_as_simulated(prior: NormalPrior | None) -> None:
    rule, se, n = GoNoGo(0.3, 0.1, prior=prior), 0.15, 100_000
    table = rule.tabulate([0.25], se=se).iloc[0]
    estimate = 0.25 + se * np.random.default_rng(4).standard_normal(n)
    mean, sd = rule.compute_posterior(estimate, se)
    go = norm.sf((0.3 - np.asarray(mean)) / sd) >= 0.8
    stop = norm.sf((0.1 - np.asarray(mean)) / sd) <= 0.2
    error = 4 * np.sqrt(0.25 / n)
    assert table["go"] == pytest.approx(go.mean(), abs=error)
    assert table["no_go"] == pytest.approx(stop.mean(), abs=error)
    assert table[["go", "consider", "no_go"]].sum() == pytest.approx(1)


def test_two_co_primary_endpoints_need_both() -> None:
    free = several_endpoints([0.3, 0.3], [1, 1], 0.0, n_control=200).iloc[0]
    single = means(delta=0.3, sd=1, n_control=200, distribution="z").power
    assert free["power_all"] == pytest.approx(np.square(single), abs=1e-5)
    asked = several_endpoints([0.3, 0.3], [1, 1], 0.6, power=0.9).iloc[0]
    assert asked["power_all"] == pytest.approx(0.9, abs=1e-4)
    assert asked["n_control"] > np.asarray(
        means(delta=0.3, sd=1, power=0.9, distribution="z").n_control
    )


@pytest.mark.parametrize("procedure", ["co_primary", "hierarchical", "holm"])
@pytest.mark.parametrize("deltas", [[0.15, 0.2], [0.0, 0.2]])
def test_several_endpoints_agree_with_simulation(procedure: Any, deltas: list[float]) -> None:
    n = 40_000
    asked: dict[str, Any] = {"n_control": 400, "procedure": procedure, "allocation_ratio": 1.5}
    row = several_endpoints(deltas, [1, 1.2], 0.5, **asked).iloc[0]
    found = simulate_endpoints(deltas, [1, 1.2], 0.5, n_simulations=n, seed=8, **asked).iloc[0]
    for name in ("power_1", "power_2", "power_all", "power_any"):
        # t against z at 1,000 people, and four Monte Carlo errors
        assert found[name] == pytest.approx(row[name], abs=4 * found[f"{name}_mcse"] + 0.002)


def test_dunnett_agrees_with_simulation_and_keeps_alpha_at_few_people() -> None:
    asked: dict[str, Any] = {"sd": 2.0, "n_control": 300, "allocation_ratio": 0.5}
    row = dunnett([0.2, 0.5, 0.0], sd=2.0, n_control=300, allocation_ratio=0.5).iloc[0]
    found = simulate_doses([0.2, 0.5, 0.0], seed=2, **asked).iloc[0]
    for name in ("power_1", "power_2", "power_3", "power_any"):
        assert found[name] == pytest.approx(row[name], abs=4 * found[f"{name}_mcse"] + 0.002)
    few = simulate_doses([0.0, 0.0], sd=1, n_control=12, n_simulations=40_000).iloc[0]
    assert few["power_any"] == pytest.approx(0.025, abs=4 * few["power_any_mcse"] + 0.001)


def test_the_size_of_endpoints_of_very_unlike_effects_is_found() -> None:
    found = several_endpoints([0.3, 0.001], [1, 1], 0.3, procedure="holm", power=0.8)
    assert found["power_any"].iloc[0] == pytest.approx(0.8)


def test_dunnett_of_unequal_arms_has_the_bound_of_its_multivariate_normal() -> None:
    # two people in a dose for one in control: their z correlate by 2 / 3
    bound = dunnett([0.0, 0.0], sd=1, n_control=50, allocation_ratio=2.0)["critical_z"].iloc[0]
    law = multivariate_normal(cov=[[1, 2 / 3], [2 / 3, 1]], seed=1)
    assert 1 - law.cdf([bound, bound]) == pytest.approx(0.025, abs=1e-5)


def test_dunnett_holds_alpha_and_its_tables() -> None:
    # one-sided 5 %, infinite degrees of freedom: Dunnett 1955, table 1a
    for doses, printed in ((2, 1.92), (3, 2.06), (4, 2.16)):
        row = dunnett([0.0] * doses, sd=1, n_control=50, alpha=0.05).iloc[0]
        assert row["critical_z"] == pytest.approx(printed, abs=0.005)
        assert row["power_any"] == pytest.approx(0.05)
    asked = dunnett([0.2, 0.4], sd=1, power=0.9).iloc[0]
    again = dunnett([0.2, 0.4], sd=1, n_control=asked["n_control"]).iloc[0]
    assert again["power_any"] == pytest.approx(0.9)


def test_non_inferiority_is_a_test_from_the_margin() -> None:
    point = non_inferiority(margin=0.3, delta=-0.1, sd=1, power=0.8)
    assert point.n_control == pytest.approx(
        means(delta=0.2, sd=1, power=0.8, alpha=0.025, sides=1).n_control
    )


BAD = [
    (lambda: assure(delta=NormalPrior(-1, 0.1), sd=1, n_control=50), "no mass on benefit"),
    (lambda: assure(delta=0.3, sd=NormalPrior(1, 1), n_control=50), "prior of the sd must stay"),
    (lambda: assure(delta=0.3, sd=1, n_control=50, dropout=1.2), "drop-out must stay"),
    (lambda: assure(delta=0.3, sd=1, n_control=50, score_correlation=1.0), "correlation must stay"),
    (lambda: assure(delta=0.3, sd=1, n_control=0), "n_control must be greater than 0"),
    (
        lambda: assure(delta=0.3, sd=1, n_control=50, distribution="normal"),  # type: ignore[arg-type]
        "distribution must be z or t, got 'normal'",
    ),
    (lambda: assure(delta=0.3, sd=1, n_control=50, n_draws=0), "n_draws must be a whole number"),
    (lambda: assure(delta=0.3, sd=1, n_control=50, n_draws=2**40), "n_draws must be a whole"),
    (lambda: assure(delta=0.3, sd=np.nan, n_control=50), "a finite number or a prior, got nan"),
    (lambda: assure(delta="0.3", sd=1, n_control=50), "a finite number or a prior, got '0.3'"),  # type: ignore[arg-type]
    (
        lambda: assure(delta=0.3, sd=1, n_control=1, distribution="t"),
        "more than 2 people with the endpoint, got 2",
    ),
    (lambda: NormalPrior(0.0, 0.0), "an sd above 0"),
    (lambda: Empirical((1.0,)), "two finite values or more, got 1"),
    (lambda: elicit_prior([0.5, 0.4], [1, 2]), "must increase"),
    (lambda: summarize_studies([0.1], [0.1]), "two studies or more"),
    (lambda: summarize_studies([0.1, np.nan], [0.1, 0.1]), "each with a finite estimate"),
    (lambda: GoNoGo(0.1, 0.3), "minimum must not lie above target"),
    (lambda: several_endpoints([0.1], [1], 0.5, power=0.8), "2 to 4 endpoints"),
    (lambda: several_endpoints([0.1, 0.2], [1, 1], -1.5, power=0.8), "between -1 and 1"),
    (lambda: several_endpoints([0.1, -0.2], [1, 1], 0.5, power=0.8), "deltas must be above 0"),
    (lambda: several_endpoints([0.1, 0.2], [1, 1], 0.5), "Exactly one of n_control and power"),
    (
        lambda: several_endpoints([0.1, 0.2], [1, 1], 0.5, power=0.8, procedure="any"),  # type: ignore[arg-type]
        "procedure must be",
    ),
    (lambda: dunnett([0.1], sd=1, power=0.8), "2 to 4 doses"),
    (lambda: dunnett([0.0, -0.1], sd=1, power=0.8), "Some delta must be above 0"),
    (lambda: non_inferiority(margin=-0.1, sd=1, power=0.8), "margin must be greater than 0"),
    (lambda: non_inferiority(margin=0.1, delta=-0.2, sd=1, power=0.8), "above -margin"),
    (lambda: assure(delta=0.3, sd=1, n_control=50, sides=3), "sides must be 1 or 2"),
    (lambda: assure(delta=0.3, sd=1, n_control=50, allocation_ratio=0), "allocation_ratio must"),
    (lambda: GoNoGo(0.3, 0.1, prior=NormalPrior(-5, 0.1)), "less than one chance in a million"),
    (lambda: several_endpoints([0.1, 0.2], [1, 1], 0.5, power=0.8, sides=3), "sides must be"),
    (lambda: several_endpoints([0.1, 0.2], [1, 1], 0.5, power=1e-5), "what chance alone gives"),
    (lambda: dunnett([0.1, 0.2], sd=1, power=0.02), "power must be greater than alpha"),
    (lambda: dunnett([0.1, 0.2], sd=1, power=0.8, alpha=0.7), "alpha must lie between"),
]


@pytest.mark.parametrize(("ask", "words"), BAD)
def test_impossible_questions_are_refused(ask: Any, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        ask()
