"""Capture rates: known answers, the right chance, intervals that cover."""

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohorts.schema import validate_table
from trialsim.enrichment import FastProgressorDefinition, capture_rate, compute_capture_rates
from trialsim.enrichment.evaluation import resampled_capture
from trialsim.enrichment.evaluation.resampled_capture import compute_resampled_rates
from trialsim.enrichment.truth import TrueDecline
from trialsim.errors import DesignError

TOP_S = FastProgressorDefinition()


def make_truth(decline: np.ndarray[Any, Any]) -> TrueDecline:
    index = pd.Index([f"sub-{number:04d}" for number in range(len(decline))])
    values = pd.Series(decline, index=index)
    return TrueDecline(values, values / 2, values * 0 + 7000, "latent", 0)


def make_scores(truth: TrueDecline, **columns: np.ndarray[Any, Any]) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"participant_id": truth.decline.index, "strategy": name, "score": values})
        for name, values in columns.items()
    ]
    return pd.concat(frames, ignore_index=True).assign(fold=pd.NA)


def test_capture_of_small_example(rng: np.random.Generator) -> None:
    table = capture_rate([4, 3, 2, 1, 0], [1, 4, 3, 2, 0], [1, 2, 3, 5], rng=rng)
    assert table["capture_rate"].tolist() == pytest.approx([0, 1 / 2, 2 / 3, 1])
    assert table["chance_rate"].tolist() == [0.2, 0.4, 0.6, 1]


def test_rates_by_count_are_those_of_repeated_people(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resampled_capture, "_AT_ONCE", 100)
    counts = rng.multinomial(40, np.full(40, 1 / 40), size=7)
    order, sizes = rng.permutation(40), np.array([1, 8, 39, 40])
    is_fast = rng.random(40) < 0.3
    found = compute_resampled_rates(counts.astype(np.int32), order, order, is_fast, sizes)
    for often, rates in zip(counts, found, strict=True):
        fast = is_fast[np.repeat(order, often[order])]
        assert rates.tolist() == [fast[:size].sum() / fast.sum() for size in sizes]


def test_chance_p_value_counts_every_selection(rng: np.random.Generator) -> None:
    n, size, fast = 8, 3, {0, 2, 5}
    score = -np.arange(n, dtype=float)
    flags = np.isin(np.arange(n), list(fast))
    table = capture_rate(score, np.zeros(n), size, fast=flags, rng=rng)
    caught = len(fast & {0, 1, 2})
    as_many = sum(len(fast & set(chosen)) >= caught for chosen in combinations(range(n), size))
    assert table["chance_p_value"].item() == pytest.approx(as_many / comb(n, size))


def test_perfect_score_captures_all_and_reversed_score_none(rng: np.random.Generator) -> None:
    decline = rng.normal(size=100)
    assert capture_rate(decline, decline, 30, rng=rng)["capture_rate"].item() == 1
    assert capture_rate(-decline, decline, 30, rng=rng)["capture_rate"].item() == 0


def test_capture_does_not_change_with_the_scale_of_the_score(rng: np.random.Generator) -> None:
    decline, score = rng.normal(size=(2, 100))
    plain = capture_rate(score, decline, [20, 50], rng=np.random.default_rng(1))
    scaled = capture_rate(np.exp(score), decline, [20, 50], rng=np.random.default_rng(1))
    pd.testing.assert_frame_equal(plain, scaled)


def test_random_scores_capture_the_selected_share_on_average() -> None:
    rng = np.random.default_rng(5)
    rates = [
        capture_rate(*rng.normal(size=(2, 154)), 50, rng=rng, n_bootstrap=0)["capture_rate"].item()
        for _ in range(400)
    ]
    error = np.std(rates) / np.sqrt(len(rates))
    assert np.mean(rates) == pytest.approx(50 / 154, abs=4 * error)


def test_ties_are_broken_at_random() -> None:
    decline = np.arange(100.0)
    rates = [
        capture_rate(
            np.repeat([0, 0], 50), decline, 50, rng=np.random.default_rng(k), n_bootstrap=0
        )
        for k in range(40)
    ]
    values = [table["capture_rate"].item() for table in rates]
    assert np.std(values) > 0
    assert np.mean(values) == pytest.approx(0.5, abs=0.05)


def test_missing_scores_rank_last(rng: np.random.Generator) -> None:
    score = np.array([np.nan, np.nan, 1.0, 2.0])
    table = capture_rate(score, [4, 3, 2, 1], [2, 3], rng=rng)
    assert table["capture_rate"].iloc[0] == 0


