"""Screened, enrolled, arms, cost and duration follow from the whole people that are proposed."""

import math

import numpy as np
import pytest

from tests.trialsim.test_archive import DESIGN, draw_people
from trialsim.accrual.forecast import forecast_enrollment
from trialsim.accrual.plan import AccrualPlan
from trialsim.comparison import compare_strategies
from trialsim.comparison.candidates import Candidate
from trialsim.comparison.enrollment import tabulate_accrual
from trialsim.comparison.sizes.whole import enroll_whole, enroll_whole_trials
from trialsim.costs import Costs
from trialsim.optimization.paths import PathStage, ScreeningPath
from trialsim.study.calculators.closed_form import calculate_enrichment
from trialsim.whole_people import count_entering


def test_every_door_screens_the_same_whole_people() -> None:
    rng = np.random.default_rng(5)
    for _ in range(2000):
        size, ratio = rng.uniform(2, 400), rng.choice([1.0, 1.5, 2.0])
        fraction, failing = round(rng.uniform(0.05, 1), 2), round(rng.uniform(0, 0.5), 2)
        costs = Costs(
            screening=1500, participant=25_000, per_month=1000, failure_rate=failing,
            screening_rate_per_month=20,
        )  # fmt: skip
        design = DESIGN.change(allocation_ratio=ratio)
        trial = enroll_whole(Candidate("marker", fraction), design, size, costs)
        enrolled = trial.n_control + trial.n_treatment
        share = fraction * (1 - failing)
        # as many as are needed, and not one more
        assert trial.n_to_screen * share >= enrolled - 1e-6
        assert (trial.n_to_screen - 1) * share < enrolled
        assert all(float(n).is_integer() for n in (enrolled, trial.n_to_screen))
        months = trial.n_to_screen / 20
        assert trial.months_to_enroll == pytest.approx(months)
        whole_cost = 25_000 * enrolled + 1500 * trial.n_to_screen + 1000 * (months + 24)
        assert trial.cost == pytest.approx(whole_cost)
        assert count_entering(enrolled, share) == trial.n_to_screen
        path = ScreeningPath((PathStage("scan", share, 1500.0),))
        assert path.count_entering(np.array([enrolled]))[0][0] == trial.n_to_screen


def test_a_forecast_screens_the_same_whole_people() -> None:
    plan = AccrualPlan(sites=20, screened_per_site_per_month=1.0, failure_rate=0.2)
    costs = Costs().follow(plan)
    for enrolled, fraction in ((116, 0.5), (30, 0.3), (77, 0.37)):
        forecast = forecast_enrollment(
            plan, enrolled, fraction_enrolled=fraction, duration_months=24
        )
        needed = costs.compute_enrollment(
            enrolled, fraction_enrolled=fraction, is_screened=True, months=24, n_visits=3
        )
        assert forecast.n_to_screen == needed.n_to_screen
        assert forecast.months == pytest.approx(needed.months_to_enroll)


def test_58_and_58_people_at_half_need_232_screened() -> None:
    people = {
        "mean_decline": 100.0, "sd_decline": 100.0, "score_correlation": 0.5, "slowing": 0.3,
        "power": None, "n_control": 57.3, "screening_cost": 1000.0, "participant_cost": 20_000.0,
    }  # fmt: skip
    row = calculate_enrichment([0.5], people).iloc[0]
    assert row[["n_control_rounded", "n_treatment_rounded", "n_to_screen"]].tolist() == [
        58,
        58,
        232,
    ]
    assert row["cost"] == 116 * 20_000 + 232 * 1000


def test_the_tables_of_a_comparison_agree_with_each_other() -> None:
    people = draw_people(200, np.random.default_rng(1))
    costs = Costs(screening=1500, participant=25_000, screening_rate_per_month=30)
    found = compare_strategies(
        people[0], people[1], DESIGN.change(allocation_ratio=1.5), costs, sample_sizes=[100, 200],
        fractions_enrolled=[0.3, 0.7], n_simulations=100, n_bootstrap=200, seed=1,
    ).tables  # fmt: skip
    sizes = found["sample_sizes"].set_index(["analysis", "strategy", "fraction_enrolled"])
    for name in ("cheapest_fractions", "decisions"):
        key = found[name].set_index(sizes.index.names).index
        assert np.allclose(found[name]["cost"], sizes.loc[key, "cost"]), name
    proposed = found["proposed_sizes"].iloc[0]
    enrolled = proposed["n_control_proposed"] + proposed["n_treatment_proposed"]
    is_chosen = proposed["strategy"] != "random"
    share = proposed["fraction_enrolled"] if is_chosen else 1.0
    assert proposed["n_to_screen"] == math.ceil(enrolled / share - 1e-9)
    screening = 1500 * proposed["n_to_screen"] if is_chosen else 0
    assert proposed["cost"] == pytest.approx(25_000 * enrolled + screening)
    plan = AccrualPlan(sites=20, screened_per_site_per_month=1.5)
    accrual = tabulate_accrual(found["sample_sizes"], found["proposed_sizes"], plan, 24.0)
    row = accrual[accrual["size"] == "proposed"].iloc[0]
    assert (row["n_enrolled"], row["n_to_screen"]) == (enrolled, proposed["n_to_screen"])


def test_many_whole_trials_are_those_of_one_after_another() -> None:
    costs = Costs(screening=1000, participant=20_000)
    sizes = np.array([99.5, np.nan, np.inf, 40.0])
    chosen = [("regression", 0.3), ("regression", 0.5), ("random", 1.0), ("random", 1.0)]
    choices = [Candidate(*one) for one in chosen]
    found = enroll_whole_trials(choices, DESIGN, sizes, costs)
    single = [enroll_whole(*one, costs) for one in zip(choices, [DESIGN] * 4, sizes, strict=True)]
    assert np.array_equal(found, [list(vars(one).values()) for one in single], equal_nan=True)
    # 100 people an arm of 30 % of the screened, and 40 an arm without a scan
    assert found[0, :4].tolist() == [100, 100, 667, 667 * 1000 + 200 * 20_000]
    assert found[3, :4].tolist() == [40, 40, 80, 80 * 20_000]
    assert np.isnan(found[1:3]).all()
