"""True decline: measured, latent, from the next visit on; what strategies are given."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohorts.cohort import Cohort
from cohorts.synthetic.truth import read_true_volumes, write_true_volumes
from trialsim.enrichment import (
    FastProgressorDefinition,
    ScreeningTables,
    build_screening_tables,
    build_strategies,
    read_score_strategies,
    score_people,
)
from trialsim.enrichment.truth import (
    build_latent_cohort,
    compute_latent_decline,
    compute_later_decline,
    compute_measured_decline,
)
from trialsim.errors import DesignError

DEFINITION = FastProgressorDefinition(horizon_months=24)


def make_latent(cohort: Cohort, people: ScreeningTables) -> pd.DataFrame:
    latent = [
        pd.DataFrame(
            {
                "participant_id": people.index,
                "session_id": f"m{months:02d}",
                "months_from_baseline": float(months),
                "region": "hippocampus",
                "volume_mm3": people.baseline["hippocampus_mm3"]
                * (1 - months / 24 * people.truth / 100),
            }
        )
        for months in (0, 12, 24)
    ]
    return pd.concat(latent, ignore_index=True)


def test_measured_decline_leaves_out_those_who_left(
    cohort: Cohort, people: ScreeningTables
) -> None:
    truth = compute_measured_decline(cohort, DEFINITION)
    assert truth.n_left_out == 75
    assert truth.kind == "measured"
    expected = people.truth[truth.decline.index]
    assert truth.decline.to_numpy() == pytest.approx(expected.to_numpy())
    assert truth.annual_decline.to_numpy() == pytest.approx(expected.to_numpy() / 2)


def test_a_yearly_decline_is_over_the_months_that_passed(cohort: Cohort) -> None:
    # the visits that stand for month 22 were at month 24
    truth = compute_measured_decline(cohort, FastProgressorDefinition(horizon_months=22))
    assert truth.annual_decline.to_numpy() == pytest.approx(truth.decline.to_numpy() / 2)


def test_other_regions_change_no_latent_decline(
    cohort: Cohort, people: ScreeningTables, tmp_path: Path
) -> None:
    latent = make_latent(cohort, people)
    others = latent.assign(region="amygdala", volume_mm3=100.0)
    write_true_volumes(pd.concat([others, latent], ignore_index=True), tmp_path)
    kept = read_true_volumes(tmp_path, region="hippocampus")
    pd.testing.assert_frame_equal(kept, latent, check_dtype=False)
    assert read_true_volumes(tmp_path, region="nosuch") is None
    every = compute_latent_decline(cohort, read_true_volumes(tmp_path), DEFINITION)
    alone = compute_latent_decline(cohort, latent, DEFINITION)
    pd.testing.assert_series_equal(every.decline, alone.decline)


def test_latent_decline_is_known_for_those_who_left(
    cohort: Cohort, people: ScreeningTables
) -> None:
    latent = make_latent(cohort, people)
    screening = build_screening_tables(cohort, DEFINITION, latent_volumes=latent)
    assert screening.truth is not None
    assert screening.truth.kind == "latent"
    assert screening.truth.n_left_out == 0
    assert len(screening.tables.outcome) == 225


def test_latent_decline_is_not_what_strategies_are_fitted_on(
    cohort: Cohort, people: ScreeningTables
) -> None:
    latent = make_latent(cohort, people).assign(volume_mm3=lambda rows: rows["volume_mm3"] + 100)
    screening = build_screening_tables(cohort, DEFINITION, latent_volumes=latent)
    measured = build_screening_tables(cohort, DEFINITION)
    pd.testing.assert_series_equal(screening.tables.outcome, measured.tables.outcome)


def test_later_decline_does_not_see_the_baseline_scan(
    cohort: Cohort, people: ScreeningTables
) -> None:
    noisy = cohort.volumes.copy()
    first = noisy["session_id"].eq("m00") & noisy["region"].eq("hippocampus")
    noisy.loc[first, "volume_mm3"] += np.random.default_rng(1).normal(0, 300, first.sum())
    later = compute_later_decline(replace(cohort, volumes=noisy), DEFINITION)
    clean = compute_later_decline(cohort, DEFINITION)
    assert later is not None
    assert clean is not None
    assert later.suffix == ", from the next visit on"
    pd.testing.assert_series_equal(later.decline, clean.decline)
    full = people.truth[later.decline.index]
    expected = 100 * (full / 200) / (1 - full / 200)
    assert later.decline.to_numpy() == pytest.approx(expected.to_numpy())


def test_no_later_decline_where_the_next_visit_is_the_last(cohort: Cohort) -> None:
    assert compute_later_decline(cohort, FastProgressorDefinition(horizon_months=12)) is None


def test_latent_cohort_holds_no_measured_volume(cohort: Cohort, people: ScreeningTables) -> None:
    latent = build_latent_cohort(cohort, make_latent(cohort, people))
    assert set(latent.volumes["source"]) == {"latent"}
    assert len(latent.visits) == 900


def test_horizon_without_visits_is_told(cohort: Cohort) -> None:
    with pytest.raises(DesignError, match="the latest visit is at 24 months"):
        compute_measured_decline(cohort, FastProgressorDefinition(horizon_months=60))


def test_cohort_without_follow_up_has_no_outcome(cohort: Cohort) -> None:
    visits = cohort.visits[cohort.visits["months_from_baseline"] == 0]
    volumes = cohort.volumes[cohort.volumes["session_id"] == "m00"]
    screening = build_screening_tables(replace(cohort, visits=visits, volumes=volumes), DEFINITION)
    assert screening.truth is None
    assert screening.tables.outcome is None


def test_people_without_a_visit_near_the_horizon_can_be_screened(cohort: Cohort) -> None:
    far = FastProgressorDefinition(horizon_months=60)
    screening = build_screening_tables(cohort, far)
    assert screening.truth is None
    with pytest.raises(DesignError, match="nobody has a visit near the horizon of 60 months"):
        score_people(build_strategies(["regression"]), screening.tables, np.random.default_rng(1))


def test_predictions_are_parted_by_model(cohort: Cohort, people: ScreeningTables) -> None:
    both = pd.concat([people.predictions, people.predictions.assign(model_id="auxiliary-huber")])
    tables = build_screening_tables(cohort, DEFINITION, predictions=both).tables
    assert tables.predictions["model_id"].unique().tolist() == ["stand-in"]
    assert tables.auxiliary["model_id"].unique().tolist() == ["auxiliary-huber"]


def test_screened_people_may_not_be_trained_on(cohort: Cohort) -> None:
    same = build_screening_tables(cohort, DEFINITION)
    with pytest.raises(DesignError, match="300 people are both screened and in the training"):
        build_screening_tables(cohort, DEFINITION, training=same)


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_score_file_names_its_strategy(people: ScreeningTables, tmp_path: Path) -> None:
    path = write(tmp_path, "participant_id,score\nsub-0000,1.5\nsub-0001,0.5\n")
    (strategy,) = read_score_strategies(path, people.index)
    scores = strategy.score(people, np.random.default_rng(1))["score"]
    assert strategy.name == "mine"
    assert scores.iloc[:2].tolist() == [1.5, 0.5]
    assert scores.isna().sum() == 298


def test_each_column_of_a_score_file_is_a_strategy(people: ScreeningTables, tmp_path: Path) -> None:
    path = write(tmp_path, "participant_id,tau,plasma\nsub-0000,1,2\nsub-0001,0,3\n")
    assert [each.name for each in read_score_strategies(path, people.index)] == ["tau", "plasma"]


BAD = [
    ("id,score\nsub-0000,1\n", "must have a column participant_id"),
    ("participant_id\nsub-0000\n", "at least one column of scores"),
    ("participant_id,score\nsub-0000,1\nsub-0000,2\n", "names 1 person twice (first: sub-0000)"),
    (
        "participant_id,score\nsub-0000,high\n",
        "1 value is no number (first: 'high' of sub-0000)",
    ),
    ("participant_id,score\nsub-0000,1\nsub-0001,inf\n", "1 value is infinite"),
    ("participant_id,score\nnobody,1\n", "names nobody of the screened people"),
    ("participant_id,brlp\nsub-0000,1\n", "'brlp', which is built in"),
    ("", "cannot be read"),
]


@pytest.mark.parametrize(("text", "words"), BAD)
def test_wrong_score_file_is_told(
    people: ScreeningTables, tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(DesignError) as caught:
        read_score_strategies(write(tmp_path, text), people.index)
    assert any(words in problem for problem in caught.value.problems), caught.value.problems
