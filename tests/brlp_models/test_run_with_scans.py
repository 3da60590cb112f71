"""`trialsim run` on scans: what is broken, altered or out of range is told, and nothing reused."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from brlp_models.model.files import read_config, write_checksums
from cohorts.errors import StorageError
from reports.store.study import Study
from reports.store.verification import verify_study
from tests.brlp_models.brain_drawing import write_brain
from trialsim.cli.app import app

PEOPLE = {"sub-1": 70.0, "sub-2": 75.0, "sub-young": 30.0}
PROTOCOL = """
[cohort]
path = "tables/people.csv"
[prediction]
model = "model"
horizons_months = [24]
samples = 1
save_images = false
[selection]
strategies = ["random", "brlp"]
[design]
visits_months = [0, 24]
slowing = 0.3
"""


@pytest.fixture(scope="module")
def made(lone_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three people, whose scans lie outside of the cohort's; it is copied."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(lone_model, folder / "model")
    for seed, person in enumerate(PEOPLE):
        write_brain(folder / f"scans/{person}.nii.gz", seed)
    table = pd.DataFrame({"participant_id": PEOPLE.keys(), "age_years": PEOPLE.values()})
    table = table.assign(sex="F", diagnosis="MCI")
    table["image_path"] = [f"../scans/{person}.nii.gz" for person in PEOPLE]
    (folder / "tables").mkdir()
    table.to_csv(folder / "tables/people.csv", index=False)
    (folder / "protocol.toml").write_text(PROTOCOL)
    return folder


@pytest.fixture
def protocol(made: Path, tmp_path: Path) -> Path:
    """Return the protocol of people who are not yet predicted."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "protocol.toml"


