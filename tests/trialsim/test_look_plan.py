"""Looks of trials with repeated measures: closed form beside simulation."""

from typing import Any

import numpy as np
import pytest

from trialsim import analytic
from trialsim.analytic import (
    Accrual,
    CompleterEndpoint,
    MmrmEndpoint,
    SlopeEndpoint,
    group_sequential,
    plan_looks,
)
from trialsim.analytic.piecewise import find_month_of
from trialsim.design import DropOut, TrialDesign
from trialsim.errors import DesignError
from trialsim.simulation import GrowthModel, simulate_trials
from trialsim.simulation.looks import SimulatedLooks, compute_z, simulate_looks
from trialsim.simulation.stopping import estimate_correlation, find_stops, tabulate_stops

MONTHS = np.array([0.0, 6.0, 12.0, 18.0])
RANDOM = np.array([[160_000.0, 1000.0], [1000.0, 20.0]])
RESIDUAL = 2500.0
DELTA = 27.0
LEAVING = -np.log(0.8) / 18


def endpoint() -> MmrmEndpoint:
    """The growth model below, given baseline."""
    design = np.column_stack([np.ones(4), MONTHS])
    covariance = design @ RANDOM @ design.T + RESIDUAL * np.eye(4)
    known = covariance[1:, 1:] - np.outer(covariance[1:, 0], covariance[0, 1:]) / covariance[0, 0]
    sd = np.sqrt(np.diag(known))
    return MmrmEndpoint(MONTHS[1:], sd=sd[-1], correlation=known / np.outer(sd, sd))


def slope() -> SlopeEndpoint:
    return SlopeEndpoint(MONTHS, RANDOM[1, 1], RESIDUAL, RANDOM[0, 0], RANDOM[0, 1])


def simulate(
    size: tuple[int, int], looks: list[float], n: int = 1500, **options: Any
) -> SimulatedLooks:
    by = {key: options.pop(key) for key in ("by", "workers", "batch_size") if key in options}
    design = TrialDesign(
        visits_months=tuple(MONTHS),
        dropout=DropOut(control=0.2),
        trajectories="parametric",
        slowing=0.3,
        **options,
    )
    model = GrowthModel(3000.0, -5.0, 0.0, 0.0, RANDOM, RESIDUAL, MONTHS, np.zeros(10))
    return simulate_looks(model, design, size, looks, accrual=20, seed=5, replicates=range(n), **by)


def test_accrual_in_periods_is_counted_and_found_again() -> None:
    accrual = Accrual((5.0, 20.0, 10.0), (0.0, 6.0, 12.0))
    assert accrual.count([3, 6, 9, 14, 100], 200).tolist() == [15, 30, 90, 170, 200]
    assert accrual.find_month([15, 30, 90, 170]).tolist() == [3, 6, 9, 14]


def test_a_look_is_the_same_by_months_completers_and_information() -> None:
    options: dict[str, Any] = {"delta": DELTA, "accrual": 20, "dropout_per_month": LEAVING}
    by_months = plan_looks(endpoint(), [28.0], by="months", **options)
    share = by_months.n_completers[0] / by_months.n_completers[1]
    by_completers = plan_looks(endpoint(), [share, 1], by="completers", **options)
    by_information = plan_looks(endpoint(), by_months.design.information_rates, **options)
    for plan in (by_months, by_completers, by_information):
        assert plan.n_total == pytest.approx(by_months.n_total, rel=1e-6)
        assert plan.months == pytest.approx(by_months.months, rel=1e-6)
        assert plan.design.power == pytest.approx(0.8, abs=1e-6)


def test_maximum_size_is_the_fixed_one_times_the_inflation() -> None:
    rates, slopes = [0.4, 0.7, 1.0], slope()
    plan = plan_looks(slopes, rates, delta=1.5, accrual=10, power=0.9, alpha=0.05, sides=2)
    fixed = analytic.random_slope(
        delta=1.5,
        visit_times=MONTHS,
        slope_variance=slopes.slope_variance,
        residual_variance=slopes.residual_variance,
        intercept_variance=slopes.intercept_variance,
        intercept_slope_covariance=slopes.intercept_slope_covariance,
        power=0.9,
    )
    inflation = group_sequential(rates, power=0.9, alpha=0.05, sides=2).inflation_factor
    assert plan.n_total == pytest.approx(fixed.n_total * inflation, rel=1e-6)


