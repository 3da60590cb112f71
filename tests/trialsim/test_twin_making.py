"""Twins from an archive or from predictions; frozen before outcomes, or told to be late."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohorts.cohort import Cohort
from cohorts.errors import TrialsimError
from cohorts.synthetic.tabular import synthesize_table
from cohorts.synthetic.trial import SyntheticTrial, synthesize_trial
from reports.store.study import Study
from trialsim.errors import DesignError
from trialsim.study.trials.analysis import analyze_trial
from trialsim.study.trials.frozen_twins import read_frozen_twins
from trialsim.study.trials.twin_making import MadeTwins, make_twins
from trialsim.twins.archive import predict_from_archive
from trialsim.twins.from_predictions import build_twins

MONTHS = [12.0, 24.0]


@pytest.fixture(scope="module")
def archive() -> Cohort:
    rng = np.random.default_rng(11)
    return synthesize_table(300, rng=rng, visits_months=[0, 12, 24], label="archive")[0]


@pytest.fixture(scope="module")
def trial() -> SyntheticTrial:
    return synthesize_trial(150, rng=np.random.default_rng(12), visits_months=[0, *MONTHS])


def test_archive_twins_know_decline_and_how_far_they_err(
    archive: Cohort, trial: SyntheticTrial
) -> None:
    made = predict_from_archive(trial.baseline, archive, months=MONTHS)
    last = made.table[made.table["months"] == 24].set_index("participant_id")
    truth = trial.truth.volumes.query("region == 'hippocampus' and session_id == 'ses-m24'")
    truth = truth.set_index("participant_id")["volume_mm3"].loc[last.index]
    first = trial.table.query("months == 0").set_index("participant_id")["hippocampus_mm3"]
    decline, said = first - truth, first - last["predicted_mm3"]
    assert np.corrcoef(decline, said)[0, 1] > 0.3
    error = (truth - last["predicted_mm3"]) / last["sd_mm3"]
    assert 0.6 < np.sqrt((error**2).mean()) < 1.2
    assert made.correlations["error_correlation"].iloc[1] > 0.3
    assert last["sd_mm3"].nunique() > 100


def test_a_late_visit_of_the_archive_has_had_more_decline(
    archive: Cohort, trial: SyntheticTrial
) -> None:
    months = 1.05 * archive.visits["months_from_baseline"]
    late = replace(archive, visits=archive.visits.assign(months_from_baseline=months))
    tables = [
        predict_from_archive(trial.baseline, one, months=[24.0]).table for one in (archive, late)
    ]
    first = trial.baseline.baseline()["hippocampus_mm3"]
    lost, less = (first - one.set_index("participant_id")["predicted_mm3"] for one in tables)
    assert less.to_numpy() == pytest.approx(lost.to_numpy() / 1.05)


def test_twins_read_nothing_after_baseline(archive: Cohort) -> None:
    rng = np.random.default_rng(13)
    people = synthesize_table(60, rng=rng, visits_months=[0, 12, 24], label="new")[0]
    later = people.volumes["session_id"] != "ses-m00"
    changed = replace(
        people,
        volumes=people.volumes.assign(
            volume_mm3=people.volumes["volume_mm3"].mask(later, people.volumes["volume_mm3"] / 2)
        ),
    )
    tables = [predict_from_archive(one, archive, months=MONTHS).table for one in (people, changed)]
    pd.testing.assert_frame_equal(*tables)
    made = make_twins(people, months=MONTHS, archive=archive)
    assert made.record["outcomes_in_cohort"] is True


def predict_alike(people: Cohort) -> pd.DataFrame:
    """Return predictions that take everyone to lose 2 % a year."""
    baseline = people.baseline()["hippocampus_mm3"]
    return pd.DataFrame(
        [
            {"participant_id": name, "model_id": "brlp", "horizon_months": month,
             "region": "hippocampus", "volume_mm3": volume * (1 - 0.02 * month / 12),
             "volume_sd_mm3": 100.0, "n_samples": 4, "baseline_volume_mm3": volume}
            for name, volume in baseline.items()
            for month in MONTHS
        ]
    )  # fmt: skip


def test_errors_of_predicted_people_tell_how_they_correlate_over_visits(
    archive: Cohort, trial: SyntheticTrial, tmp_path: Path
) -> None:
    path = tmp_path / "predictions.csv"
    both = pd.concat([predict_alike(trial.baseline), predict_alike(archive)])
    both.to_csv(path, index=False)
    made = make_twins(trial.baseline, months=MONTHS, predictions=path, errors_of=archive)
    assert made.correlations is not None
    assert set(made.table["participant_id"]) == set(trial.baseline.participants["participant_id"])
    found = made.correlations.set_index(["months", "other_months"])
    # all are predicted alike, so that errors correlate as changes do
    changes = [
        archive.change("hippocampus", month).set_index("participant_id")["change_percent"]
        for month in MONTHS
    ]
    expected = pd.concat(changes, axis=1).corr().iloc[0, 1]
    assert found.loc[(12.0, 24.0), "error_correlation"] == pytest.approx(expected, abs=0.02)
    assert found.loc[(24.0, 24.0), "error_correlation"] == pytest.approx(1.0)


def test_people_who_cannot_tell_how_twins_err_are_refused(
    archive: Cohort, trial: SyntheticTrial, tmp_path: Path
) -> None:
    people, path = trial.baseline, tmp_path / "predictions.csv"
    predict_alike(people).to_csv(path, index=False)
    with pytest.raises(DesignError, match="150 people are in the trial and among those"):
        make_twins(people, months=MONTHS, predictions=path, errors_of=people)
    with pytest.raises(DesignError, match="The predictions hold nobody of"):
        make_twins(people, months=MONTHS, predictions=path, errors_of=archive)
    with pytest.raises(DesignError, match="--model picks among predictions"):
        make_twins(people, months=MONTHS, archive=archive, model_id="brlp-mini")
    with pytest.raises(DesignError, match="leave --errors-of out"):
        make_twins(people, months=MONTHS, archive=archive, errors_of=archive)
    few = archive.select(list(archive.participants["participant_id"])[:20])
    pd.concat([predict_alike(people), predict_alike(few)]).to_csv(path, index=False)
    with pytest.raises(DesignError, match="their errors correlate from 30 on"):
        make_twins(people, months=MONTHS, predictions=path, errors_of=few)


def test_predictions_are_put_on_the_measured_baseline(trial: SyntheticTrial) -> None:
    ids = trial.baseline.participants["participant_id"].repeat(2).to_numpy()
    predictions = pd.DataFrame(
        {
            "participant_id": ids,
            "model_id": "brlp-mini",
            "horizon_months": np.tile(MONTHS, 150),
            "region": "hippocampus",
            "volume_mm3": np.tile([4750.0, 4500.0], 150),
            "volume_sd_mm3": 50.0,
            "n_samples": 4,
            "baseline_volume_mm3": 5000.0,
        }
    )
    twins = build_twins(trial.baseline, predictions, months=MONTHS)
    first = trial.table.query("months == 0").set_index("participant_id")["hippocampus_mm3"]
    person = twins[twins["participant_id"] == ids[0]]
    assert person["predicted_mm3"].to_numpy() == pytest.approx(
        first[ids[0]] * np.array([0.95, 0.9]), rel=1e-4
    )
    with pytest.raises(DesignError, match=r"1 predictions are missing .*at month 24"):
        build_twins(trial.baseline, predictions.drop(index=1), months=MONTHS)
    two = pd.concat([predictions, predictions.assign(model_id="other")])
    with pytest.raises(DesignError, match="one model for hippocampus, got brlp-mini, other"):
        build_twins(trial.baseline, two, months=MONTHS)
    assert len(build_twins(trial.baseline, two, months=MONTHS, model_id="other")) == 300


def freeze(study: Path, made: MadeTwins) -> None:
    with Study.open(study) as opened, opened.run(command="twins", config=made.record) as run:
        run.write("twins", made.table)


def test_frozen_twins_are_used_and_late_ones_refused(
    archive: Cohort, trial: SyntheticTrial, tmp_path: Path
) -> None:
    study, table = tmp_path / "study.duckdb", tmp_path / "trial.csv"
    trial.table.to_csv(table, index=False)
    made = make_twins(trial.baseline, months=MONTHS, archive=archive)
    freeze(study, made)
    analysis, said = analyze_trial(table, study, reading={})
    assert analysis.primary.estimator == "procova"
    assert any("before any outcome" in sentence for sentence in said)
    with Study.open(study, read_only=True) as opened:
        assert set(analysis.tables) <= set(opened.tables()["table_name"])
    freeze(study, made)
    with pytest.raises(DesignError, match="after run r000002 had read outcomes"):
        analyze_trial(table, study, reading={})
    _, said = analyze_trial(table, study, reading={}, accept_late_twins=True)
    assert any("after outcomes had been seen" in sentence for sentence in said)


def test_twins_of_a_cohort_that_holds_outcomes_are_late(
    archive: Cohort, trial: SyntheticTrial, tmp_path: Path
) -> None:
    made = make_twins(trial.baseline, months=MONTHS, archive=archive)
    freeze(tmp_path / "s.duckdb", MadeTwins(made.table, made.record | {"outcomes_in_cohort": True}))
    with Study.open(tmp_path / "s.duckdb", read_only=True) as opened:
        with pytest.raises(DesignError, match="their cohort held outcomes"):
            read_frozen_twins(opened)
        assert read_frozen_twins(opened, accept_late=True).is_late
    assert not any("after baseline" in note for note in made.notes)


def test_late_twins_are_told_when_they_are_made(archive: Cohort) -> None:
    names = list(archive.participants["participant_id"])
    followed, others = archive.select(names[:20]), archive.select(names[20:])
    made = make_twins(followed, months=MONTHS, archive=others)
    assert any("made after outcomes were seen" in note for note in made.notes)
    assert made.record["outcomes_in_cohort"]


def test_impossible_twins_are_told(archive: Cohort, trial: SyntheticTrial, tmp_path: Path) -> None:
    people = trial.baseline
    with pytest.raises(DesignError, match="within 3 months of month 60; at least 30 are needed"):
        predict_from_archive(people, archive, months=[60.0])
    early = synthesize_table(40, rng=np.random.default_rng(3), visits_months=[0, 5])[0]
    with pytest.raises(DesignError, match="has 0 people with a visit within 1 months of month 2;"):
        predict_from_archive(people, early, months=[2.0])
    with pytest.raises(DesignError, match="150 people are in the trial and in the archive"):
        predict_from_archive(people, people, months=MONTHS)
    with pytest.raises(DesignError, match="must list the visits after baseline"):
        make_twins(people, months=[0.0, 12.0], archive=archive)
    with pytest.raises(DesignError, match="give one of them"):
        make_twins(people, months=MONTHS, archive=archive, predictions=tmp_path / "p.csv")
    with pytest.raises(TrialsimError, match="no study file"):
        make_twins(people, months=MONTHS, study=tmp_path / "none.duckdb")
