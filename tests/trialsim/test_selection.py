"""Selection by rank, and whom it leaves out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cohorts.schema import validate_table
from trialsim.comparison.refitting import widen_scores
from trialsim.enrichment import (
    ScreeningTables,
    build_strategies,
    compute_group_differences,
    count_selected,
    count_selections,
    rank_people,
    score_people,
)
from trialsim.enrichment.selection import rank_scores
from trialsim.errors import DesignError

IN_ORDER = pd.DataFrame(
    {"participant_id": ["a", "b", "c", "d"], "strategy": "mine", "rank": [1, 2, 3, 4]}
)
HALF = count_selections(IN_ORDER, [0.5])


@pytest.fixture
def scores(people: ScreeningTables, rng: np.random.Generator) -> pd.DataFrame:
    return score_people(build_strategies(["random", "baseline_volume", "oracle"]), people, rng)


def test_top_scores_are_selected(scores: pd.DataFrame, rng: np.random.Generator) -> None:
    rankings = rank_people(scores, rng)
    validate_table(rankings, "rankings")
    counts = count_selections(rankings, [0.3]).set_index("strategy")
    merged = rankings.merge(scores, on=["participant_id", "strategy"]).query("strategy == 'oracle'")
    chosen = merged["rank"] <= counts.loc["oracle", "n_selected"]
    assert chosen.sum() == 90
    assert merged.loc[chosen, "score"].min() > merged.loc[~chosen, "score"].max()


def test_rankings_do_not_depend_on_how_the_scores_are_sorted(scores: pd.DataFrame) -> None:
    mixed = scores.sort_values("participant_id", kind="stable")
    key = ["strategy", "participant_id"]
    found, other = (
        rank_people(table.query("strategy != 'random'"), np.random.default_rng(1))
        .set_index(key)["rank"]
        .sort_index()
        for table in (scores, mixed)
    )
    pd.testing.assert_series_equal(found, other)


def test_random_enrolls_everyone_once(scores: pd.DataFrame, rng: np.random.Generator) -> None:
    counts = count_selections(rank_people(scores, rng), [0.3, 0.5])
    validate_table(counts, "selection_counts")
    assert counts["strategy"].value_counts()["oracle"] == 2
    (row,) = counts.query("strategy == 'random'").itertuples()
    assert (row.fraction_enrolled, row.n_selected) == (1.0, row.n_ranked)


def test_missing_scores_rank_last_in_random_order() -> None:
    score = np.array([np.nan, 1.0, np.nan, 2.0])
    ranks = [rank_scores(score, np.random.default_rng(seed)) for seed in range(20)]
    assert {tuple(rank[[1, 3]]) for rank in ranks} == {(2, 1)}
    assert {tuple(rank[[0, 2]]) for rank in ranks} == {(3, 4), (4, 3)}


@pytest.mark.parametrize(
    ("fraction", "n_people", "expected"), [(0.3, 154, 46), (0.5, 5, 3), (0.001, 10, 1), (1, 7, 7)]
)
def test_fraction_is_rounded_to_whole_people(fraction: float, n_people: int, expected: int) -> None:
    assert count_selected(fraction, n_people) == expected


@pytest.mark.parametrize("fraction", [0, -0.1, 1.1])
def test_impossible_fraction_is_told(
    scores: pd.DataFrame, rng: np.random.Generator, fraction: float
) -> None:
    with pytest.raises(DesignError, match="fraction enrolled must be"):
        count_selections(rank_people(scores, rng), [fraction])


def test_standardized_differences_of_a_known_selection() -> None:
    participants = pd.DataFrame(
        {
            "participant_id": ["a", "b", "c", "d"],
            "age_years": [70.0, 72.0, 60.0, 66.0],
            "sex": ["F", "M", "F", "M"],
            "diagnosis": ["AD", "AD", "CN", "MCI"],
        }
    )
    table = compute_group_differences(IN_ORDER, HALF, participants)
    validate_table(table, "group_differences")
    found = table.set_index("covariate")["standardized_difference"]
    # variances of 2 and 18
    assert found["age_years"] == pytest.approx(8 / np.sqrt(10))
    assert found["sex F"] == pytest.approx(0)
    assert np.isnan(found["diagnosis AD"])
    assert table.set_index("covariate").loc["diagnosis AD", "mean_selected"] == 1


def test_each_fraction_is_compared_by_whom_it_selects(rng: np.random.Generator) -> None:
    names = [f"p{place:02d}" for place in range(12)]
    participants = pd.DataFrame({"participant_id": names, "age_years": rng.normal(70, 5, size=12)})
    ranks = rng.permutation(12) + 1
    rankings = pd.DataFrame({"participant_id": names, "strategy": "mine", "rank": ranks})
    rankings = rankings.sort_values("rank")
    counts = count_selections(rankings, [0.25, 0.5])
    table = compute_group_differences(rankings, counts, participants)
    assert table["fraction_enrolled"].tolist() == [0.25, 0.5]
    for row, n_selected in zip(table.itertuples(), [3, 6], strict=True):
        age, is_selected = participants["age_years"], ranks <= n_selected
        assert row.mean_selected == pytest.approx(age[is_selected].mean())
        assert row.mean_not_selected == pytest.approx(age[~is_selected].mean())


def test_what_is_known_of_one_person_is_not_compared() -> None:
    participants = pd.DataFrame(
        {
            "participant_id": ["a", "b", "c", "d"],
            "age_years": [70.0, 60.0, 65.0, 80.0],
            "mmse": [22.0, np.nan, 30.0, 29.0],
        }
    )
    assert set(compute_group_differences(IN_ORDER, HALF, participants)["covariate"]) == {
        "age_years"
    }


def test_selection_by_volume_leaves_the_large_ones_out(
    people: ScreeningTables, scores: pd.DataFrame, rng: np.random.Generator
) -> None:
    rankings = rank_people(scores, rng)
    table = compute_group_differences(
        rankings, count_selections(rankings, [0.3, 1.0]), people.baseline.reset_index()
    )
    assert not (table["strategy"] == "random").any()
    assert set(table["fraction_enrolled"]) == {0.3}
    volume = table.query("strategy == 'baseline_volume' and covariate == 'hippocampus_mm3'")
    assert volume["standardized_difference"].item() < -1


def test_nobody_left_out_gives_an_empty_table(
    people: ScreeningTables, scores: pd.DataFrame, rng: np.random.Generator
) -> None:
    rankings = rank_people(scores, rng)
    table = compute_group_differences(
        rankings, count_selections(rankings, [1.0]), people.baseline.reset_index()
    )
    assert table.empty
    validate_table(table, "group_differences")


def test_strangers_in_a_selection_are_told(
    people: ScreeningTables, scores: pd.DataFrame, rng: np.random.Generator
) -> None:
    few = replace(people, baseline=people.baseline.iloc[:5])
    rankings = rank_people(scores, rng)
    with pytest.raises(DesignError, match="not in the participants table"):
        compute_group_differences(
            rankings, count_selections(rankings, [0.5]), few.baseline.reset_index()
        )


def test_some_of_the_people_keep_what_is_known_of_them(
    people: ScreeningTables, rng: np.random.Generator
) -> None:
    rows = np.array([3, 7, 50])
    some = people.select(rows)
    assert some.outcome is not None
    assert people.outcome is not None
    assert some.index.tolist() == people.index[rows].tolist()
    assert some.outcome.index.isin(some.index).all()
    pd.testing.assert_series_equal(
        some.outcome, people.outcome.reindex(some.index).dropna(), check_names=False
    )
    assert some.baseline["age_years"].tolist() == people.baseline["age_years"].iloc[rows].tolist()


def test_scores_are_spread_by_strategy_in_order_of_their_people() -> None:
    scores = pd.DataFrame(
        {
            "participant_id": ["c", "a", "b", "a", "c"],
            "strategy": ["random", "random", "random", "oracle", "oracle"],
            "score": [3.0, 1.0, np.nan, 5.0, 6.0],
        }
    ).astype({"participant_id": "str", "strategy": "str"})
    wide = widen_scores(scores)
    assert wide.index.tolist() == ["a", "b", "c"]
    assert wide.index.name == "participant_id"
    assert list(wide.columns) == ["random", "oracle"]
    np.testing.assert_array_equal(wide.to_numpy(), [[1, 5], [np.nan, np.nan], [3, 6]])