def test_expectations_lie_between_the_first_look_and_the_end() -> None:
    plan = plan_looks(
        endpoint(), [0.5, 1], delta=DELTA, accrual=20, futility={"z": [0.0]}, whole_people=True
    )
    expected = plan.tabulate_expectations()
    assert expected["power"].iloc[0] < 0.025 < expected["power"].iloc[1] < 0.81
    # without an effect half of the trials are below z = 0 at half of the information
    share = 0.5 + plan.design.cumulative_alpha[0]
    stopped = share * plan.months[0] + (1 - share) * plan.months[1]
    assert expected["expected_months"].iloc[0] == pytest.approx(stopped)
    looks = plan.tabulate_looks()
    assert looks["efficacy_effect"].tolist() == pytest.approx(
        (plan.design.efficacy_z / np.sqrt(plan.information)).tolist()
    )


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_whole_people_are_whole_in_each_arm(ratio: float) -> None:
    found, whole = (
        plan_looks(
            endpoint(),
            [0.5, 1],
            delta=DELTA,
            accrual=20,
            allocation_ratio=ratio,
            whole_people=is_whole,
        )
        for is_whole in (False, True)
    )
    assert whole.n_control == pytest.approx(np.ceil(found.n_control), abs=1e-9)
    assert whole.n_treatment == pytest.approx(np.ceil(found.n_treatment), abs=1e-9)
    assert whole.design.power > found.design.power > 0.799


def test_completers_are_those_whom_each_arm_keeps() -> None:
    plan = plan_looks(
        endpoint(),
        [0.5, 1],
        delta=DELTA,
        accrual=20,
        allocation_ratio=2.0,
        dropout_per_month=0.03,
        dropout_per_month_treatment=0.005,
    )
    kept = np.exp(-MONTHS[-1] * np.array([0.03, 0.005]))
    completers = plan.n_control * kept[0] + plan.n_treatment * kept[1]
    assert plan.n_completers[-1] == pytest.approx(completers)


def test_a_given_number_of_people_has_the_power_its_information_gives() -> None:
    asked = plan_looks(endpoint(), [0.5, 1], delta=DELTA, accrual=20)
    given = plan_looks(endpoint(), [0.5, 1], delta=DELTA, accrual=20, n_total=asked.n_total)
    smaller = plan_looks(endpoint(), [0.5, 1], delta=DELTA, accrual=20, n_total=300)
    assert given.design.power == pytest.approx(0.8, abs=1e-6)
    assert smaller.design.power < 0.7


def test_information_at_looks_is_what_simulated_trials_have() -> None:
    looks = [28.0, 34.0]
    simulated = simulate((200, 200), looks, n=800, analyses=("mmrm", "random_slope"))
    for name, model in (("mmrm", endpoint()), ("random_slope", slope())):
        plan = plan_looks(
            model,
            looks,
            by="months",
            delta=DELTA,
            accrual=20,
            n_total=400,
            dropout_per_month=LEAVING,
        )
        seen = simulated.effect[name].se ** -2.0
        assert seen.mean(axis=1) == pytest.approx(plan.information, rel=0.04)
        increments = np.sqrt(np.divide.outer(plan.information, plan.information))
        correlation = estimate_correlation(simulated.null[name])
        # 800 trials: four standard errors of a correlation
        assert correlation == pytest.approx(np.minimum(increments, 1 / increments), abs=0.12)
    assert simulated.n_enrolled.mean(axis=1) == pytest.approx([400, 400, 400], abs=1)
    assert simulated.n_completers.sum(axis=2).mean(axis=1)[:2] == pytest.approx(
        plan.n_completers[:2], rel=0.02
    )


def test_the_last_look_is_the_trial_without_looks() -> None:
    simulated = simulate((40, 40), [30.0], n=40)
    design = TrialDesign(
        visits_months=tuple(MONTHS),
        dropout=DropOut(control=0.2),
        trajectories="parametric",
        slowing=0.3,
    )
    model = GrowthModel(3000.0, -5.0, 0.0, 0.0, RANDOM, RESIDUAL, MONTHS, np.zeros(10))
    judged = design.change(degrees_of_freedom="kenward_roger")
    whole = simulate_trials(model, judged, [(40, 40)], seed=5, replicates=range(40))
    last = simulated.effect["mmrm"]
    assert last.estimate[-1] == pytest.approx(whole.effect["mmrm"].estimate[0])
    assert last.se[-1] == pytest.approx(whole.effect["mmrm"].se[0])


def test_simulated_looks_do_not_depend_on_batches() -> None:
    one = simulate((30, 30), [30.0], n=12, batch_size=5, workers=2)
    other = simulate((30, 30), [30.0], n=12, workers=1)
    assert one.effect["mmrm"].estimate == pytest.approx(other.effect["mmrm"].estimate)
    assert np.array_equal(one.months, other.months)


def test_looks_by_completers_wait_for_them_in_every_trial() -> None:
    simulated = simulate((60, 60), [0.5], n=50, by="completers", analyses=("change",))
    done = simulated.n_completers.sum(axis=2)
    assert np.all(done[0] == np.ceil(0.5 * done[1]))