def test_interval_covers_the_capture_rate_of_the_population() -> None:
    # Population: share of the top 30 % by decline among the top 30 % by score at rho = 0.6.
    big = np.random.default_rng(1)
    x = big.normal(size=400_000)
    y = 0.6 * x + 0.8 * big.normal(size=x.size)
    target = np.mean(y[x > np.quantile(x, 0.7)] > np.quantile(y, 0.7))
    hits = 0
    for k in range(100):
        rng = np.random.default_rng(100 + k)
        score = rng.normal(size=200)
        decline = 0.6 * score + 0.8 * rng.normal(size=200)
        row = capture_rate(score, decline, 60, rng=rng, n_bootstrap=200).iloc[0]
        hits += row["capture_rate_lower"] <= target <= row["capture_rate_upper"]
    # 95 of 100 expected; a binomial falls below 86 with probability 0.0003.
    assert hits >= 86


def test_fixed_definition_counts_its_own_people(rng: np.random.Generator) -> None:
    decline = np.arange(10.0)
    truth = make_truth(decline)
    definition = FastProgressorDefinition(rate_below=-3.4)
    scores = make_scores(truth, mine=decline, poor=-decline)
    found = compute_capture_rates(scores, truth, definition, [1, 3, 10], rng=rng)
    rates = found.rates.set_index(["strategy", "n_selected"])["capture_rate"]
    assert rates["mine"].tolist() == pytest.approx([1 / 3, 1, 1])
    assert rates["poor"].tolist() == pytest.approx([0, 0, 1])


def test_tables_fit_their_schema_and_random_is_shown_at_chance(rng: np.random.Generator) -> None:
    decline, score = rng.normal(size=(2, 120))
    truth = make_truth(decline)
    scores = make_scores(truth, random=rng.random(120), mine=score + decline, oracle=decline)
    found = compute_capture_rates(scores, truth, TOP_S, [30, 60], rng=rng)
    validate_table(found.rates, "capture_rates")
    validate_table(found.differences, "capture_differences")
    chance = found.rates[found.rates["strategy"] == "random"]
    assert chance["capture_rate"].tolist() == [0.25, 0.5]
    assert (chance["capture_rate_lower"] < chance["capture_rate"]).all()


def test_difference_of_equal_strategies_is_zero_and_of_paired_ones_is_narrow(
    rng: np.random.Generator,
) -> None:
    decline = rng.normal(size=200)
    score = decline + rng.normal(size=200)
    truth = make_truth(decline)
    close = score + rng.normal(0, 0.05, size=200)
    scores = make_scores(truth, one=score, same=score, close=close)
    found = compute_capture_rates(scores, truth, TOP_S, 60, rng=rng)
    pairs = found.differences.set_index(["strategy", "reference_strategy"])
    same = pairs.loc[("same", "one")]
    assert same["difference"] == 0
    assert same[["difference_lower", "difference_upper"]].isna().all()
    near = pairs.loc[("close", "one")]
    width = near["difference_upper"] - near["difference_lower"]
    one = found.rates.set_index("strategy").loc["one"]
    assert width < 0.6 * (one["capture_rate_upper"] - one["capture_rate_lower"])


def test_an_interval_is_never_of_no_width_and_needs_200_resamples(rng: np.random.Generator) -> None:
    decline = rng.normal(size=100)
    whole = capture_rate(decline, decline, [30, 100], rng=rng)
    # Wilson's interval of 30 of 30; nothing varies where everyone is selected
    assert whole["capture_rate_lower"].iloc[0] == pytest.approx(30 / (30 + 1.96**2), abs=1e-3)
    assert whole["capture_rate_upper"].iloc[0] == pytest.approx(1)
    assert whole[["capture_rate_lower", "capture_rate_upper"]].iloc[1].isna().all()
    few = capture_rate(decline, rng.normal(size=100), 30, rng=rng, n_bootstrap=199)
    assert few[["capture_rate_lower", "capture_rate_upper"]].isna().all(axis=None)


TENTHS = [4 * tenths for tenths in range(1, 10)]


