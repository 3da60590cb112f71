"""Strategies see baseline data only, fit on others, and say when they cannot score."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohorts.schema import validate_table
from trialsim.enrichment import STRATEGIES, ScreeningTables, build_strategies, score_people
from trialsim.enrichment.scoring import count_missing_scores, describe_unscored
from trialsim.enrichment.strategies.features import describe_unlearned, describe_unread
from trialsim.enrichment.strategies.unfitted import GivenScores
from trialsim.errors import DesignError

FITTED = ["regression", "boosting", "stacked"]
BUILT_IN = ["random", "baseline_volume", *FITTED, "brlp", "oracle"]


def score(names: list[str], tables: ScreeningTables, seed: int = 1) -> pd.DataFrame:
    table = score_people(build_strategies(names), tables, np.random.default_rng(seed))
    return table.set_index(["strategy", "participant_id"])


def test_every_strategy_scores_everyone(people: ScreeningTables) -> None:
    table = score(BUILT_IN, people).reset_index()
    validate_table(table, "scores")
    assert table["score"].notna().all()
    assert table.groupby("strategy").size().eq(300).all()


def test_only_cross_fitted_strategies_record_folds(people: ScreeningTables) -> None:
    folds = score(BUILT_IN, people)["fold"].notna().groupby("strategy").all()
    assert {name for name, recorded in folds.items() if recorded} == set(FITTED)


@pytest.mark.parametrize("name", FITTED)
def test_own_outcome_never_moves_own_score(people: ScreeningTables, name: str) -> None:
    before = score([name], people).loc[name]
    changed = people.outcome.copy()
    changed.iloc[5] += 50
    after = score([name], replace(people, outcome=changed)).loc[name]
    own = before["fold"] == before["fold"].iloc[5]
    assert after["score"][own].equals(before["score"][own])
    assert not np.allclose(after["score"][~own], before["score"][~own])


@pytest.mark.parametrize("name", ["baseline_volume", "brlp", "random"])
def test_outcome_does_not_reach_unfitted_strategies(people: ScreeningTables, name: str) -> None:
    assert score([name], people).equals(score([name], replace(people, outcome=None)))


def test_scores_do_not_depend_on_which_other_strategies_run(people: ScreeningTables) -> None:
    alone = score(["regression"], people).loc["regression"]
    together = score(BUILT_IN, people).loc["regression"]
    assert alone.equals(together)


def test_fitted_strategies_share_their_folds(people: ScreeningTables) -> None:
    folds = score(FITTED, people)["fold"].unstack("strategy")  # noqa: PD010
    assert (folds["regression"] == folds["stacked"]).all()
    assert (folds["regression"] == folds["boosting"]).all()


def test_folds_are_of_equal_size(people: ScreeningTables) -> None:
    assert score(["regression"], people)["fold"].value_counts().tolist() == [60] * 5


def test_training_on_others_records_no_fold(people: ScreeningTables, simulate: Any) -> None:
    others = simulate(200, np.random.default_rng(3))
    others = replace(others, baseline=others.baseline.rename(index=lambda name: f"x{name}"))
    others = replace(others, outcome=others.outcome.rename(index=lambda name: f"x{name}"))
    table = score(["regression"], replace(people, outcome=None, training=others))
    assert table["fold"].isna().all()
    assert np.corrcoef(table["score"], people.truth)[0, 1] > 0.5


def test_baseline_volume_is_free_of_head_size(people: ScreeningTables) -> None:
    scores = score(["baseline_volume"], people).loc["baseline_volume", "score"]
    head = people.baseline["head_size_mm3"]
    assert np.corrcoef(scores, head)[0, 1] == pytest.approx(0, abs=1e-10)
    assert np.corrcoef(scores, people.baseline["hippocampus_mm3"])[0, 1] < -0.9


@pytest.mark.parametrize("unit", ["percent", "mm3"])
def test_brlp_scores_are_the_predicted_decline(people: ScreeningTables, unit: str) -> None:
    rows = people.predictions.set_index("participant_id")
    loss = rows["baseline_volume_mm3"] - rows["volume_mm3"]
    expected = loss if unit == "mm3" else 100 * loss / rows["baseline_volume_mm3"]
    scores = score(["brlp"], replace(people, unit=unit)).loc["brlp", "score"]
    assert scores.to_numpy() == pytest.approx(expected.to_numpy())


def test_two_sides_are_added_where_the_whole_region_is_not_predicted(
    people: ScreeningTables,
) -> None:
    halves = [
        people.predictions.assign(
            region=f"{side}_hippocampus",
            volume_mm3=lambda rows: rows["volume_mm3"] / 2,
            baseline_volume_mm3=lambda rows: rows["baseline_volume_mm3"] / 2,
        )
        for side in ("left", "right")
    ]
    both = score(["brlp"], replace(people, predictions=pd.concat(halves)))
    assert both["score"].to_numpy() == pytest.approx(score(["brlp"], people)["score"].to_numpy())


def test_people_without_a_feature_or_prediction_have_no_score(people: ScreeningTables) -> None:
    baseline = people.baseline.copy()
    baseline.loc["sub-0007", "hippocampus_mm3"] = np.nan
    tables = replace(people, baseline=baseline, predictions=people.predictions.iloc[10:])
    scores = score(BUILT_IN, tables).reset_index()
    missing = count_missing_scores(scores)
    few = scores[scores["strategy"].isin(["random", "brlp"])]
    assert describe_unscored(few, tables.index[7:12]) == [
        "brlp: 3 of 5 people have no score; they are enrolled last, by chance, and count in its "
        "capture rates."
    ]
    expected = {"random": 0, "oracle": 0, "brlp": 10, "stacked": 10, "boosting": 1}
    expected |= {"baseline_volume": 1, "regression": 1}
    assert missing.to_dict() == expected


def test_stacked_works_without_uncertainty(people: ScreeningTables) -> None:
    one_draw = people.predictions.assign(n_samples=1, volume_sd_mm3=np.nan)
    table = score(["stacked"], replace(people, predictions=one_draw))
    assert table["score"].notna().all()
    # what is known of one draw is the same share of everyone's volume, and tells nobody apart
    noise = np.random.default_rng(1).uniform(50, 100, len(one_draw))
    known = score(["stacked"], replace(people, predictions=one_draw.assign(volume_sd_mm3=noise)))
    pd.testing.assert_frame_equal(known, table)


def test_only_the_oracle_is_unattainable() -> None:
    unattainable = [name for name, each in STRATEGIES.items() if not each.is_attainable]
    assert unattainable == ["oracle"]
    assert [name for name, each in STRATEGIES.items() if each.enrolls_everyone] == ["random"]


def few(tables: ScreeningTables, count: int) -> ScreeningTables:
    return replace(tables, baseline=tables.baseline.iloc[:count])


BAD: list[tuple[str, Any, str]] = [
    ("regression", lambda t: few(t, 10), "only 10 people have every feature"),
    ("regression", lambda t: replace(t, outcome=None), "no measured change to fit on"),
    (
        "regression",
        lambda t: replace(t, training=replace(t, outcome=None)),
        "nobody of those to fit on (--train-on) has a visit near",
    ),
    ("brlp", lambda t: replace(t, predictions=None), "no predicted volumes"),
    (
        "brlp",
        lambda t: replace(t, predictions=t.predictions.assign(region="thalamus")),
        "no volume of hippocampus",
    ),
    ("brlp", lambda t: replace(t, horizon_months=60), "nearest prediction is for 24 months"),
    (
        "brlp",
        lambda t: replace(
            t, predictions=pd.concat([t.predictions, t.predictions.assign(model_id="b")])
        ),
        "of 2 models (b, stand-in)",
    ),
    ("auxiliary", lambda t: t, "no predicted volumes"),
    ("oracle", lambda t: replace(t, truth=None), "true decline is not known"),
    ("oracle", lambda t: replace(t, truth=t.truth * 0 + 1), "all 300 people the same score, 1"),
    ("oracle", lambda t: replace(t, truth=t.truth * np.nan), "gives nobody a score"),
    (
        "baseline_volume",
        lambda t: replace(t, baseline=t.baseline.drop(columns="head_size_mm3")),
        "no head_size_mm3 at baseline",
    ),
    ("baseline_volume", lambda t: few(t, 2), "in at least 3 people"),
]


@pytest.mark.parametrize(("name", "spoil", "words"), BAD)
def test_what_a_strategy_cannot_do_is_one_sentence(
    people: ScreeningTables, name: str, spoil: Any, words: str
) -> None:
    with pytest.raises(DesignError) as caught:
        score([name], spoil(people))
    assert len(caught.value.problems) == 1
    assert words in caught.value.problems[0]


def test_problems_of_all_strategies_come_together(people: ScreeningTables) -> None:
    with pytest.raises(DesignError) as caught:
        score(["brlp", "regression"], replace(people, predictions=None, outcome=None))
    assert len(caught.value.problems) == 2


def test_constant_scores_are_refused(people: ScreeningTables) -> None:
    flat = GivenScores("flat", pd.Series(2.0, index=people.index))
    with pytest.raises(DesignError, match="flat: it gives all 300 people the same score, 2"):
        score_people([flat], people, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("names", "words"), [(["magic"], "no strategy 'magic'"), (["brlp", "brlp"], "named twice")]
)
def test_wrong_names_are_told(names: list[str], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        build_strategies(names)


def test_people_may_not_be_repeated(people: ScreeningTables) -> None:
    with pytest.raises(DesignError, match="holds 300 people twice"):
        replace(people, baseline=pd.concat([people.baseline, people.baseline]))


def test_stacked_cross_fits_where_training_people_have_no_predictions(
    people: ScreeningTables,
) -> None:
    taught = replace(
        people, baseline=people.baseline.set_axis("t" + people.index), predictions=None
    )
    alone = score(["stacked"], people)
    pd.testing.assert_frame_equal(score(["stacked"], replace(people, training=taught)), alone)


def test_what_too_few_have_is_told_since_no_model_reads_it(people: ScreeningTables) -> None:
    taught = replace(people, baseline=people.baseline.assign(amygdala_mm3=3000.0, mmse=28.0))
    few = people.baseline["head_size_mm3"].mask(np.arange(300) < 90)
    screened = replace(people, baseline=people.baseline.assign(head_size_mm3=few), training=taught)
    amygdala, head, mmse = describe_unread(screened, covariates=True)
    assert amygdala.startswith("No strategy that learns from outcomes reads amygdala_mm3, which 0 ")
    assert "which 210 of the 300 people screened and 300 of the 300 people to fit on have" in head
    assert "reads mmse" in mmse
    assert describe_unread(screened, covariates=False) == [amygdala, head]
    # nor is anything told of what all have or nobody has
    assert describe_unread(people, covariates=True) == []


def test_groups_that_nobody_is_there_to_learn_from_are_told(people: ScreeningTables) -> None:
    assert people.outcome is not None
    with_mci = people.baseline["diagnosis"] == "MCI"
    # whose decline is not known teaches nothing
    known = people.outcome.drop(people.outcome.index[with_mci[people.outcome.index]])
    taught = replace(people, outcome=known)
    (sentence,) = describe_unlearned(replace(people, training=taught))
    assert f"{with_mci.sum()} of the 300 people screened have the diagnosis MCI" in sentence
    assert "(AD, CN)" in sentence
    assert describe_unlearned(replace(people, training=people)) == describe_unlearned(people) == []