def test_simulated_trials_stop_where_integration_says() -> None:
    plan = plan_looks(
        endpoint(),
        [0.4, 1],
        delta=DELTA,
        accrual=20,
        dropout_per_month=LEAVING,
        futility={"z": [0.2]},
    )
    n, size = 1500, round(plan.n_control)
    simulated = simulate((size, size), [float(plan.months[0])], n=n)
    table = tabulate_stops(simulated, plan.design, "mmrm").set_index(["effect", "look"])
    for effect in (0.0, 1.0):
        stops = plan.design.stop_probabilities(effect)
        for column, expected in (
            ("stop_efficacy", stops.efficacy),
            ("stop_futility", stops.futility),
        ):
            error = np.sqrt(expected * (1 - expected) / n)
            found = table.loc[effect, column].to_numpy()
            assert np.all(np.abs(found - expected) < 4 * error + 0.004)
    observed = tabulate_stops(
        simulated,
        plan.design,
        "mmrm",
        bounds="observed",
        maximum_information=float(plan.information[-1]),
        follow_futility=False,
    )
    null = observed[observed["effect"] == 0]
    assert null["reject_by_look"].iloc[-1] == pytest.approx(0.025, abs=4 * 0.004)
    assert null["stop_futility"].iloc[0] == 0


BOUNDARIES: list[dict[str, Any]] = [
    {},
    {"efficacy": "pocock", "sides": 2, "alpha": 0.05},
    {"efficacy": "wang_tsiatis", "efficacy_parameter": 0.25},
    {"futility": {"z": [0.0, 0.5]}, "binding": True},
]


def test_designs_stop_where_integration_says_and_conditional_power_comes_true() -> None:
    """A short form of `benchmarks/check_looks.py`."""
    options = {"delta": DELTA, "accrual": 20, "dropout_per_month": LEAVING, "n_total": 400}
    sd = 1 / np.sqrt(2 / endpoint().compute_unit_variance(np.ones(3), np.ones(3), 1.0))
    plans = [
        plan_looks(CompleterEndpoint(18.0, sd), [0.4, 0.7, 1], **options, **rules)
        for rules in BOUNDARIES
    ]
    n, looks = 2000, plans[0].months[:-1].tolist()
    simulated = simulate((200, 200), looks, n=n, analyses=("ancova",))
    for plan in plans:
        table = tabulate_stops(simulated, plan.design, "ancova").set_index(["effect", "look"])
        for effect in (0.0, 1.0):
            expected = np.concatenate(plan.design.stop_probabilities(effect))
            found = table.loc[effect, ["stop_efficacy", "stop_futility"]].to_numpy().T.ravel()
            error = np.sqrt(np.maximum(expected * (1 - expected), 1 / n) / n)
            assert np.all(np.abs(found - expected) < 4 * error)
    design = plans[0].design
    for effect, fits in ((0.0, simulated.null), (1.0, simulated.effect)):
        z = compute_z(fits["ancova"])
        going_on = z[0] < design.efficacy_z[0]
        stops = find_stops(z[:, going_on], design.efficacy_z, design.futility_z)
        said = np.asarray(design.conditional_power(1, z[0, going_on], effect))
        for group in np.array_split(np.argsort(said), 3):
            error = np.sqrt((said[group] * (1 - said[group])).sum()) / len(group)
            assert stops.efficacy[group].mean() == pytest.approx(said[group].mean(), abs=4 * error)


def test_an_analysis_that_imputes_is_refused_at_looks_and_not_at_the_end() -> None:
    with pytest.raises(DesignError, match="would impute the visits that are still to come"):
        simulate((40, 40), [28.0], n=5, analyses=("mmrm", "jump_to_reference"))
    fits = simulate((40, 40), [], n=5, analyses=("jump_to_reference",)).effect["jump_to_reference"]
    assert np.isfinite(fits.estimate).all()


def test_a_t_statistic_meets_bounds_by_its_p_value() -> None:
    n = 15_000
    simulated = simulate((10, 10), [], n=n, analyses=("change",))
    fits = simulated.null["change"]
    by_p = (compute_z(fits)[0] > 1.96).mean()
    by_t = (fits.estimate[0] / fits.se[0] > 1.96).mean()
    assert by_p == pytest.approx(0.025, abs=4 * np.sqrt(0.025 * 0.975 / n))
    assert by_t > 0.03


