"""Plans with twins: closed form beside simulation, selection, errors of the model, borrowing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from trialsim.analytic.correlation import exchangeable
from trialsim.analytic.prognostic import compute_selected_decline
from trialsim.errors import DesignError
from trialsim.twins import (
    TwinScenario,
    measure_borrowing,
    measure_estimators,
    measure_strategies,
    plan_slopes_with_twins,
    plan_with_twins,
    restrict_to_selected,
    simulate_plan,
    simulate_twin_trials,
)
from trialsim.twins.missing_data import simulate_strategies

Floats = NDArray[np.float64]
R = exchangeable(0.5, 3)
RHO = np.array([0.3, 0.45, 0.6])
RETENTION = np.array([0.95, 0.9, 0.85])
VISITS = {"correlation": R, "twin_correlation": RHO, "retention": RETENTION}
BASE = {"delta": 0.4, "sd": 1.0, **VISITS}


def test_procova_needs_one_minus_rho_squared_of_ancova() -> None:
    plan = plan_with_twins(**BASE, power=0.8, allocation_ratios=[1], distribution="z")
    plan = plan.set_index("estimator")
    n = plan["n_control"]
    assert n["procova"] == pytest.approx((1 - 0.6**2) * n["ancova"])
    assert n["procova_mmrm"] < n["procova"] < n["mmrm"] < n["ancova"]
    assert plan.loc["procova", "controls_spared"] == pytest.approx(n["ancova"] - n["procova"])


@pytest.mark.parametrize(("estimator", "n_covariates"), [("ancova", 1), ("procova", 2)])
@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_power_is_that_of_a_t_test_which_pays_for_its_coefficients(
    estimator: str, n_covariates: int, ratio: float
) -> None:
    # 40 people in control, of whom 85 % are seen at the last visit
    asked = {**BASE, "delta": 0.6}
    plan = plan_with_twins(**asked, n_control=40, allocation_ratios=[ratio]).set_index("estimator")
    control, treatment, q = 40 * 0.85, 40 * ratio * 0.85, n_covariates
    n = control + treatment
    left = 1 - 0.6**2 if estimator == "procova" else 1.0
    squares = np.array([1 / control, 1 / treatment])
    variance = left * squares.sum() * (1 + q / (n - q - 3))
    df = n - 2 - q
    if ratio > 1:
        # the robust error, which is that of unequal arms, is carried by the smaller one
        each = np.array([control, treatment]) * (1 - q / n) - 1
        df = squares.sum() ** 2 / (squares**2 / each).sum()
    distance, reach = 0.6 / np.sqrt(variance), stats.t.isf(0.025, df)
    power = stats.nct.sf(reach, df, distance) + stats.nct.cdf(-reach, df, distance)
    assert plan.loc[estimator, "power"] == pytest.approx(power, rel=1e-9)
    assert plan.loc[estimator, "method"] == "closed form"


@pytest.mark.parametrize("between", np.arange(0.02, 0.98, 0.08).round(2))
def test_where_everyone_is_seen_people_are_worth_as_many(between: float) -> None:
    # 1 over the information of a matrix may exceed 1 in the last digit
    for n_visits in (1, 2, 4):
        for enrolled in (1.0, 0.5, 0.1):
            plan = plan_with_twins(
                **BASE
                | {"correlation": exchangeable(between, n_visits), "retention": None}
                | {"twin_correlation": np.full(n_visits, 0.3 * np.sqrt(between))},
                n_control=50,
                fraction_enrolled=enrolled,
            )
            power = plan.groupby("estimator")["power"].first()
            assert power["mmrm"] == pytest.approx(power["ancova"], rel=1e-9)
            assert power["procova_mmrm"] == pytest.approx(power["procova"], rel=1e-9)


def test_unequal_arms_spare_controls_and_cost_people() -> None:
    plan = plan_with_twins(**BASE, power=0.8, distribution="z")
    plan = plan.set_index(["estimator", "allocation_ratio"])
    procova = plan.loc["procova"]
    assert procova["n_control"].is_monotonic_decreasing
    assert procova["n_total"].is_monotonic_increasing
    # 1 + 1/r over 2
    assert procova.loc[3, "n_control"] == pytest.approx(procova.loc[1, "n_control"] * 2 / 3)


@pytest.mark.slow
def test_closed_form_power_is_the_simulated_one() -> None:
    names = ["ancova", "mmrm", "procova", "ppi", "aipw", "procova_mmrm"]
    n_trials = 2000
    simulated = measure_estimators(
        TwinScenario(**VISITS, effect=0.4), n_control=70, n_treatment=140, n_trials=n_trials,
        estimators=names, seed=20260101,
    )  # fmt: skip
    plan = plan_with_twins(**BASE, n_control=70, allocation_ratios=[2]).set_index("estimator")
    for row in simulated.to_dict("records"):
        expected = plan.loc[row["estimator"], "power"]
        assert row["rejected"] == pytest.approx(expected, abs=4 * row["mcse"]), row
        assert abs(row["bias"]) < 4 * row["bias_mcse"]
        assert row["n_failed_fits"] == 0


def test_right_weights_gain_what_the_closed_form_says() -> None:
    simulated = measure_estimators(
        TwinScenario(**VISITS, error_spread=1.0), n_control=100, n_treatment=100, n_trials=1500,
        estimators=["procova", "weighted_procova"], seed=1,
    ).set_index(["estimator", "standard_error"])  # fmt: skip
    spread = simulated["empirical_se"].xs("robust", level="standard_error")
    ratio = (spread["procova"] / spread["weighted_procova"]) ** 2
    assert ratio == pytest.approx(2.0, rel=0.2)


def test_selection_restricts_the_range_as_for_one_outcome() -> None:
    selected = restrict_to_selected(R, RHO, 0.3)
    for visit, rho in enumerate(RHO):
        single = compute_selected_decline(0.0, 1.0, rho, 0.3)
        assert selected.sd[visit] == pytest.approx(float(single.sd))
        assert selected.twin_correlation[visit] == pytest.approx(float(single.correlation))
    rng = np.random.default_rng(20260101)
    score = rng.standard_normal(400_000)
    y = RHO * score[:, None] + rng.multivariate_normal(np.zeros(3), R - np.outer(RHO, RHO), 400_000)
    top = y[score > np.quantile(score, 0.7)]
    assert selected.correlation == pytest.approx(np.corrcoef(top.T), abs=0.01)
    everyone = restrict_to_selected(R, RHO, 1.0)
    assert everyone.twin_correlation == pytest.approx(RHO)


def test_a_deflated_twin_needs_more_people() -> None:
    asked: dict[str, Any] = {**BASE, "power": 0.8, "allocation_ratios": [1], "distribution": "z"}
    full, less = plan_with_twins(**asked), plan_with_twins(**asked, deflation=0.8)
    at = {name: k for k, name in enumerate(full["estimator"])}
    assert less["n_control"][at["ancova"]] == full["n_control"][at["ancova"]]
    assert less["n_control"][at["procova"]] == pytest.approx(
        full["n_control"][at["ancova"]] * (1 - 0.48**2)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "twin",
    [{"slope": 0.0, "noise": 1.0}, {"slope": 0.4, "shift": 0.5}, {"site_shift": 1.0}],
)
def test_a_wrong_twin_keeps_alpha_and_adds_no_bias(twin: dict[str, float]) -> None:
    found = measure_estimators(
        TwinScenario(**VISITS, **twin), n_control=90, n_treatment=30, n_trials=2000,
        estimators=["procova", "procova_interacted", "ppi", "procova_mmrm"], seed=20260101,
    )  # fmt: skip
    mcse = np.sqrt(0.05 * 0.95 / 2000)
    assert (np.abs(found["rejected"] - 0.05) < 4 * mcse + 0.005).all()
    assert (np.abs(found["bias"]) < 4 * found["bias_mcse"]).all()


def test_borrowed_twins_lose_alpha_under_drift_and_covariates_do_not() -> None:
    found = measure_borrowing(
        TwinScenario(**VISITS), n_control=50, n_treatment=100, drifts=[0.0, 0.3], n_trials=1000
    ).set_index(["analysis", "drift"])["rejected"]
    assert found["synthetic_control", 0.0] == pytest.approx(0.05, abs=0.03)
    assert found["synthetic_control", 0.3] > 0.5
    assert found["pooled_control", 0.3] > 0.2
    assert found["procova", 0.3] == found["procova", 0.0] == pytest.approx(0.05, abs=0.03)


def test_trials_are_those_of_their_scenario() -> None:
    scenario = TwinScenario(**VISITS, effect=0.5, slope=0.5, shift=0.2)
    trials = simulate_twin_trials(
        scenario, n_control=200, n_treatment=200, n_trials=50, rng=np.random.default_rng(1)
    )
    assert (~np.isnan(trials.outcome)).mean(axis=(0, 1)) == pytest.approx([1, *RETENTION], abs=0.01)
    change = trials.outcome[..., 1:] - trials.outcome[..., :1]
    control = change[:, :200].reshape(-1, 3)
    complete = control[~np.isnan(control).any(axis=1)]
    assert np.corrcoef(complete.T) == pytest.approx(R, abs=0.04)
    said = (trials.predicted - trials.outcome[..., :1])[:, :200].reshape(-1, 3)[:, -1]
    last = control[:, -1]
    seen = ~np.isnan(last)
    assert np.corrcoef(said[seen], last[seen])[0, 1] == pytest.approx(0.6, abs=0.03)
    effect = np.nanmean(change[:, 200:, -1]) - np.nanmean(change[:, :200, -1])
    assert effect == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"allocation_ratios": [np.inf]}, "without concurrent controls is not planned here"),
        ({"allocation_ratios": [0.0]}, "allocation_ratios must hold numbers greater than 0"),
        ({"deflation": 1.5}, "deflation must be greater than 0 and at most 1, got 1.5"),
        ({"twin_correlation": [0.3, 0.6]}, "one number a visit"),
        ({"twin_correlation": [0.9, 0.0, 0.9]}, "cannot correlate 0.9, 0, 0.9 with visits"),
        ({"fraction_enrolled": 0.0}, "fraction_enrolled must be greater than 0"),
        ({"sd": -1.0}, "sd must be greater than 0"),
        ({"error_spread": float("nan")}, "error_spread must be 0 or more, got nan"),
        ({"n_simulations": 99}, "n_simulations must be at least 100, got 99"),
        ({"seed": -1}, "seed must lie between 0 and 2.64 - 1, got -1"),
    ],
)
def test_impossible_plans_are_told(change: dict[str, object], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        plan_with_twins(**{**BASE, "power": 0.8, **change})


def test_an_estimator_of_the_slope_is_not_measured_at_the_last_visit() -> None:
    with pytest.raises(DesignError, match="random_slope is no estimator of the difference"):
        measure_estimators(
            TwinScenario(**VISITS), n_control=50, n_treatment=50, estimators=["random_slope"]
        )


def plan_repeated() -> pd.DataFrame:
    whole = plan_with_twins(**BASE, power=0.8, allocation_ratios=[2], fraction_enrolled=0.5)
    return whole[whole["estimator"].isin(["mmrm", "procova_mmrm"])]


FEW_PEOPLE: dict[str, Any] = {
    "sd": 1.0,
    "correlation": exchangeable(0.5, 2),
    "twin_correlation": np.array([0.4, 0.6]),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("delta", "retention", "ratio", "test"),
    [
        (1.2, [0.9, 0.85], 1.0, {}),
        (1.5, [0.7, 0.5], 1.0, {}),
        (1.5, [0.7, 0.5], 1.0, {"alpha": 0.025, "sides": 1}),
        (1.5, [0.7, 0.5], 3.0, {}),
    ],
)
def test_a_plan_of_few_people_keeps_its_promise(
    delta: float, retention: list[float], ratio: float, test: dict[str, Any]
) -> None:
    asked = {**FEW_PEOPLE, "delta": delta, "retention": retention}
    plan = plan_with_twins(
        **asked, power=0.8, allocation_ratios=[ratio], n_simulations=1500, **test
    )
    assert (plan["method"] == "simulated").all()
    # trials of other seeds: by closed forms they have .54 to .75 where half of few people leave
    found = simulate_plan(plan, **asked, n_simulations=1500, seed=20260101, **test)
    within = 4 * np.sqrt(2) * found["mcse"].to_numpy()
    assert (found["simulated_power"] > 0.8 - within).all()
    fewer = plan.assign(n_control=plan["n_control"] - 1)
    fewer["n_treatment"] = np.ceil(fewer["n_control"] * ratio)
    less = simulate_plan(fewer, **asked, n_simulations=1500, seed=20260101, **test)
    assert (less["simulated_power"] < 0.8 + within).all()


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["ancova", "procova", "aipw", "mmrm"])
def test_a_plan_of_a_small_arm_beside_a_large_one_keeps_its_promise(estimator: str) -> None:
    # PROCOVA had .774, AIPW .764 where degrees of freedom counted the large arm
    asked = {**FEW_PEOPLE, "delta": 0.5, "retention": [0.9, 0.85]}
    plan = plan_with_twins(**asked, power=0.8, allocation_ratios=[3.0])
    plan = plan[plan["estimator"] == estimator]
    assert plan["method"].tolist() == ["closed form"]
    found = simulate_plan(plan, **asked, n_simulations=4000, seed=20260101).iloc[0]
    assert found["simulated_power"] > 0.8 - 3 * found["mcse"]
    assert found["simulated_power"] < 0.82 + 3 * found["mcse"]


def test_power_of_few_people_is_that_of_simulated_trials() -> None:
    asked = {**FEW_PEOPLE, "delta": 1.5, "retention": [0.7, 0.5]}
    plan = plan_with_twins(**asked, n_control=12.5, allocation_ratios=[1], n_simulations=200)
    assert plan["n_control"].eq(13).all()
    assert plan["n_treatment"].eq(13).all()
    found = simulate_plan(plan, **asked, n_simulations=200)
    assert plan["power"].tolist() == found["simulated_power"].tolist()
    by_z = plan_with_twins(**asked, n_control=12.5, allocation_ratios=[1], distribution="z")
    assert (by_z["method"] == "closed form").all()
    # who has one visit has ANCOVA for an MMRM
    one = plan_with_twins(
        delta=1.5, sd=1.0, correlation=[[1.0]], twin_correlation=[0.6], n_control=12,
        allocation_ratios=[1], n_simulations=200,
    ).set_index("estimator")["power"]  # fmt: skip
    assert one["mmrm"] == one["ancova"] < one["procova"] == one["procova_mmrm"]
    with pytest.raises(DesignError, match="at least 5 people an arm"):
        plan_with_twins(**{**asked, "retention": None}, n_control=4, allocation_ratios=[1])
    with pytest.raises(DesignError, match="n_simulations must be at least 100, got 5"):
        plan_with_twins(**asked, n_control=12, n_simulations=5)


@pytest.mark.filterwarnings("error")
def test_trials_that_leave_nobody_to_compare_have_no_power() -> None:
    scenario = TwinScenario(exchangeable(0.5, 2), np.array([0.4, 0.6]), np.array([0.3, 0.1]))
    told = measure_estimators(
        scenario, n_control=6, n_treatment=6, n_trials=50, estimators=["procova"], as_told=True
    )
    assert told[["rejected", "n_failed_fits"]].to_numpy().tolist() == [[0.0, 50.0]]
    assert np.isnan(told["bias"].item())


def test_trials_are_measured_as_they_are_told() -> None:
    scenario = TwinScenario(exchangeable(0.5, 2), np.array([0.4, 0.6]), np.array([0.7, 0.5]))
    names = ["ancova", "mmrm"]
    for n_treatment, kinds in ((12, ["robust", "model"]), (30, ["robust", "robust"])):
        sizes = {"n_control": 12, "n_treatment": n_treatment}
        told = measure_estimators(scenario, **sizes, n_trials=200, estimators=names, as_told=True)
        assert told["standard_error"].tolist() == kinds
        # 12 people of whom half leave: fewer than 5 of an arm are left in a fifth of trials
        few = stats.binom.cdf(4, 12, 0.5)
        share = few + (1 - few) * stats.binom.cdf(4, n_treatment, 0.5)
        error = np.sqrt(share * (1 - share) / 200)
        assert told["n_failed_fits"].to_numpy() / 200 == pytest.approx(share, abs=4 * error)


ONE_SIDE: dict[str, Any] = {"alpha": 0.1, "sides": 1, "n_simulations": 100}
BOTH_SIDES: dict[str, Any] = {"alpha": 0.2, "sides": 2, "n_simulations": 100}


def test_simulated_plans_have_the_sides_of_the_plan() -> None:
    plan = plan_with_twins(**BASE, n_control=40, allocation_ratios=[1])
    plan = plan[plan["estimator"] == "procova_mmrm"]
    one, two, half = (
        simulate_plan(plan, **BASE, **test)["simulated_power"].item()
        for test in (ONE_SIDE, BOTH_SIDES, {**BOTH_SIDES, "alpha": 0.1})
    )
    assert one == two > half


@pytest.mark.slow
def test_simulated_assumptions_have_the_sides_of_the_plan() -> None:
    asked = {**BASE, "delta": -1.0}
    plan = plan_with_twins(**asked, n_control=10, allocation_ratios=[1])
    one, two = (simulate_strategies(plan, **asked, **test) for test in (ONE_SIDE, BOTH_SIDES))
    assert one["power"].tolist() == two["power"].tolist()


@pytest.mark.slow
def test_a_plan_keeps_its_promise_in_simulated_trials() -> None:
    plan = plan_repeated()
    found = simulate_plan(plan, **BASE, fraction_enrolled=0.5, n_simulations=1500, seed=20260101)
    assert found["simulated_power"].to_numpy() == pytest.approx([0.8, 0.8], abs=0.055)
    assert found["type_one_error"].to_numpy() == pytest.approx([0.05, 0.05], abs=0.025)


def test_a_plan_is_simulated_by_its_estimator_and_not_in_a_few_trials() -> None:
    plan = plan_repeated().tail(1)
    found = simulate_plan(plan, **BASE, fraction_enrolled=0.5, n_simulations=100, seed=1)
    assert found["estimator"].to_list() == ["procova_mmrm"]
    # four standard errors of 100 trials
    assert found["simulated_power"].item() == pytest.approx(0.8, abs=0.16)
    with pytest.raises(DesignError, match="n_simulations must be at least 100, got 5"):
        simulate_plan(plan, **BASE, n_simulations=5)


def test_slopes_with_twins_are_those_of_the_random_slope_model_with_less_variance() -> None:
    asked: dict[str, Any] = {
        "delta": 20.0,
        "visit_times": [0, 0.5, 1, 1.5, 2],
        "residual_variance": 3600.0,
        "allocation_ratios": [2.0],
        "power": 0.8,
    }
    plan = plan_slopes_with_twins(slope_variance=4900, slope_correlation=0.5, **asked)
    known = plan_slopes_with_twins(slope_variance=4900 * 0.75, slope_correlation=0.0, **asked)
    with_twin = plan.set_index("estimator")["n_control"]["random_slope_twin"]
    assert with_twin == pytest.approx(known["n_control"].iloc[0])
    with pytest.raises(DesignError, match="between 0 and below 1"):
        plan_slopes_with_twins(slope_variance=1, slope_correlation=1.2, **asked)


@pytest.mark.slow
def test_strategies_lose_effect_and_keep_alpha() -> None:
    scenario = TwinScenario(
        exchangeable(0.5, 2), np.array([0.3, 0.5]), np.array([0.8, 0.6]), effect=0.7
    )
    found = measure_strategies(scenario, n_control=25, n_treatment=25, n_trials=100)
    found = found.set_index("strategy")
    at_random, lost = found.loc["missing_at_random"], found.loc["jump_to_reference"]
    # 40 % of treated people lose the effect under jump to reference
    assert lost["mean_estimate"] == pytest.approx(0.6 * at_random["mean_estimate"], abs=0.06)
    assert found["type_one_error"].max() < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 100)
    with pytest.raises(DesignError, match="at least 100, got 50"):
        measure_strategies(scenario, n_control=25, n_treatment=25, n_trials=50)
