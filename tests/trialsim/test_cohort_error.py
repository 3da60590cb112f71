"""A bootstrap that neither shrinks nor copies, intervals that carry what they say."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from threadpoolctl import threadpool_info, threadpool_limits

from trialsim.analyses import ANALYSES
from trialsim.analysis.result import Floats
from trialsim.comparison.candidates import EVERYONE, Candidate
from trialsim.comparison.closed_form import Moments, compute_sample_size
from trialsim.comparison.cohort_error import bootstrap
from trialsim.comparison.cohort_error.bootstrap import CohortVariation, bootstrap_sizes
from trialsim.comparison.cohort_error.intervals import (
    compute_size_interval,
    compute_t_quantile,
)
from trialsim.comparison.cohort_error.normal_sizes import compute_log_sizes
from trialsim.comparison.cohort_error.samples import RankedWeights
from trialsim.comparison.proposal import count_to_settle, describe_settling
from trialsim.comparison.screened import Screened, expect_each, share_weights
from trialsim.comparison.sizes.chosen import LOW_POWER, compute_optimism, correct_choice
from trialsim.costs import Costs
from trialsim.design import DropOut, TrialDesign
from trialsim.enrichment.strategies.folds import Samples
from trialsim.simulation.expectations import ExpectedOutcomes
from trialsim.simulation.outcomes import GrowthModel
from trialsim.simulation.pool import build_pool

FOLLOW = {"months": 24, "n_visits": 3}
TIMES = np.array([0.0, 12.0, 24.0])
DESIGN = TrialDesign((0, 12, 24), unit="log_percent", slowing=0.3, dropout=DropOut(0.2),
                     analyses=("ancova",))  # fmt: skip


def draw_people(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    score, own = rng.normal(size=(2, n))
    level = 880 + 12 * rng.normal(size=n)
    truth = level[:, None] - (0.22 + 0.06 * score + 0.08 * own)[:, None] * TIMES
    return truth + 1.3 * rng.normal(size=truth.shape), score


def screen(n: int, rng: np.random.Generator) -> Screened:
    outcome, score = draw_people(n, rng)
    scores = {"mine": score, "random": rng.random(n)}
    weights = share_weights(np.ones(n), scores)
    expected = expect_each(outcome, scores, TIMES, None, weights)
    return Screened(outcome, scores, None, expected, weights)


def test_the_top_share_takes_people_in_part() -> None:
    weights = np.array([[1.0, 2.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    score = np.array([0.1, 0.9, np.nan, 0.5])
    ranked = RankedWeights.by(weights, score)
    assert ranked.take_top(0.5).tolist() == [[0, 2, 0, 0], [0, 1, 0, 1]]
    assert ranked.take_top(0.625)[0].tolist() == [0.5, 2, 0, 0]
    assert ranked.take_top(1.0).tolist() == weights.tolist()


@pytest.mark.parametrize("analysis", [name for name in ANALYSES if name != "random_slope_score"])
def test_sizes_by_the_normal_approximation_move_as_the_closed_forms(analysis: str) -> None:
    design = DESIGN.change(analyses=(analysis,), allocation_ratio=1.5)
    covariance = np.array([[150, 146, 141, -9], [146, 149, 146, -11], [141, 146, 152, -13],
                           [-9, -11, -13, 4]], dtype=float)  # fmt: skip

    def both(change: float, factor: float) -> tuple[float, float]:
        growth = GrowthModel(0, change / 24, 0, 0, factor * np.array([[148, -0.15], [-0.15, 0.02]]),
                             factor * 2.0, TIMES, np.zeros(2))  # fmt: skip
        spread = factor * covariance
        if analysis == "random_slope":
            courses = np.column_stack([np.ones(3), TIMES])
            spread[:3, :3] = courses @ growth.covariance @ courses.T + factor * 2.0 * np.eye(3)
        moments = Moments(change * TIMES / 24, spread, growth)
        exact = compute_sample_size(analysis, moments, design)
        return exact, compute_log_sizes(analysis, np.array([change]), spread[None], design)[0]

    (exact, log_size), (more, log_more) = both(-3.0, 1.0), both(-2.7, 1.2)
    assert log_more - log_size == pytest.approx(np.log(more / exact), abs=0.01)


@pytest.mark.slow
def test_bootstrap_sizes_do_not_shrink() -> None:
    # each draw leaves a bias of a sample's own; over 60 cohorts of 26 it averages out
    medians = []
    for seed in range(60):
        screened = screen(26, np.random.default_rng([20260101, seed]))
        candidate = Candidate("random", 1.0)
        found = bootstrap_sizes(screened, [candidate], DESIGN, n_bootstrap=200, seed=seed)
        medians.append(np.median(found.log_ratios["ancova"]))
    error = np.std(medians) / np.sqrt(len(medians))
    assert np.mean(medians) == pytest.approx(0, abs=0.02 + 4 * error)


def test_the_own_variances_of_a_pool_are_unbiased() -> None:
    rng, residuals = np.random.default_rng(20260101), []
    for _ in range(400):
        outcome, _ = draw_people(15, rng)
        covariance = np.cov(build_pool(outcome).outcome, rowvar=False, ddof=0)
        residuals.append(covariance[2, 2] - covariance[0, 2] ** 2 / covariance[0, 0])
    large, _ = draw_people(200_000, rng)
    covariance = np.cov(large, rowvar=False)
    right = covariance[2, 2] - covariance[0, 2] ** 2 / covariance[0, 0]
    error = np.std(residuals) / np.sqrt(len(residuals))
    assert np.mean(residuals) == pytest.approx(right, abs=4 * error)


def test_weights_of_people_count_in_pool_and_bootstrap() -> None:
    screened = screen(40, np.random.default_rng(1))
    copies = np.r_[np.arange(40), np.arange(10)]
    weights = np.where(np.arange(40) < 10, 2.0, 1.0)
    by_name = share_weights(weights, screened.scores)
    weighted = build_pool(screened.outcome, weights=weights)
    repeated = build_pool(screened.outcome[copies])
    assert weighted.true_change == pytest.approx(repeated.true_change)
    assert weighted.effective_size == pytest.approx(50**2 / 70)
    heavy = Screened(screened.outcome, screened.scores, None, screened.expected, by_name)
    found = bootstrap_sizes(heavy, [Candidate("mine", 0.5)], DESIGN, n_bootstrap=200, seed=1)
    assert np.isfinite(found.log_ratios["ancova"]).all()


class CountingThreads:
    """Fits no strategy again, and counts the threads that it would have."""

    n_training = 0

    def __init__(self) -> None:
        self.counts: set[int] = set()

    def select(self, people: NDArray[np.intp]) -> "CountingThreads":
        raise NotImplementedError

    def __call__(self, samples: Samples, rng: np.random.Generator) -> dict[str, Floats]:
        self.counts.update(one["num_threads"] for one in threadpool_info())
        return {}


def test_samples_are_computed_by_one_thread_as_workers_elsewhere_do() -> None:
    screened, threads = screen(80, np.random.default_rng(20260101)), CountingThreads()
    with threadpool_limits(2):
        bootstrap_sizes(
            screened, [Candidate("mine", 0.5)], DESIGN, n_bootstrap=100, seed=1, rescore=threads
        )
    # sums over more threads are rounded otherwise
    assert threads.counts == {1}


@pytest.mark.slow
def test_bags_of_many_people_vary_as_everyone_does(monkeypatch: pytest.MonkeyPatch) -> None:
    screened = screen(3000, np.random.default_rng(20260101))
    candidates = [Candidate("mine", 0.5), Candidate("random", 1.0)]

    def draw() -> CohortVariation:
        return bootstrap_sizes(screened, candidates, DESIGN, n_bootstrap=1000, seed=1)

    whole = draw()
    monkeypatch.setattr(bootstrap, "_FEWEST_MEMBERS", 500)
    monkeypatch.setattr(bootstrap, "_FEWEST_SELECTED", 100)
    bagged = draw()
    spreads = [one.log_ratios["ancova"].std(axis=1, ddof=1) for one in (whole, bagged)]
    # Monte Carlo error of each: 2 %; that of ten bags' own variances: 3 %
    assert spreads[1] == pytest.approx(spreads[0], rel=0.16)
    assert bagged.log_ratios["ancova"].mean(axis=1) == pytest.approx(0, abs=1e-9)
    assert bagged.effective_sizes == pytest.approx(whole.effective_sizes, rel=0.05)
    quantiles = [
        [compute_t_quantile(df) for df in one.degrees_of_freedom["ancova"]]
        for one in (whole, bagged)
    ]
    assert quantiles[1] == pytest.approx(quantiles[0], rel=0.005)
    assert bagged.n_people == 3000


def test_normal_ageing_is_estimated_again_in_every_sample() -> None:
    screened = screen(120, np.random.default_rng(1))
    normal = np.arange(120) < 30
    design = DESIGN.change(relative_to="decline above normal ageing", normal_change_per_year=-1.0)
    candidates = [Candidate("mine", 0.5)]
    stated = bootstrap_sizes(screened, candidates, design, n_bootstrap=200, seed=1)
    again = Screened(screened.outcome, screened.scores, None, screened.expected,
                     screened.weights, normal)  # fmt: skip
    estimated = bootstrap_sizes(again, candidates, design, n_bootstrap=200, seed=1)
    spreads = [np.std(one.log_ratios["ancova"][np.isfinite(one.log_ratios["ancova"])])
               for one in (stated, estimated)]  # fmt: skip
    assert spreads[1] > 1.1 * spreads[0]


def test_few_samples_and_samples_that_do_not_vary_carry_no_interval() -> None:
    values = np.random.default_rng(1).normal(0, 0.2, 199)
    assert np.isnan(compute_size_interval(values, 49)).all()
    assert np.isnan(compute_size_interval(np.zeros(500), 49)).all()
    unreached = np.where(np.arange(500) < 20, np.inf, 0.1 * np.sin(np.arange(500)))
    low, high = compute_size_interval(unreached, 49)
    assert low < 1
    assert np.isnan(high)


def test_optimism_is_what_the_cheapest_of_a_sample_gains_by_chance() -> None:
    rng, sd = np.random.default_rng(1), 0.2
    alike = rng.normal(0, sd, (2, 20_000))
    # the mean of the smaller of two normals lies sd / sqrt(pi) below theirs
    assert compute_optimism(alike, alike) == pytest.approx(sd / np.sqrt(np.pi), rel=0.05)
    apart = alike + np.array([[0.0], [5.0]])
    assert compute_optimism(alike, apart) == pytest.approx(0, abs=1e-9)


def test_power_of_the_proposed_size_is_averaged_over_its_error() -> None:
    sd = 0.3
    ratios = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)[None] * sd
    found = correct_choice(0, ratios, ratios, 1e6, DESIGN)
    assert found.optimism == pytest.approx(1)
    critical = stats.norm.ppf(0.975)
    true_ratio = np.exp(sd * np.random.default_rng(1).normal(size=200_000))

    def power(factor: float) -> np.ndarray:
        drift = critical + stats.norm.ppf(0.8)
        return stats.norm.cdf(drift * np.sqrt(factor / true_ratio) - critical)

    assert found.uncorrected_power == pytest.approx(power(1).mean(), abs=0.002)
    proposed = power(found.proposed)
    assert proposed.mean() == pytest.approx(0.8, abs=0.002)
    assert found.low_power_probability == pytest.approx((proposed < LOW_POWER).mean(), abs=0.005)
    assert (power(found.assured) >= LOW_POWER).mean() == pytest.approx(0.9, abs=0.005)


def test_people_to_screen_follow_from_whole_arms() -> None:
    costs = Costs(screening=1000, participant=20_000, screening_rate_per_month=10)
    needed = costs.compute_enrollment(
        58 + 58, fraction_enrolled=0.5, is_screened=True, months=24, n_visits=3
    )
    assert (needed.n_to_screen, needed.months_to_enroll) == (232, 23.2)
    assert needed.cost == 116 * 20_000 + 232 * 1000
    third = costs.compute_enrollment(
        30, fraction_enrolled=0.3, is_screened=True, months=24, n_visits=3
    )
    assert third.n_to_screen == 100


def test_how_many_more_people_would_settle_a_saving() -> None:
    # half width 30 against a saving of 20: (30 / 20)^2 as many people
    assert count_to_settle((20.0, -10.0, 50.0), 200) == 250
    assert count_to_settle((20.0, 5.0, 35.0), 200) == 0
    assert np.isnan(count_to_settle((-5.0, -10.0, 0.0), 200))
    # on the edge, a count would feign a precision that no bootstrap has
    assert describe_settling(250, 200) == "; about 250 more would settle it"
    assert describe_settling(19, 200) == "; a few more would settle it"
    assert describe_settling(np.nan, 200) == describe_settling(0, 200) == ""


def test_people_who_were_never_seen_are_not_drawn() -> None:
    rng = np.random.default_rng(1)
    outcome, score = draw_people(60, rng)
    outcome[50:] = np.nan
    weights = share_weights(np.ones(60), ["mine"])
    expected = expect_each(outcome, {"mine": score}, TIMES, None, weights)
    assert isinstance(expected[EVERYONE], ExpectedOutcomes)
    screened = Screened(outcome, {"mine": score}, None, expected, weights)
    found = bootstrap_sizes(screened, [Candidate("mine", 1.0)], DESIGN, n_bootstrap=200, seed=1)
    assert found.effective_sizes.tolist() == [50]
    assert np.isfinite(found.log_ratios["ancova"]).all()


class _Learned:
    """A score learned from an archive: its samples move the score of everyone screened."""

    def __init__(self, score: Floats, rng: np.random.Generator) -> None:
        self.n_training = 300
        self._score, self._moved = score, 0.02 * rng.normal(size=(300, score.size))

    def select(self, people: NDArray[np.intp]) -> "_Learned":
        raise NotImplementedError  # of bags alone

    def __call__(self, samples: Samples, rng: np.random.Generator) -> dict[str, Floats]:
        if samples.training is None:
            return {}
        return {"mine": self._score + samples.training @ self._moved}


def test_samples_of_an_archive_are_held_a_few_at_once(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    screened = screen(300, rng)
    learned, candidates = _Learned(screened.scores["mine"], rng), [Candidate("mine", 0.3)]

    def draw(n_archive: int) -> tuple[float, int]:
        tracemalloc.start()
        found = bootstrap_sizes(screened, candidates, DESIGN, n_bootstrap=1, seed=3,
                                rescore=learned, n_archive=n_archive)  # fmt: skip
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return float(found.archive_sds["ancova"][0]), peak

    (_, few), (spread, many) = draw(25), draw(250)
    assert many < 1.5 * few
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 250)
    assert draw(250)[0] == pytest.approx(spread, rel=1e-9)