@pytest.fixture(scope="module")
def first_run(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Return the protocol of people who are predicted, and what was said; it is copied."""
    folder = tmp_path_factory.mktemp("first")
    shutil.copytree(made, folder, dirs_exist_ok=True)
    result = run(folder / "protocol.toml")
    assert_done(result)
    return folder / "protocol.toml", result


@pytest.fixture
def predicted(first_run: tuple[Path, Result], tmp_path: Path) -> Path:
    """Return the protocol of people who are predicted."""
    shutil.copytree(first_run[0].parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "protocol.toml"


def run(protocol: Path, *settings: str, options: Sequence[str] = ()) -> Result:
    words = [word for setting in settings for word in ("--set", setting)]
    return CliRunner().invoke(app, ["run", str(protocol), *words, *options])


def assert_done(result: Result) -> None:
    """Nobody has follow-up: all is done but what needs it, and that is told."""
    problems = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.exit_code == 1, result.output
    assert len(problems) == 2, result.output
    # what was measured in the scans is their baseline: a volume there is, a later visit is not
    assert "the latest visit is at 0 months" in problems[0]
    assert "No trial was simulated" in problems[1]


def read(protocol: Path, table: str) -> pd.DataFrame:
    return Study.open(protocol.parent / "results/study.duckdb", read_only=True).read(table)


@pytest.mark.slow
def test_a_person_outside_of_the_models_range_is_flagged_and_shown(
    first_run: tuple[Path, Result],
) -> None:
    protocol, result = first_run
    checks = read(protocol, "scan_checks").set_index("participant_id")["verdict"]
    assert checks.to_dict() == {"sub-1": "pass", "sub-2": "pass", "sub-young": "warn"}
    assert "Check the scan of sub-young: age_years" in result.stderr
    page = (protocol.parent / "results/report.html").read_text()
    assert "outside the training range of tiny (40 to 95)" in page


@pytest.mark.slow
@pytest.mark.usefixtures("_unreported")
def test_scans_are_prepared_once_for_all_predictions(predicted: Path) -> None:
    measured = read(predicted, "scan_volumes").set_index(["participant_id", "region"])["volume_mm3"]
    table = read(predicted, "predictions").set_index(["participant_id", "region"])
    started_from = table["baseline_volume_mm3"]
    pd.testing.assert_series_equal(
        measured.loc[started_from.index], started_from, check_names=False
    )
    again = run(predicted, "prediction.samples=2")
    assert_done(again)
    for step in ("load", "preprocess", "segment"):
        assert f"{step}: unchanged since the last run" in again.stderr
    assert "predict: unchanged" not in again.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("_unreported")
def test_nobody_is_predicted_anew_where_the_same_model_lies_elsewhere(predicted: Path) -> None:
    (predicted.parent / "installation").mkdir()
    shutil.move(predicted.parent / "model", predicted.parent / "installation/copy")
    own = "prediction.model=installation/copy"
    again = run(predicted, own)
    assert_done(again)
    assert again.stderr.count("unchanged since the last run") == 5
    folder = predicted.parent / "installation/copy"
    with (folder / "MODEL_CARD.md").open("a") as card:
        card.write("Another.\n")
    write_checksums(folder)
    other = run(predicted, own)
    assert_done(other)
    assert "the model's MODEL_CARD.md is changed" in other.stderr
    assert "predict: unchanged" not in other.stderr


def test_a_corrupt_scan_costs_its_person_alone(protocol: Path) -> None:
    path = protocol.parent / "scans/sub-2.nii.gz"
    path.write_bytes(path.read_bytes()[:2000])
    refused = run(protocol)
    assert refused.exit_code == 1
    assert "sub-2.nii.gz: the file cannot be read" in refused.stderr
    result = run(protocol, "cohort.quarantine=true")
    assert_done(result)
    assert "Left out: " in result.stderr
    assert set(read(protocol, "predictions")["participant_id"]) == {"sub-1", "sub-young"}
    assert "Left out: " in (protocol.parent / "results/report.html").read_text()


@pytest.mark.usefixtures("_unreported")
def test_what_hours_of_predicting_could_not_answer_is_told_before(
    protocol: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the first step stops, so that nobody is predicted here
    monkeypatch.setattr("trialsim.study.steps.cohort.load", stop)
    assert "predicting will take" not in run(protocol).stderr
    monkeypatch.setattr("trialsim.study.steps.prediction.estimate_one", lambda *_: 3600.0)
    said = run(protocol).stderr
    told = "Note: predicting will take about 3 h, and then: No trial can be simulated: "
    assert -1 < said.find(told) < said.find("[1/")


@pytest.mark.usefixtures("_unreported")
def test_what_must_be_predicted_anew_is_foreseen_and_what_is_there_is_not(
    predicted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trialsim.study.steps.prediction.predict", stop)
    monkeypatch.setattr("trialsim.study.steps.prediction.estimate_one", lambda *_: 3600.0)
    assert "predicting will take" not in run(predicted).stderr
    assert "predicting will take about 3 h" in run(predicted, "prediction.samples=2").stderr


def stop(*_: object) -> None:
    raise StorageError("The disk is full.")


@pytest.mark.usefixtures("_unreported")
def test_an_altered_model_is_noticed(predicted: Path) -> None:
    weights = predicted.parent / "model/unet.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    study = str(predicted.parent / "results/study.duckdb")
    verified = CliRunner().invoke(app, ["study", "verify", study])
    assert verified.exit_code == 1
    assert "unet.safetensors" in verified.stdout
    again = run(predicted)
    assert again.exit_code == 1
    assert "unet.safetensors" in again.stderr


def block(protocol: Path) -> Path:
    """Put a file where a folder will be made: each write fails, as on a full disk."""
    blocked = protocol.parent / "results/predictions"
    blocked.parent.mkdir()
    blocked.touch()
    return blocked


@pytest.mark.usefixtures("_unreported")
def test_where_nothing_can_be_kept_nobody_is_left_out(protocol: Path) -> None:
    block(protocol)
    refused = run(protocol)
    assert refused.exit_code == 1
    assert "could not be written" in refused.stderr
    assert "Not predicted" not in refused.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("_unreported")
def test_everyone_is_predicted_once_there_is_room_again(protocol: Path) -> None:
    blocked = block(protocol)
    assert run(protocol).exit_code == 1
    blocked.unlink()
    assert_done(run(protocol))
    assert set(read(protocol, "predictions")["participant_id"]) == set(PEOPLE)


@pytest.mark.slow
@pytest.mark.usefixtures("_unreported")
def test_another_scan_under_the_same_name_is_predicted_anew(predicted: Path) -> None:
    before = read(predicted, "predictions")
    write_brain(predicted.parent / "scans/sub-1.nii.gz", seed=9)
    result = run(predicted)
    assert "sub-1.nii.gz is changed" in result.stderr
    assert "predict: unchanged" not in result.stderr
    changed = (read(predicted, "predictions")["volume_mm3"] != before["volume_mm3"]).groupby(
        before["participant_id"]
    )
    assert changed.any().to_dict() == {"sub-1": True, "sub-2": False, "sub-young": False}


def test_more_draws_take_longer(protocol: Path) -> None:
    seconds = []
    for samples in (1, 1000):
        options = ("--dry-run", "--json")
        result = run(protocol, f"prediction.samples={samples}", options=options)
        assert "No trial can be simulated" in result.stderr
        steps = {step["name"]: step["seconds"] for step in json.loads(result.stdout)["steps"]}
        seconds.append(steps["predict"])
    assert seconds[1] > 50 * seconds[0] > 0


def plan_quietly(protocol: Path, *settings: str) -> list[str]:
    result = run(protocol, *settings, options=("--dry-run",))
    assert result.exit_code == 1, result.output
    return [line for line in result.stderr.splitlines() if line.startswith("Error: ")]


@pytest.fixture(scope="module")
def planned(made: Path) -> list[str]:
    return plan_quietly(made / "protocol.toml")


@pytest.mark.slow
def test_a_plan_loads_no_network(protocol: Path) -> None:
    words = ["run", str(protocol), "--dry-run"]
    code = (
        "import sys\nfrom trialsim.cli.app import app\n"
        f"try: app({words!r})\nexcept SystemExit: pass\n"
        "sys.exit('torch was imported' if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^predict +\d+ s$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("prediction.horizons_months=[60]", "brlp: the nearest prediction is for 60 months"),
        ("prediction.measure=false", "brlp: there are no predicted volumes"),
        ("prediction.segmentations=nowhere", "nowhere does not exist"),
        ("design.endpoint=pallidum", "brlp: the predictions hold no volume of pallidum"),
        ("prediction.model=mimi", "mimi is no model folder"),
    ],
)
def test_a_plan_tells_what_predictions_cannot_carry(
    made: Path, planned: list[str], setting: str, told: str
) -> None:
    assert not any(told in line for line in planned)
    assert any(told in line for line in plan_quietly(made / "protocol.toml", setting))


def test_a_plan_notices_an_altered_model(protocol: Path) -> None:
    with (protocol.parent / "model/unet.safetensors").open("ab") as file:
        file.write(b"0")
    assert any("unet.safetensors was altered" in line for line in plan_quietly(protocol))


@pytest.mark.slow
def test_a_moved_folder_still_finds_its_pictures(protocol: Path, tmp_path: Path) -> None:
    assert_done(run(protocol, "prediction.save_images=true"))
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere/study"
    moved.mkdir()
    for name in ("results", "scans", "tables", "model", "protocol.toml"):
        shutil.move(protocol.parent / name, moved / name)
    study = Study.open(moved / "results/study.duckdb", read_only=True)
    paths = [Path(path) for path in study.read("prediction_images")["path"]]
    assert len(paths) > len(PEOPLE)
    assert all(path.is_file() and path.is_relative_to(moved) for path in paths)
    assert (verify_study(study)["verdict"] == "holds").all()
    again = run(moved / "protocol.toml", "prediction.save_images=true")
    assert again.stderr.count("unchanged since the last run") == 5


def predict(folder: Path, *options: str, study: str) -> Result:
    words = ["predict", str(folder / "tables/people.csv"), "--model", str(folder / "model")]
    words += ["--samples", "1", "--no-save-images", "--study", str(folder / study / "s.duckdb")]
    return CliRunner().invoke(app, [*words, "--quiet", *options])


def test_no_answer_is_no_success(protocol: Path) -> None:
    folder = protocol.parent
    people = folder / "tables/people.csv"
    pd.read_csv(people).head(1).to_csv(people, index=False)
    grid = read_config(folder / "model")
    noise = np.random.default_rng(0).random(grid.shape, dtype=np.float32)
    noise[: grid.shape[0] // 2] = 0
    scan = nib.Nifti1Image(noise, np.asarray(grid.affine))
    nib.save(scan, folder / "scans/sub-1.nii.gz")
    whole = predict(folder, study="one")
    assert whole.exit_code == 1
    assert "Nobody was predicted; `trialsim study tables scan_checks" in whole.stderr
    checks = Study.open(folder / "one/s.duckdb", read_only=True).read("scan_checks")
    assert (checks["verdict"] == "fail").all()
    share = predict(folder, "--shard", "1/1", study="shares")
    assert share.exit_code == 1
    assert "Nobody of the 1 person was predicted." in share.stderr


@pytest.mark.slow
def test_shards_give_the_predictions_of_one_process(protocol: Path) -> None:
    folder = protocol.parent
    assert predict(folder, study="one").exit_code == 0
    # a batch of one draw is a group of one person
    shares = [("--shard", "1/2"), ("--participant-label", "2")]
    for number, share in enumerate(shares):
        found = predict(folder, *share, study="shares")
        assert found.exit_code == 0, found.output
        assert "`trialsim study join" in found.output
        assert not (folder / "shares/s.duckdb").exists()
        finished = list((folder / "shares/predictions").glob("*/people/*.json"))
        assert len(finished) >= number + 1
    joined = CliRunner().invoke(app, ["study", "join", str(folder / "shares/s.duckdb"), "--quiet"])
    assert joined.exit_code == 0, joined.output
    assert list((folder / "shares/predictions").glob("*/people/*.json")) == finished
    one, shares_ = (
        Study.open(folder / name / "s.duckdb", read_only=True).read("predictions")
        for name in ("one", "shares")
    )
    pd.testing.assert_frame_equal(one, shares_, check_exact=True)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--shard", "3/2"], "A shard is i/n"),
        (["--participant-label", "sub-9"], "has no sub-9"),
        (["--participant-label", "2,9"], "has no 9."),
    ],
)
def test_a_share_of_nobody_is_told(options: list[str], problem: str, protocol: Path) -> None:
    found = predict(protocol.parent, *options, study="shares")
    assert found.exit_code == 1
    assert problem in found.stderr


def test_there_is_nothing_to_join(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["study", "join", str(tmp_path / "s.duckdb")])
    assert found.exit_code == 1
    assert "shards.json" in found.stderr
