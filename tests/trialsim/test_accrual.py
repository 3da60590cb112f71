"""When a trial is full: the closed form against known answers and against the model drawn."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from trialsim.accrual.forecast import forecast_enrollment
from trialsim.accrual.plan import AccrualPlan, build_accrual
from trialsim.costs import Costs
from trialsim.errors import DesignError
from trialsim.study.protocol import build_protocol


def forecast(plan: AccrualPlan, n: int = 240, fraction: float = 0.5, duration: float = 24.0):  # type: ignore[no-untyped-def]
    return forecast_enrollment(plan, n, fraction_enrolled=fraction, duration_months=duration)


def test_sites_that_open_together_fill_a_trial_in_a_pearson_vi_time() -> None:
    # Anisimov & Fedorov 2007: T(n) = gamma(n) / gamma(sites x shape), a beta-prime variable
    plan = AccrualPlan(30, 0.8, site_variation=0.9, rate_uncertainty=0.0)
    found = forecast(plan, n=180, fraction=1.0)
    shape = 30 / 0.9**2
    exact = stats.betaprime(180, shape, scale=shape / (30 * 0.8))
    assert found.months_lower == pytest.approx(exact.ppf(0.025), rel=1e-6)
    assert found.months_upper == pytest.approx(exact.ppf(0.975), rel=1e-6)
    assert found.months == pytest.approx(180 / 24)


def test_equal_sites_with_known_rates_fill_a_trial_in_a_gamma_time() -> None:
    plan = AccrualPlan(10, 2.0, site_variation=0.0, rate_uncertainty=0.0)
    found = forecast(plan, n=100)
    assert found.months_lower == pytest.approx(stats.gamma.ppf(0.025, 100) / 10, rel=1e-6)
    assert found.months_upper == pytest.approx(stats.gamma.ppf(0.975, 100) / 10, rel=1e-6)


def simulate_months(
    plan: AccrualPlan,
    n_enrolled: int,
    *,
    fraction_enrolled: float,
    n_trials: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the month at which the last person is randomized in each trial, (n_trials,).

    Every site has its rate, the expected rate its error, and arrivals are a Poisson process whose
    rate steps up where a site opens; nothing is approximated.
    """
    rates = np.full((n_trials, plan.sites), plan.screened_per_site_per_month)
    if plan.site_variation:
        rates = rates * _draw_gamma(plan.site_variation, rates.shape, rng)
    if plan.rate_uncertainty:
        rates = rates * _draw_gamma(plan.rate_uncertainty, (n_trials, 1), rng)
    rates = rates * fraction_enrolled * (1 - plan.failure_rate)
    # the n-th arrival of a unit-rate process, then the month at which the mean reaches it
    needed = rng.gamma(n_enrolled, size=n_trials)
    total = rates.cumsum(axis=1)
    gained = np.cumsum(total[:, :-1] * np.diff(plan.openings), axis=1)
    before = np.column_stack([np.zeros(n_trials), gained])
    last = (before <= needed[:, None]).sum(axis=1) - 1
    trial = np.arange(n_trials)
    waited = (needed - before[trial, last]) / total[trial, last]
    return np.asarray(plan.openings[last] + waited + plan.screening_months)