def test_an_early_look_counts_that_the_covariance_is_estimated() -> None:
    n = 2000
    simulated = simulate((30, 30), [19.5], n=n, analyses=("mmrm",))
    fits = simulated.null["mmrm"]
    assert simulated.n_completers[0].mean() == pytest.approx(12, abs=0.5)
    # an error that takes the covariance for known is 5 % too small there
    truth = fits.estimate[0].std() / np.sqrt(np.mean(fits.se[0] ** 2))
    assert truth == pytest.approx(1.0, abs=2 / np.sqrt(2 * n))


def test_a_failed_fit_crosses_nothing() -> None:
    z = np.array([[np.nan, 3.0, -1.0], [2.5, 0.0, 3.0]])
    stops = find_stops(z, np.array([2.8, 2.0]), np.array([0.0, 2.0]))
    assert stops.look.tolist() == [1, 0, 0]
    assert stops.efficacy.tolist() == [True, True, False]
    assert stops.futility.tolist() == [False, False, True]


def test_a_z_on_its_bound_shows_efficacy_and_no_futility() -> None:
    z = np.array([[2.8, 0.0], [0.0, 2.0]])
    stops = find_stops(z, np.array([2.8, 2.0]), np.array([0.0, 2.0]))
    assert stops.look.tolist() == [0, 1]
    assert stops.efficacy.tolist() == [True, True]
    assert not stops.futility.any()


BAD = [
    ({"looks": [10.0], "by": "months"}, "Look 1 at month 10 comes before anyone has the visit at"),
    ({"looks": [400.0], "by": "months"}, "plan earlier looks"),
    ({"looks": [90.0], "by": "months", "n_total": 300}, "after the end of the trial at month 33"),
    ({"looks": [0.5, 0.9]}, "by information must end at 1"),
    ({"looks": [0.5, 0.4, 1]}, "greater than 0 and increase"),
    ({"looks": []}, "must list numbers"),
    ({"by": "people"}, '"months", "completers" or "information", got "people"'),
    ({"delta": 0.0}, "delta must differ from 0"),
    ({"accrual": 0}, "People enrolled a month must be above 0"),
    ({"dropout_per_month": -0.1}, "dropout_per_month must be 0 or more"),
    ({"futility": {"z": [9.0]}}, "must not lie above the efficacy bound"),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_impossible_plans_are_refused(change: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"looks": [0.5, 1], "delta": DELTA, "accrual": 20} | change
    with pytest.raises(DesignError, match=words):
        plan_looks(endpoint(), given.pop("looks"), **given)


def test_impossible_endpoints_and_accruals_are_refused() -> None:
    for build, words in (
        (lambda: Accrual((1.0, 2.0), (0.0,)), "one rate a period"),
        (lambda: Accrual((1.0, 2.0), (1.0, 2.0)), "start at month 0"),
        (
            lambda: MmrmEndpoint([6, 12], sd=1, correlation=[[1, 1.2], [1.2, 1]]),
            "correlation must be positive definite",
        ),
        (lambda: MmrmEndpoint([12, 6], sd=1, correlation=np.eye(2)), "increase"),
        (lambda: SlopeEndpoint([0, 6, 12], -1.0, 2.0), "slope_variance must be 0 or more"),
        (lambda: simulate((40, 40), [2.0], by="completers"), "must lie between 0 and 1"),
        (lambda: simulate((4, 40), [20.0]), "at least 5 people"),
    ):
        with pytest.raises(DesignError, match=words):
            build()
    design = group_sequential([0.5, 1])
    with pytest.raises(DesignError, match="2 looks, 1 were simulated"):
        tabulate_stops(simulate((20, 20), [], n=4), design, "mmrm")


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_no_closed_form_has_an_arm_of_fewer_than_two_people(ratio: float) -> None:
    asked: dict[str, Any] = {"power": 0.8, "allocation_ratio": ratio}
    endpoints = analytic.several_endpoints([10, 10], [1, 1], 0.4, **asked).iloc[0]
    doses = analytic.dunnett([10, 10], sd=1, **asked).iloc[0]
    looks = plan_looks(endpoint(), [0.5, 1], delta=5000, accrual=10, **asked)
    fewest = 2 / min(1, ratio)
    assert endpoints["n_control"] == doses["n_control"] == fewest
    assert looks.n_control == pytest.approx(fewest)
    assert min(endpoints["power_all"], doses["power_any"], looks.design.power) > 0.99


def test_a_total_is_reached_before_periods_without_a_rate() -> None:
    months = find_month_of((5.0, 0.0, 2.0), (0.0, 6.0, 12.0), [0.0, 30.0, 32.0])
    assert months.tolist() == [0.0, 6.0, 13.0]
    assert find_month_of((5.0, 0.0), (0.0, 6.0), [30.0, 31.0]).tolist() == [6.0, np.inf]
    assert find_month_of((0.0,), (0.0,), [0.0, 1.0]).tolist() == [0.0, np.inf]
