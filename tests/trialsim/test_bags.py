import numpy as np
import pandas as pd
import pytest

from trialsim.enrichment import FastProgressorDefinition, capture_rate
from trialsim.enrichment.evaluation import capture, predictor_performance
from trialsim.enrichment.evaluation.bootstrap import deal_bags
from trialsim.enrichment.evaluation.predictor_performance import compute_predictor_performance
from trialsim.enrichment.truth import TrueDecline

N = 21_000


@pytest.fixture
def people(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    decline = rng.normal(size=N)
    return decline + 1.5 * rng.normal(size=N) + 0.3 * decline**2, decline


def test_a_bag_stands_for_everyone(rng: np.random.Generator) -> None:
    bags = deal_bags(10_000, 203, rng, size=2_500, rarest=1_000)
    assert len(bags) == 20
    assert [i for bag in bags for i in range(203)[bag.resamples]] == list(range(203))
    for bag in bags:
        assert len(np.unique(bag.members)) == 2_500
        for _, counts in bag.iterate_counts(rng):
            assert (counts.sum(axis=1) == 10_000).all()


def test_resamples_of_bags_are_as_large_as_everyone(rng: np.random.Generator) -> None:
    for n_people, size in ((9_999, 3_400), (8_000, 2_700)):
        bags = deal_bags(n_people, 200, rng, size=size, rarest=1_000)
        assert {n_people - bag.draws.n_people for bag in bags} <= {0, 1}


@pytest.mark.parametrize(("n_people", "rarest"), [(4_999, 1_000), (10_000, 90)])
def test_few_people_and_rare_groups_are_resampled_whole(
    n_people: int, rarest: int, rng: np.random.Generator
) -> None:
    (bag,) = deal_bags(n_people, 100, rng, size=2_500, rarest=rarest)
    assert (bag.members == np.arange(n_people)).all()
    assert bag.copies == 1


def test_capture_rates_of_bags_vary_as_those_of_everyone(
    people: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [N * i // 10 for i in range(1, 10)]
    bags = capture_rate(*people, sizes, rng=np.random.default_rng(1), n_bootstrap=600)
    monkeypatch.setattr(capture, "_SMALLEST_BAG", N)
    whole = capture_rate(*people, sizes, rng=np.random.default_rng(2), n_bootstrap=600)
    widths = [t["capture_rate_upper"] - t["capture_rate_lower"] for t in (bags, whole)]
    # nine widths of 5 % Monte Carlo error each, on both sides
    assert (widths[0] / widths[1]).mean() == pytest.approx(1, abs=0.12)
    middles = [t["capture_rate_upper"] + t["capture_rate_lower"] for t in (bags, whole)]
    assert ((middles[0] - middles[1]) / widths[1]).abs().max() < 0.3


def test_performance_of_bags_varies_as_that_of_everyone(
    people: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = pd.Index([f"p{i}" for i in range(N)])
    score, decline = people
    known = pd.Series(decline, index=index)
    truth = TrueDecline(known, known, known + 100, "measured", 0)
    scores = pd.DataFrame({"participant_id": index, "strategy": "regression", "score": score})
    definition = FastProgressorDefinition(top_fraction=0.3)

    def measure(seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        found = compute_predictor_performance(scores, truth, definition, rng=rng, n_bootstrap=600)
        return found.set_index("metric").drop("missing_score_rate")

    bags = measure(1)
    monkeypatch.setattr(predictor_performance, "_SMALLEST_BAG", N)
    whole = measure(2)
    widths = [t["value_upper"] - t["value_lower"] for t in (bags, whole)]
    # as above, but six metrics that move together
    assert (widths[0] / widths[1]).mean() == pytest.approx(1, abs=0.2)
    assert bags["value"].equals(whole["value"])
    assert bags["value"].between(bags["value_lower"], bags["value_upper"]).all()
