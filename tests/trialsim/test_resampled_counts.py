"""Counts of resamples are those of people drawn with replacement, one by one."""

import numpy as np
import pytest
from scipy import stats

from trialsim.enrichment.evaluation import resampled_counts
from trialsim.enrichment.evaluation.resampled_counts import PoissonTable, ResampledCounts


@pytest.mark.parametrize("mean", [0.0, 0.05, 1.0, 31.0, 700.0])
def test_counts_of_a_table_are_poisson(mean: float) -> None:
    counts = PoissonTable.of_mean(mean).draw((200, 1000), np.random.default_rng(4)).ravel()
    seen, n_seen = np.unique(counts, return_counts=True)
    # the rare ones together: each expected five times at least
    expected = counts.size * stats.poisson.pmf(seen, mean)
    common = expected >= 5
    rest = counts.size - n_seen[common].sum(), counts.size - expected[common].sum()
    observed = np.append(n_seen[common], rest[0])
    wanted = np.append(expected[common], rest[1])
    statistic = float(((observed - wanted) ** 2 / np.maximum(wanted, 1e-9))[wanted > 1e-6].sum())
    assert stats.chi2.sf(statistic, max(1, int(common.sum()))) > 1e-4


@pytest.mark.parametrize(("n_members", "n_people"), [(4, 3), (6, 6), (5, 60), (50, 2000)])
def test_counts_vary_as_those_of_people_drawn_one_by_one(n_members: int, n_people: int) -> None:
    counts = ResampledCounts.of(n_members, n_people).draw(40_000, np.random.default_rng(5))
    assert counts.dtype == np.int32
    assert (counts.sum(axis=1) == n_people).all()
    share = 1 / n_members
    variance = n_people * share * (1 - share)
    error = np.sqrt(variance / len(counts))
    assert counts.mean(axis=0) == pytest.approx(n_people * share, abs=4.5 * error)
    covariance = np.cov(counts.T)
    # of so many resamples, a variance has a relative error of 0.7 %, with some kurtosis 1 %
    assert np.diag(covariance) == pytest.approx(variance, rel=0.05)
    off = covariance[np.triu_indices(n_members, 1)]
    assert off.mean() == pytest.approx(-n_people * share**2, rel=0.05)


def test_every_outcome_is_as_likely_as_it_should_be() -> None:
    counts = ResampledCounts.of(3, 3).draw(60_000, np.random.default_rng(6))
    outcomes, n_seen = np.unique(counts, axis=0, return_counts=True)
    wanted = stats.multinomial.pmf(outcomes, 3, [1 / 3] * 3)
    assert len(outcomes) == 10
    assert n_seen / 60_000 == pytest.approx(wanted, abs=4.5 * np.sqrt(0.25 / 60_000))


def test_sums_that_go_beyond_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # no shortfall: half of all first draws are too many
    monkeypatch.setattr(resampled_counts, "_SHORT", 0.0)
    counts = ResampledCounts.of(20, 100).draw(5_000, np.random.default_rng(7))
    assert (counts.sum(axis=1) == 100).all()
    # a variance's error of 5,000 resamples of 20 people
    assert counts.var(axis=0).mean() == pytest.approx(100 / 20 * 19 / 20, rel=0.03)


def test_the_same_seed_gives_the_same_counts() -> None:
    draws = ResampledCounts.of(300, 3000)
    first, again = (draws.draw(50, np.random.default_rng(8)) for _ in range(2))
    assert (first == again).all()