@pytest.mark.parametrize("definition", [TOP_S, FastProgressorDefinition(top_fraction=0.3)])
def test_few_people_of_whom_all_are_captured_prove_nothing(
    definition: FastProgressorDefinition,
) -> None:
    """Where 36 of 40 are selected resamples hardly part: p values and intervals are not theirs."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        truth = make_truth(rng.normal(size=40))
        columns = {f"s{j}": rng.normal(size=40) for j in range(2)}
        made = make_scores(truth, **columns, random=np.full(40, np.nan))
        found = compute_capture_rates(made, truth, definition, TENTHS, rng=rng, n_bootstrap=300)
        for strategy, table in found.rates.groupby("strategy"):
            if strategy == "random":
                continue
            flags = (
                None
                if definition.is_top_selected
                else definition.find_fast(truth.decline, truth.annual_decline)
            )
            alone = capture_rate(
                columns[str(strategy)],
                truth.decline,
                TENTHS,
                rng=rng,
                fast=flags,
                n_bootstrap=0,
            )["chance_p_value"].to_numpy()
            # four standard errors of a share of 300
            error = 4 * np.sqrt(alone * (1 - alone) / 300) + 1e-9
            assert (table["chance_p_value"].to_numpy() >= alone - error).all()
            width = table["capture_rate_upper"] - table["capture_rate_lower"]
            assert (width > 0.05).all()
        differences = found.differences
        width = differences["difference_upper"] - differences["difference_lower"]
        assert (width > 0.05).all()
        assert (
            differences["difference"]
            .between(differences["difference_lower"], differences["difference_upper"])
            .all()
        )


def test_the_same_ranking_twice_is_one_test_and_another_is_two(rng: np.random.Generator) -> None:
    truth = make_truth(rng.normal(size=60))
    score = truth.decline.to_numpy() + 2 * rng.normal(size=60)
    exact = capture_rate(score, truth.decline, 20, rng=rng, n_bootstrap=0)["chance_p_value"].item()
    adjusted = {}
    for name, other in (("same", score), ("another", rng.normal(size=60))):
        made = make_scores(truth, mine=score, other=other)
        found = compute_capture_rates(made, truth, TOP_S, 20, rng=rng, n_bootstrap=4000)
        adjusted[name] = found.rates.set_index("strategy")["chance_p_value"]["mine"]
    assert 0.001 < exact < 0.2
    # four standard errors of a share of 4,000
    error = 4 * np.sqrt(exact * (1 - exact) / 4000)
    assert adjusted["same"] == pytest.approx(exact, abs=error)
    assert adjusted["another"] == pytest.approx(1 - (1 - exact) ** 2, abs=2 * error)


@pytest.mark.slow
def test_p_values_of_many_strategies_are_one_family() -> None:
    smallest = []
    for k in range(60):
        rng = np.random.default_rng(k)
        truth = make_truth(rng.normal(size=80))
        columns = {f"s{j}": rng.normal(size=80) for j in range(6)}
        found = compute_capture_rates(
            make_scores(truth, **columns), truth, TOP_S, [20, 30, 40], rng=rng, n_bootstrap=200
        )
        smallest.append(found.rates["chance_p_value"].min())
    # scores of chance: 5 % of the families reject anything; a binomial of 60 stays below 10
    assert (np.array(smallest) < 0.05).sum() < 10
    strong = make_scores(truth, mine=truth.decline.to_numpy() + 0.3 * rng.normal(size=80))
    found = compute_capture_rates(strong, truth, TOP_S, [30], rng=rng)
    assert found.rates["chance_p_value"].item() < 0.01


def test_people_without_known_decline_are_left_out(rng: np.random.Generator) -> None:
    truth = make_truth(rng.normal(size=50))
    scores = make_scores(truth, mine=rng.normal(size=50))
    scores = pd.concat([scores, scores.assign(participant_id=lambda t: "z" + t["participant_id"])])
    found = compute_capture_rates(scores, truth, TOP_S, 10, rng=rng)
    assert found.rates["n_evaluated"].item() == 50


@pytest.mark.parametrize("size", [0, 51, [10, 60]])
def test_impossible_number_selected_is_told(size: Any, rng: np.random.Generator) -> None:
    with pytest.raises(DesignError, match="must be between 1 and 50"):
        capture_rate(rng.normal(size=50), rng.normal(size=50), size, rng=rng)


def test_missing_decline_is_told(rng: np.random.Generator) -> None:
    with pytest.raises(DesignError, match="1 missing"):
        capture_rate([1, 2, 3], [1, np.nan, 3], 1, rng=rng)


BAD = [
    ({"top_fraction": 0.3, "rate_below": -3}, "not both"),
    ({"top_fraction": 1.0}, "top_fraction must be between 0 and 1, both excluded"),
    ({"rate_below": 3}, "rate_below must be negative"),
    ({"unit": "liters"}, "unit must be"),
    ({"horizon_months": 0}, "horizon_months must be above 0"),
    ({"window_months": -1}, "window_months must be 0 or more"),
    ({"window_months": 24}, "below the horizon of 24 months, got 24"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD)
def test_wrong_definition_is_told(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        FastProgressorDefinition(**arguments)


def test_a_rate_that_is_the_limit_is_not_below_it() -> None:
    decline = pd.Series([2.0, 3.0, 4.0])
    fast = FastProgressorDefinition(rate_below=-3).find_fast(decline, decline)
    assert fast.tolist() == [False, False, True]


def test_definition_that_parts_nobody_is_told() -> None:
    with pytest.raises(DesignError, match="makes 0 of 5 people fast"):
        FastProgressorDefinition(rate_below=-10).find_fast(pd.Series(range(5)), pd.Series(range(5)))


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 1, 4, 2, 0], [4, 3, 2, 1, 0]])
def test_of_people_who_decline_alike_the_first_by_name_are_fast(order: list[int]) -> None:
    decline = pd.Series([1.0, 3.0, 2.0, 2.0, 2.0], ["a", "b", "e", "d", "c"]).iloc[order]
    fast = FastProgressorDefinition(top_fraction=0.6).find_fast(decline, decline / 2)
    assert sorted(decline.index[fast]) == ["b", "c", "d"]
