"""People who were only scanned once, and an archive that is predicted as they are."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from brlp_models.model.files import write_checksums
from brlp_models.model.training_people import (
    TRAINING_PEOPLE,
    describe_training_people,
    find_training_people,
)
from cohorts.cohort import Cohort
from cohorts.errors import StorageError
from cohorts.synthetic import synthesize_table
from reports.store.study import Study
from tests.brlp_models.brain_drawing import write_brain
from trialsim.cli.app import app
from trialsim.study.job import Job
from trialsim.study.question import read_protocol
from trialsim.study.steps.archive_prediction import list_to_predict

N_SCREENED, N_ARCHIVE = 16, 32
PROTOCOL: Final = """
[cohort]
path = "screened"
training = "archive"
[prediction]
model = "model"
samples = 1
num_inference_steps = 1
save_images = false
[selection]
strategies = ["random", "brlp"]
fractions_enrolled = [0.75]
[design]
visits_months = [0, 12, 24]
unit = "log_percent"
slowing = 0.3
analyses = ["ancova"]
[simulation]
sample_sizes = [100, 200]
n_simulations = 100
n_bootstrap = 0
workers = 1
"""


def write_screened(folder: Path) -> None:
    """Write a BIDS dataset of one visit each."""
    names = [f"sub-s{k:02}" for k in range(N_SCREENED)]
    for seed, name in enumerate(names):
        write_brain(folder / name / "anat" / f"{name}_T1w.nii.gz", seed)
    # much like every second person of the archive, so that weights stay even
    alike = draw_archive().baseline().iloc[::2].reset_index(drop=True)
    people = alike[["age_years", "sex", "diagnosis"]].rename(columns={"age_years": "age"})
    people.insert(0, "participant_id", names)
    people.to_csv(folder / "participants.tsv", sep="\t", index=False)
    description = {"Name": "screened", "BIDSVersion": "1.9.0"}
    (folder / "dataset_description.json").write_text(json.dumps(description))


def draw_archive() -> Cohort:
    return synthesize_table(
        N_ARCHIVE, rng=np.random.default_rng(1), visits_months=(0, 12, 24), label="archive"
    )[0]


def write_archive(folder: Path) -> None:
    """Write followed people whose first visit has a scan."""
    cohort = draw_archive()
    first = cohort.visits["months_from_baseline"] == 0
    paths = [
        str(write_brain(folder / "scans" / f"{name}.nii.gz", 100 + k)) if is_first else None
        for k, (name, is_first) in enumerate(
            zip(cohort.visits["participant_id"], first, strict=True)
        )
    ]
    replace(cohort, visits=cohort.visits.assign(image_path=paths)).write(folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, lone_model: Path) -> Path:
    """Return a folder with a protocol, its people and a model."""
    folder = tmp_path_factory.mktemp("screened")
    shutil.copytree(lone_model, folder / "model")
    write_screened(folder / "screened")
    write_archive(folder / "archive")
    (folder / "protocol.toml").write_text(PROTOCOL)
    return folder


def run(folder: Path, *settings: str, options: tuple[str, ...] = ()) -> Result:
    words = [word for setting in settings for word in ("--set", setting)]
    return CliRunner().invoke(app, ["run", str(folder / "protocol.toml"), *words, *options])


def read(folder: Path, table: str) -> pd.DataFrame:
    return Study.open(folder / "results/study.duckdb", read_only=True).read(table)


@pytest.mark.slow
def test_scans_of_one_visit_and_an_archive_give_a_power_curve_by_brlp(made: Path) -> None:
    result = run(made)
    assert result.exit_code == 0, result.output
    power = read(made, "operating_characteristics")
    assert set(power["strategy"]) == {"random", "brlp"}
    assert len(read(made, "predictions")["participant_id"].unique()) == N_SCREENED
    archive = read(made, "archive_predictions")
    assert len(archive["participant_id"].unique()) == N_ARCHIVE
    # ranking needs one time alone
    assert set(archive["horizon_months"]) == {24.0}


def test_a_plan_foresees_the_archive_and_the_visits_of_the_design(made: Path) -> None:
    # nothing but scores that are made up, of which those of both groups must be alike
    own = 'selection.strategies=["brlp"]'
    found = json.loads(run(made, own, options=("--dry-run", "--json")).stdout)
    assert found["problems"] == []
    assert "archive" in [step["name"] for step in found["steps"]]
    observed = json.loads(
        run(made, 'design.outcomes="observed"', options=("--dry-run", "--json")).stdout
    )
    assert "archive" not in [step["name"] for step in observed["steps"]]


def test_the_time_that_an_archive_takes_counts_where_a_run_tells_what_is_in_vain(
    made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stop(*_: object) -> None:
        raise StorageError("The disk is full.")

    # the first step stops, so that nobody is predicted here
    monkeypatch.setattr("trialsim.study.steps.cohort.load", stop)
    one = 500 / N_SCREENED
    monkeypatch.setattr("trialsim.study.steps.prediction.estimate_one", lambda *_: one)
    monkeypatch.setattr("trialsim.study.steps.archive_prediction.estimate_one", lambda *_: one)
    said = run(made, "design.visits_months=[0, 12, 60]", f"study.output={tmp_path}").stderr
    assert "Note: predicting will take about 25 min, and then: " in said


def test_predictions_that_were_given_are_not_made_again(made: Path, tmp_path: Path) -> None:
    people = draw_archive().participants["participant_id"]
    given = pd.DataFrame(
        {"participant_id": people[1:], "model_id": "mine", "region": "hippocampus"}
    )
    given = given.assign(horizon_months=24, volume_mm3=6900, baseline_volume_mm3=7000)
    given.assign(volume_sd_mm3=70, n_samples=1).to_csv(tmp_path / "given.csv", index=False)
    setting = f"selection.predictions={tmp_path / 'given.csv'}"
    protocol = read_protocol(made / "protocol.toml", [setting])
    job = Job(protocol, tmp_path)
    assert protocol.prediction is not None
    cohort = job.load(made / "archive")
    screened = job.load(made / "screened")
    assert list_to_predict(job, protocol.prediction, screened, cohort) == [people[0]]


def test_a_model_of_the_archives_people_is_refused(made: Path) -> None:
    people = list(pd.read_parquet(made / "archive/participants.parquet")["participant_id"])
    (made / "model" / TRAINING_PEOPLE).write_text(describe_training_people(people[:3]))
    write_checksums(made / "model")
    told = f"was trained on 3 of the {N_ARCHIVE} people of the archive (first: {people[0]})"
    planned = json.loads(run(made, options=("--dry-run", "--json")).stdout)
    assert len(planned["problems"]) == 1
    assert told in planned["problems"][0]
    others = [f"sub-other{k}" for k in range(3)]
    assert find_training_people(made / "model", others) == []
    assert not any(name in (made / "model" / TRAINING_PEOPLE).read_text() for name in people)