def _draw_gamma(
    variation: float, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return factors with mean 1 and this coefficient of variation."""
    return np.asarray(rng.gamma(1 / variation**2, variation**2, size=shape))


@pytest.mark.parametrize("opening", [0.0, 9.0, 30.0])
@pytest.mark.parametrize("uncertainty", [0.0, 0.3])
def test_the_interval_holds_what_the_model_draws(opening: float, uncertainty: float) -> None:
    plan = AccrualPlan(
        25, 1.2, opening_months=opening, rate_uncertainty=uncertainty, failure_rate=0.2,
        screening_months=2,
    )  # fmt: skip
    found = forecast(plan, n=150)
    drawn = simulate_months(
        plan, 150, fraction_enrolled=0.5, n_trials=20_000, rng=np.random.default_rng(4)
    )
    # four standard errors of a share of 20,000, and 0.005 for one gamma in place of a sum
    assert (drawn < found.months_lower).mean() == pytest.approx(0.025, abs=0.0045 + 0.005)
    assert (drawn > found.months_upper).mean() == pytest.approx(0.025, abs=0.0045 + 0.005)
    # the expected course, which uncertain rates are later than in more than half of the trials
    assert 1 <= np.median(drawn) / found.months <= 1.05


def test_the_number_to_screen_includes_those_who_fail() -> None:
    found = forecast(AccrualPlan(40, 1.5, failure_rate=0.2))
    assert found.n_to_screen == 600
    failed = stats.nbinom(240, 0.4)
    assert found.n_to_screen_lower == 240 + failed.ppf(0.025)
    assert found.n_to_screen_upper == 240 + failed.ppf(0.975)
    assert forecast(AccrualPlan(40, 1.5), fraction=1.0).n_to_screen_upper == 240


def test_the_last_visit_comes_a_trial_after_the_last_person() -> None:
    found = forecast(AccrualPlan(40, 1.5, screening_months=1.5), duration=18)
    assert found.last_visit - found.months == found.last_visit_upper - found.months_upper == 18


def test_costs_follow_the_plan() -> None:
    plan = AccrualPlan(40, 1.5, opening_months=12, failure_rate=0.2, screening_months=1)
    costs = Costs(screening=10, per_month=100).follow(plan)
    needed = costs.compute_enrollment(
        240, fraction_enrolled=0.5, is_screened=True, months=24, n_visits=3
    )
    # 600 people at 60 a month, half of the opening months lost, a month from screening to arm
    assert (needed.n_to_screen, needed.months_to_enroll) == (600, 10 + 6 + 1)
    assert needed.months_to_enroll == forecast(plan).months
    assert needed.cost == 600 * 10 + 100 * (17 + 24)
    fixed, each = costs.compute_cost_line(
        fraction_enrolled=0.5, is_screened=True, months=24, n_visits=3
    )
    assert fixed + 240 * each == pytest.approx(needed.cost)


def test_people_who_come_while_sites_open_take_the_root() -> None:
    plan = AccrualPlan(40, 1.5, opening_months=12)
    assert plan.expect_months(90) == pytest.approx(6)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sites": 0}, "sites must be a whole number of at least 1, got 0"),
        ({"sites": 2.5}, "sites must be a whole number"),
        ({"screened_per_site_per_month": 0}, "must be greater than 0"),
        ({"site_variation": -1}, "site_variation must be 0 or more"),
        ({"failure_rate": 1}, "from 0 to below 1"),
        ({"rate": 1}, "rate is not known; there are sites"),
        ({"sites": "many"}, "wrong type"),
    ],
)
def test_plans_that_cannot_be_are_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        build_accrual({"sites": 4, "screened_per_site_per_month": 1.0, **values})


def test_a_plan_without_its_rate_says_so() -> None:
    with pytest.raises(DesignError, match="screened_per_site_per_month is missing"):
        build_accrual({"sites": 4})


def test_a_trial_that_is_never_full_is_refused() -> None:
    with pytest.raises(DesignError, match="are not enrolled within 100 years"):
        forecast(AccrualPlan(1, 0.01))


def test_one_course_of_screening_is_stated() -> None:
    content = {
        "cohort": {"path": "people"},
        "costs": {"per_month": 5, "screening_rate_per_month": 10},
        "accrual": {"sites": 4, "screened_per_site_per_month": 1},
    }
    with pytest.raises(DesignError, match="both say how fast people come"):
        build_protocol(content)
    content["costs"] = {"per_month": 5}
    assert build_protocol(content).trial_costs.screening_rate_per_month == 4
    del content["accrual"]
    with pytest.raises(DesignError, match=r"needs costs\.screening_rate"):
        build_protocol(content)
