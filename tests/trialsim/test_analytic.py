"""Closed forms: round trips, known relations."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.trialsim.analytic_forms import STAY, TIMES, enriched, rates, slope
from trialsim import analytic
from trialsim.analytic import DesignPoint
from trialsim.analytic.point import ROUNDING_RULE
from trialsim.errors import DesignError

FORMS: dict[str, tuple[Callable[..., DesignPoint], str, float]] = {
    "means": (partial(analytic.means, sd=2), "delta", 0.7),
    "means_z": (partial(analytic.means, sd=2, distribution="z"), "delta", 0.7),
    "welch": (partial(analytic.means, sd=2, sd_treatment=3), "delta", 0.9),
    "ancova": (partial(analytic.ancova, sd=2, correlation=0.6, n_covariates=3), "delta", 0.5),
    "procova": (
        partial(analytic.prognostic_ancova, sd=2, r_squared=0.3, deflation=0.9, inflation=1.1),
        "delta",
        0.5,
    ),
    "slope_free": (partial(slope, retention=STAY), "delta", 20),
    "slope_common": (partial(slope, retention=STAY, baseline="common"), "delta", 20),
    "marginal": (
        partial(analytic.marginal_slope, visit_times=TIMES, variance=4, correlation=0.5),
        "delta",
        0.5,
    ),
    "average": (
        partial(analytic.time_averaged, n_visits=4, variance=4, correlation=0.5),
        "delta",
        0.5,
    ),
    "mmrm": (
        partial(analytic.mmrm, sd=2, correlation=analytic.ar1(0.7, 5), retention=STAY),
        "delta",
        0.5,
    ),
    "mmrm_t": (
        partial(analytic.mmrm, sd=2, correlation=analytic.exchangeable(0.7, 5), distribution="t"),
        "delta",
        0.9,
    ),
    "enrichment": (enriched, "slowing", 0.25),
    "enrichment_adjusted": (partial(enriched, adjust_for_score=True), "slowing", 0.25),
    "binary": (rates, "reduction", 0.25),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("allocation_ratio", [1.0, 2.0, 0.5])
def test_solving_for_any_of_the_three_gives_the_other_two(
    name: str, allocation_ratio: float
) -> None:
    form, effect, value = FORMS[name]
    form = partial(form, allocation_ratio=allocation_ratio)
    sized = form(**{effect: value}, power=0.85)
    powered = form(**{effect: value}, n_control=sized.n_control)
    detected = form(n_control=sized.n_control, power=0.85)
    assert sized.n_treatment == pytest.approx(allocation_ratio * float(sized.n_control))
    assert powered.power == pytest.approx(0.85, abs=1e-8)
    assert getattr(detected, effect) == pytest.approx(value, rel=1e-7)


@pytest.mark.parametrize("name", FORMS)
def test_array_gives_what_its_elements_give(name: str) -> None:
    form, effect, value = FORMS[name]
    sizes = np.array([40.0, 90.0, 300.0])
    powers = form(**{effect: value}, n_control=sizes).power
    alone = [form(**{effect: value}, n_control=size).power for size in sizes]
    assert np.asarray(powers) == pytest.approx(alone)
    back = form(**{effect: value}, power=powers).n_control
    assert np.asarray(back) == pytest.approx(sizes, rel=1e-6)


def test_several_models_are_answered_at_once() -> None:
    correlations = np.stack([analytic.ar1(rho, 5) for rho in (0.3, 0.7)])
    asked = partial(analytic.mmrm, delta=0.5, retention=STAY, power=0.8)
    both = asked(sd=np.array([1.0, 2.0]), correlation=correlations)
    each = [asked(sd=sd, correlation=own) for sd, own in zip((1, 2), correlations, strict=True)]
    for name in ("n_control", "variance_inflation_control"):
        assert getattr(both, name) == pytest.approx([getattr(one, name) for one in each])
    slopes = [4900.0, 2500.0]
    many = slope(delta=20, power=0.8, retention=STAY, slope_variance=np.array(slopes))
    alone = [slope(delta=20, power=0.8, retention=STAY, slope_variance=own) for own in slopes]
    assert many.n_control == pytest.approx([one.n_control for one in alone])
    with pytest.raises(DesignError, match=r"\(5600\), got 5700"):
        slope(delta=20, power=0.8, intercept_slope_covariance=np.array([5600.0, 5700.0]),
              slope_variance=196.0)  # fmt: skip


@pytest.mark.parametrize("name", ["means", "welch", "ancova", "mmrm_t"])
def test_two_sided_power_is_alpha_when_effect_is_zero(name: str) -> None:
    form, effect, _ = FORMS[name]
    assert form(**{effect: 0.0}, n_control=30, alpha=0.1).power == pytest.approx(0.1)


def test_t_needs_more_people_than_z() -> None:
    t = analytic.means(delta=0.5, sd=1, power=0.9)
    z = analytic.means(delta=0.5, sd=1, power=0.9, distribution="z")
    assert z.n_control < t.n_control < z.n_control + 2


def test_welch_with_equal_sds_loses_no_power_in_equal_arms() -> None:
    pooled = analytic.means(delta=0.5, sd=1, n_control=50)
    welch = analytic.means(delta=0.5, sd=1, sd_treatment=1, n_control=50)
    assert welch.power == pytest.approx(pooled.power, abs=1e-12)


def test_ancova_without_correlation_pays_for_its_covariates() -> None:
    plain = analytic.means(delta=0.5, sd=1, power=0.8)
    adjusted = analytic.ancova(delta=0.5, sd=1, correlation=0, n_covariates=5, power=0.8)
    none = analytic.ancova(delta=0.5, sd=1, correlation=0, n_covariates=0, power=0.8)
    assert adjusted.n_control > plain.n_control
    assert none.n_control == pytest.approx(plain.n_control)


def test_each_covariate_costs_precision_and_a_degree_of_freedom() -> None:
    point = analytic.ancova(delta=1.0, sd=1.0, correlation=0.0, n_covariates=2, n_control=20)
    # two covariates that arms of 40 people differ in by chance: 37 / 35 of the variance 2 / n
    distance, critical = 1 / np.sqrt(0.1 * 37 / 35), stats.t.isf(0.025, 36)
    shown = stats.nct.sf(critical, 36, distance) + stats.nct.cdf(-critical, 36, distance)
    assert point.power == pytest.approx(shown)


def test_events_of_unequal_arms_are_pooled_by_their_people() -> None:
    # Fleiss, Levin & Paik 2003, chapter 4: 0.4 of one arm, 0.2 of another twice as large
    point = analytic.binary_enrichment(
        event_rate=0.4, reduction=0.5, allocation_ratio=2.0, power=0.8
    )
    pooled = (0.4 + 2 * 0.2) / 3
    z_alpha, z_beta = stats.norm.isf([0.025, 0.2])
    root = z_alpha * np.sqrt(1.5 * pooled * (1 - pooled)) + z_beta * np.sqrt(0.24 + 0.16 / 2)
    assert point.n_control == pytest.approx((root / 0.2) ** 2)


def test_common_baseline_never_needs_more_people() -> None:
    for covariance in (-20000, 0, 5600, 20000):
        free = slope(delta=20, power=0.8, intercept_slope_covariance=covariance)
        common = slope(
            delta=20, power=0.8, intercept_slope_covariance=covariance, baseline="common"
        )
        assert common.n_control <= free.n_control


def test_slope_without_drop_out_is_edlands_formula() -> None:
    spread = np.sum((np.array(TIMES) - 1.0) ** 2)
    variance = 4900 + 3600 / spread
    as_change = analytic.means(delta=20, sd=np.sqrt(variance), power=0.8, distribution="z")
    assert slope(delta=20, power=0.8).n_control == pytest.approx(as_change.n_control)


def test_drop_out_costs_less_than_its_share_where_visits_correlate() -> None:
    point = analytic.mmrm(
        delta=0.5, sd=1, correlation=analytic.ar1(0.7, 4), retention=[1, 0.9, 0.8, 0.7], power=0.8
    )
    assert 1 < point.variance_inflation_control < 1 / 0.7


def test_average_of_uncorrelated_visits_is_a_mean_of_smaller_variance() -> None:
    average = analytic.time_averaged(delta=0.5, n_visits=4, variance=1, correlation=0, power=0.8)
    single = analytic.means(delta=0.5, sd=0.5, power=0.8, distribution="z")
    assert average.n_control == pytest.approx(single.n_control)


def test_selected_decline_matches_simulation() -> None:
    rng = np.random.default_rng(20260101)
    n, rho, fraction = 200_000, 0.6, 0.3
    score = rng.standard_normal(n)
    decline = 100 + 80 * (rho * score + np.sqrt(1 - rho**2) * rng.standard_normal(n))
    chosen = score >= np.quantile(score, 1 - fraction)
    point = enriched(score_correlation=rho, fraction_enrolled=fraction, slowing=0.2, power=0.8)
    standard_error = 80 / np.sqrt(chosen.sum())
    assert point.mean_selected == pytest.approx(decline[chosen].mean(), abs=4 * standard_error)
    assert point.sd_selected == pytest.approx(decline[chosen].std(), abs=4 * standard_error)
    correlation = np.corrcoef(score[chosen], decline[chosen])[0, 1]
    assert point.residual_correlation == pytest.approx(correlation, abs=4 / np.sqrt(chosen.sum()))


def test_enrolling_everyone_is_a_plain_comparison_that_pays_for_screening() -> None:
    point = enriched(
        fraction_enrolled=1.0, slowing=0.25, power=0.8, screening_cost=10, participant_cost=100
    )
    plain = analytic.means(delta=25, sd=80, power=0.8, distribution="z")
    assert point.n_control == pytest.approx(plain.n_control)
    assert point.cost == pytest.approx(110 * point.n_total)


def test_adjusting_for_the_score_is_ancova_among_the_selected() -> None:
    people = {"mean_decline": 200.0, "sd_decline": 150.0, "score_correlation": 0.6}
    found = analytic.prognostic_enrichment(
        **people, fraction_enrolled=0.4, slowing=0.3, power=0.9, adjust_for_score=True
    )
    again = analytic.ancova(
        delta=found.delta,
        sd=found.sd_selected,
        correlation=found.residual_correlation,
        power=0.9,
        distribution="z",
    )
    assert found.n_control == pytest.approx(again.n_control)


def test_slowing_only_what_exceeds_normal_ageing_needs_more_people() -> None:
    ordinary = enriched(slowing=0.25, power=0.8)
    above = enriched(slowing=0.25, power=0.8, normal_decline=40)
    assert above.n_control > ordinary.n_control
    assert above.delta == pytest.approx(0.25 * (above.mean_selected - 40))


@pytest.mark.parametrize(("screening_cost", "adjust"), [(1000, False), (1000, True), (50, False)])
def test_optimal_fraction_is_no_dearer_than_any_on_a_fine_grid(
    screening_cost: float, adjust: bool
) -> None:
    people: dict[str, Any] = {"mean_decline": 100, "sd_decline": 80, "score_correlation": 0.5}
    people |= {"slowing": 0.25, "power": 0.8, "screening_cost": screening_cost}
    people |= {"participant_cost": 20000, "adjust_for_score": adjust}
    best = analytic.optimal_fraction(**people)
    grid = analytic.prognostic_enrichment(fraction_enrolled=np.linspace(0.01, 1, 1000), **people)
    assert best.cost <= np.min(grid.cost) * (1 + 1e-9)


def test_useless_score_makes_enrolling_everyone_cheapest() -> None:
    best = analytic.optimal_fraction(
        mean_decline=100,
        sd_decline=80,
        score_correlation=0.0,
        slowing=0.25,
        power=0.8,
        screening_cost=1000,
        participant_cost=20000,
    )
    assert best.fraction_enrolled == 1.0


def test_observed_event_rate_counts_the_top_fraction() -> None:
    rate = analytic.compute_observed_event_rate(
        scores=[0.1, 0.9, 0.5, 0.7], events=[0, 1, 0, 1], fraction_enrolled=np.array([0.5, 1.0])
    )
    assert np.asarray(rate) == pytest.approx([1.0, 0.5])


def test_binary_cost_does_not_jump_where_everyone_is_enrolled() -> None:
    fractions = np.array([1.0, 0.999999])
    rate = analytic.compute_binormal_event_rate(
        event_rate=0.2, auc=0.8, fraction_enrolled=fractions
    )
    cost = analytic.binary_enrichment(
        event_rate=rate,
        reduction=0.3,
        fraction_enrolled=fractions,
        power=0.8,
        screening_cost=5,
        participant_cost=10,
    ).cost
    assert np.ptp(cost) < 1e-3 * np.max(cost)


def test_rounding_is_up_in_each_arm_by_a_named_rule() -> None:
    size = analytic.means(delta=0.5, sd=1, power=0.8, allocation_ratio=2).rounded()
    assert size == (48, 96, 144, ROUNDING_RULE)
    exact = DesignPoint(n_control=252 + 1e-10, n_treatment=252, n_total=504, power=0.8, delta=1)
    assert exact.rounded().n_control == 252


def test_point_becomes_json_or_a_table() -> None:
    point = analytic.means(delta=0.5, sd=1, n_control=np.array([50.0, 60.0]))
    assert json.loads(json.dumps(point.to_dict()))["n_total"] == [100.0, 120.0]
    assert point.to_frame()["delta"].tolist() == [0.5, 0.5]


def test_huge_effect_still_asks_for_two_people_an_arm() -> None:
    point = analytic.means(delta=100, sd=1, power=0.8)
    assert point.n_control == 2
    assert point.power > 0.99


def test_every_published_value_comes_out_again() -> None:
    anchors = analytic.check_anchors()
    assert len(anchors) >= 20
    assert anchors.loc[~anchors["passes"], "anchor"].tolist() == []


def test_binary_has_no_answer_where_removing_every_event_is_not_enough() -> None:
    with pytest.raises(DesignError, match="no event at all"):
        rates(n_control=5, power=0.99)


def test_drop_out_divides_the_sample_size() -> None:
    whole = analytic.means(delta=0.9, sd=1, power=0.8)
    shared = analytic.means(delta=0.9, sd=1, power=0.8, retention=0.8)
    assert shared.n_control == pytest.approx(whole.n_control / 0.8)
    assert analytic.means(delta=0.9, sd=1, n_control=50, retention=0.8).power == pytest.approx(
        analytic.means(delta=0.9, sd=1, n_control=40).power
    )


def test_drop_out_of_one_arm_is_that_of_fewer_people_there() -> None:
    shared = analytic.ancova(
        delta=0.5, sd=1, correlation=0.6, n_control=60, retention=0.9, retention_treatment=0.6
    )
    direct = analytic.ancova(
        delta=0.5, sd=1, correlation=0.6, n_control=54, allocation_ratio=36 / 54
    )
    assert shared.power == pytest.approx(direct.power)
    assert (shared.n_control, shared.n_treatment) == (60, 60)


def test_huge_effect_is_not_shown_by_one_person_an_arm() -> None:
    point = analytic.means(delta=50, sd=1, power=0.8, distribution="z")
    assert point.rounded().n_control == 2
    assert point.power == pytest.approx(1)


def test_retention_must_be_a_share() -> None:
    with pytest.raises(DesignError, match="retention"):
        analytic.means(delta=0.5, sd=1, power=0.8, retention=1.2)


@pytest.mark.parametrize("distribution", ["z", "t"])
def test_who_is_not_measured_is_enrolled_besides_in_an_enriched_trial(distribution: str) -> None:
    people = {
        "mean_decline": 100, "sd_decline": 100, "score_correlation": 0.5, "slowing": 0.25,
        "fraction_enrolled": 0.3, "screening_cost": 10, "distribution": distribution,
    }  # fmt: skip
    whole = analytic.prognostic_enrichment(power=0.8, **people)
    left = analytic.prognostic_enrichment(power=0.8, retention=0.8, **people)
    for name in ("n_control", "n_treatment", "n_total", "n_to_screen", "cost"):
        assert getattr(left, name) == pytest.approx(getattr(whole, name) / 0.8)
    again = analytic.prognostic_enrichment(n_control=left.n_control, retention=0.8, **people)
    assert again.power == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("scores", "rates"),
    [([1, 1, 1, 1], [0.5, 0.5, 0.5]), ([2, 1, 1, 1], [1, (1 + 1 / 3) / 2, 0.5])],
)
def test_observed_event_rate_of_equal_scores_is_that_of_everyone_who_has_them(
    scores: list[float], rates: list[float]
) -> None:
    found = analytic.compute_observed_event_rate(
        scores=scores, events=[1, 1, 0, 0], fraction_enrolled=np.array([0.25, 0.5, 1.0])
    )
    assert np.asarray(found) == pytest.approx(rates)
