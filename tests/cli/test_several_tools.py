"""A strategy that was trained on one tool's volumes is not applied to another's in silence."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from brlp_models.auxiliary.files import load_auxiliary, write_auxiliary
from brlp_models.auxiliary.huber import HuberAuxiliary
from brlp_models.baselines.loading import load_baseline
from brlp_models.model.files import find_model_folder, read_config
from brlp_models.model.folder import copy_model_folder, describe_model, render_description
from brlp_models.training.recipe import load_recipe
from brlp_models.training.session import _label
from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.synthetic import synthesize_table
from reports.store.study import Study
from trialsim.cli.app import app
from trialsim.study.bids_app import predict_participants
from trialsim.study.job import Job
from trialsim.study.question import build_stated
from trialsim.study.steps.prediction import check_prediction

SMALL = ["--set", "simulation.n_simulations=100", "--set", "simulation.n_bootstrap=0"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that is copied, never written."""
    folder = tmp_path_factory.mktemp("made")
    for name, seed, source in (
        ("screened", 1, "aseg.stats (FreeSurfer 7)"),
        ("old", 2, "SynthSeg"),
    ):
        cohort, _ = synthesize_table(
            90, rng=np.random.default_rng(seed), visits_months=(0, 12, 24), label=name
        )
        factor = 1.0 if name == "screened" else 1.08
        volumes = cohort.volumes.assign(
            source=source, volume_mm3=factor * cohort.volumes["volume_mm3"]
        )
        replace(cohort, volumes=volumes).write(folder / name)
    screened = Cohort.read(folder / "screened")
    screened.select(list(screened.participants["participant_id"])[:3]).write(folder / "few")
    return folder


@pytest.fixture(autouse=True)
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.stderr


# all ask at one place; `power` is the one that goes furthest
@pytest.mark.parametrize(
    "command",
    [*(pytest.param(one, marks=pytest.mark.slow) for one in ("rank", "compare")), "power"],
)
def test_every_command_refuses_another_tools_archive(command: str) -> None:
    more = SMALL if command == "power" else []
    code, told = invoke(
        command, "screened", "--train-on", "old", "--strategies", "regression", *more
    )
    assert code == 1
    assert "those of the screened people by FreeSurfer 7" in told
    assert 'cohort.harmonize = "linear"' in told


def test_twins_refuse_it_too() -> None:
    code, told = invoke("twins", "screened", "--train-on", "old", "--visits-months", "12,24")
    assert code == 1
    assert "several tools" in told


def test_a_stated_model_brings_them_together_and_says_so(folder: Path) -> None:
    words = ["rank", "screened", "--train-on", "old", "--strategies", "regression"]
    code, told = invoke(*words, "--set", "cohort.harmonize=combat")
    assert code == 0, told
    assert "by SynthSeg were brought to FreeSurfer 7 (combat" in told
    with Study.open(folder / "study.duckdb", read_only=True) as study:
        assert study.read("scores")["score"].notna().all()


def rank_another_scanner(folder: Path) -> list[str]:
    """Return the command that ranks people of 3 tesla by what was learned from those of 1.5."""
    for name, field in (("screened", 3.0), ("old", 1.5)):
        cohort = Cohort.read(folder / name)
        people = cohort.participants.assign(field_strength=field)
        volumes = cohort.volumes.assign(source="aseg.stats (FreeSurfer 7)")
        replace(cohort, participants=people, volumes=volumes).write(folder / f"{name}_scanned")
    return ["rank", "screened_scanned", "--train-on", "old_scanned", "--strategies", "regression"]


def test_a_scanner_that_nobody_learned_from_is_refused_until_something_is_stated(
    folder: Path,
) -> None:
    code, told = invoke(*rank_another_scanner(folder))
    assert code == 1
    assert "field_strength 3.0 of" in told
    assert 'cohort.harmonize = "as_measured"' in told


@pytest.mark.slow
def test_what_is_stated_of_a_scanner_counts(folder: Path) -> None:
    words = rank_another_scanner(folder)
    stated = ["--set", "cohort.harmonize=combat", "--set", 'cohort.harmonize_by=["field_strength"]']
    code, told = invoke(*words, *stated)
    assert code == 0, told
    assert "field_strength 1.5 were brought to FreeSurfer 7, field_strength 3.0 (combat" in told
    stated = ["--set", "cohort.harmonize=as_measured", "--set", "cohort.harmonize_by=[]"]
    code, told = invoke(*words, *stated)
    assert code == 0, told
    assert "Taken as they are: field_strength 3.0" in told


def test_predictions_that_start_from_another_tool_keep_their_relative_changes(folder: Path) -> None:
    cohort = Cohort.read(folder / "screened")
    first = cohort.until(0).volumes.query("region == 'hippocampus'")
    volume = first["volume_mm3"].to_numpy()
    pd.DataFrame(
        {"participant_id": first["participant_id"], "model_id": "theirs", "horizon_months": 24.0,
         "region": "hippocampus", "volume_mm3": volume * np.linspace(0.9, 1.0, len(first)) * 1.2,
         "volume_sd_mm3": 10.0, "n_samples": 4, "baseline_volume_mm3": volume * 1.2,
         "baseline_source": "SynthSeg"}
    ).to_csv(folder / "theirs.csv", index=False)  # fmt: skip
    words = ["rank", "screened", "--predictions", "theirs.csv", "--strategies", "brlp"]
    code, told = invoke(*words)
    assert code == 1
    assert "start from volumes by SynthSeg, the screened people were measured by" in told
    code, told = invoke(*words, "--set", "cohort.harmonize=combat")
    assert code == 0, told
    assert "their relative changes were kept" in told
    with Study.open(folder / "study.duckdb", read_only=True) as study:
        scores = study.read("scores").set_index("participant_id")["score"]
    expected = pd.Series(np.linspace(10, 0, len(first)), index=first["participant_id"])
    pd.testing.assert_series_equal(scores.sort_index(), expected.sort_index(), check_names=False)


@pytest.mark.slow
def test_twins_are_brought_together_as_everything_else_is(folder: Path) -> None:
    words = ["twins", "screened", "--train-on", "old", "--visits-months", "12,24"]
    code, told = invoke(*words, "--harmonize", "combat")
    assert code == 0, told
    assert "Volumes of the archive by SynthSeg were brought to FreeSurfer 7 (combat" in told
    with Study.open(folder / "study.duckdb", read_only=True) as study:
        twins = study.read("twins").query("months == 12").set_index("participant_id")
    baseline = Cohort.read(folder / "screened").baseline()["hippocampus_mm3"]
    # the archive's volumes are 8 % larger
    assert (twins["predicted_mm3"] / baseline).mean() == pytest.approx(0.98, abs=0.02)
    for name, field in (("screened", 3.0), ("old", 1.5)):
        cohort = Cohort.read(folder / name)
        people = cohort.participants.assign(field_strength=field)
        volumes = cohort.volumes.assign(source="SynthSeg")
        replace(cohort, participants=people, volumes=volumes).write(folder / name)
    code, told = invoke(*words)
    assert code == 1
    assert "field_strength 3.0 of" in told
    code, told = invoke(*words, "--harmonize", "as_measured")
    assert code == 0, told
    assert "Taken as they are: field_strength 3.0" in told


def test_twins_of_predictions_that_start_from_another_tool_are_refused(folder: Path) -> None:
    first = Cohort.read(folder / "screened").until(0).volumes.query("region == 'hippocampus'")
    pd.DataFrame(
        {"participant_id": first["participant_id"], "model_id": "theirs", "horizon_months": 12.0,
         "region": "hippocampus", "volume_mm3": 0.97 * first["volume_mm3"], "volume_sd_mm3": 10.0,
         "n_samples": 4, "baseline_volume_mm3": first["volume_mm3"], "baseline_source": "SynthSeg"}
    ).to_csv(folder / "theirs.csv", index=False)  # fmt: skip
    words = ["twins", "screened", "--predictions", "theirs.csv", "--visits-months", "12"]
    code, told = invoke(*words)
    assert code == 1
    assert "start from volumes by SynthSeg, the trial's people were measured by Free" in told
    assert invoke(*words, "--harmonize", "as_measured")[0] == 0


@pytest.mark.slow
def test_an_auxiliary_model_of_another_tool_is_refused_until_that_is_stated(folder: Path) -> None:
    old = Cohort.read(folder / "old")
    model = HuberAuxiliary.fit(
        old.baseline(), old.visit_volumes(("hippocampus",)), regions=("hippocampus",)
    )
    words = ["twins", "screened", "--auxiliary", "model.json", "--visits-months", "12"]
    unrecorded = "model.json learned from volumes by a tool that is not recorded, and predicts"
    for tool, code in (("SynthSeg", 1), ("FreeSurfer 7", 0), (None, 0)):
        write_auxiliary(replace(model, measured_by=tool), folder / "model.json")
        assert load_auxiliary(folder / "model.json").measured_by == tool
        done, told = invoke(*words)
        assert done == code, told
        assert ("the training people of the model model.json by SynthSeg" in told) == (code == 1)
        assert (unrecorded in told) == (tool is None)
    write_auxiliary(replace(model, measured_by="SynthSeg"), folder / "model.json")
    code, told = invoke(*words, "--harmonize", "as_measured")
    assert code == 0, told
    assert "only its relative changes can be compared" in told


def test_a_model_folder_of_another_tool_is_refused_before_anything_runs(folder: Path) -> None:
    config = read_config(find_model_folder("mini"))
    assert config.measured_by is None
    own = config.model_copy(update={"measured_by": "SynthSeg 2.0"})
    copy_model_folder("mini", folder / "theirs", own)
    shown = render_description(describe_model(folder / "theirs"))
    assert re.search(r"learned from +volumes by SynthSeg 2\.0", shown)
    for further in ([], ["--shard", "1/2"]):
        code, told = invoke("predict", "few", "--model", "theirs", *further)
        assert code == 1
        assert "those of the training people of the model brlp-mini by SynthSeg 2.0" in told
    asked = {"cohort.path": folder / "few", "prediction.model": "theirs"}
    with pytest.raises(CohortError, match=r"of the model brlp-mini by SynthSeg 2\.0"):
        predict_participants(build_stated(asked), folder / "app", [], work=folder / "work")
    code, told = invoke(
        "predict", "few", "--model", "theirs", "--set", "cohort.harmonize=as_measured"
    )
    # nobody has a scan: what is told of the tools comes before that
    assert code == 1, told
    assert "Nobody was predicted" in told
    assert "predicts from volumes by FreeSurfer 7 as they are" in told


def forget_tool(folder: Path, name: str) -> None:
    cohort = Cohort.read(folder / name)
    volumes = cohort.volumes.assign(source="table theirs.csv")
    replace(cohort, volumes=volumes, is_synthetic=False).write(folder / f"{name}_untold")


SIMULATED = "The model brlp-mini learned from true volumes of simulated people, and predicts from"


def tell_of_model(folder: Path, name: str, model: str) -> list[str]:
    asked = build_stated({"cohort.path": folder / name, "prediction.model": model})
    return check_prediction(Job(asked, folder), Cohort.read(folder / name))


def test_a_model_that_names_no_tool_is_never_applied_in_silence(folder: Path) -> None:
    code, told = invoke("predict", "few", "--model", "mini")
    assert code == 1, told
    assert "Nobody was predicted" in told
    assert told.count(f"{SIMULATED} volumes by FreeSurfer 7 as they are") == 1
    with Study.open(folder / "study.duckdb", read_only=True) as study:
        configs = study.runs()["config"]
    assert sum(SIMULATED in text for text in configs) == 1  # the report shows it
    forget_tool(folder, "screened")
    (told,) = tell_of_model(folder, "screened_untold", "mini")
    assert told.startswith(f"{SIMULATED} volumes by a tool that is not recorded")
    config = read_config(find_model_folder("mini")).model_copy(update={"is_synthetic": False})
    copy_model_folder("mini", folder / "older", config)
    (told,) = tell_of_model(folder, "screened", str(folder / "older"))
    assert "brlp-mini learned from volumes by a tool that is not recorded, and" in told


def test_simulated_people_are_what_a_simulated_model_learned_from(folder: Path) -> None:
    cohort = Cohort.read(folder / "screened")
    for name, source in (("made", "synthetic"), ("drawn", "label map (theirs)")):
        replace(cohort, volumes=cohort.volumes.assign(source=source)).write(folder / name)
        assert tell_of_model(folder, name, "mini") == []


def test_label_maps_of_two_pipelines_are_two_tools(folder: Path) -> None:
    for name, pipeline in (("screened", "synthseg"), ("old", "fmriprep")):
        cohort = Cohort.read(folder / name)
        volumes = cohort.volumes.assign(source=f"label map ({pipeline})")
        replace(cohort, volumes=volumes, is_synthetic=False).write(folder / f"{name}_drawn")
    code, told = invoke(
        "twins", "screened_drawn", "--train-on", "old_drawn", "--visits-months", "12"
    )
    assert code == 1
    assert "those of the archive by label map (fmriprep)" in told


@pytest.mark.parametrize("command", ["calibrate", "evaluate"])
def test_whoever_judges_a_model_on_volumes_of_a_tool_is_told(folder: Path, command: str) -> None:
    words = {
        "calibrate": ["model", "calibrate", "mini", "--on", "screened", "--out", "copy"],
        "evaluate": ["evaluate", "screened", "--out", "evaluation"],
    }
    _, told = invoke(*words[command])  # nobody has a scan
    assert f"{SIMULATED} volumes by FreeSurfer 7 as they are" in told


def test_a_fitted_baseline_scores_nobody_of_another_tool_in_silence(folder: Path) -> None:
    code, told = invoke(
        "train", "baseline", "elastic_net", "--data", "old", "--horizon", "24", "--out", "net"
    )
    assert code == 0, told
    assert load_baseline(folder / "net").config.measured_by == "SynthSeg"
    words = ["model", "baseline-scores", "net", "screened", "--horizon", "24"]
    code, told = invoke(*words)
    assert code == 1
    assert "the training people of the model elastic_net by SynthSeg" in told
    code, told = invoke(*words, "--harmonize", "as_measured")
    assert code == 0, told
    assert "learned from volumes by SynthSeg, and predicts from volumes by FreeSurfer 7" in told


def test_an_archive_or_predictions_of_an_unknown_tool_are_told(folder: Path) -> None:
    forget_tool(folder, "old")
    for words in (
        ["rank", "screened", "--train-on", "old_untold", "--strategies", "regression"],
        ["twins", "screened", "--train-on", "old_untold", "--visits-months", "12,24"],
    ):
        code, told = invoke(*words)
        assert code == 0, told
        assert "beside volumes by FreeSurfer 7: volumes by a tool that is not recorded (" in told
    first = Cohort.read(folder / "screened").until(0).volumes.query("region == 'hippocampus'")
    rows = pd.DataFrame(
        {"participant_id": first["participant_id"], "model_id": "theirs", "horizon_months": 12.0,
         "region": "hippocampus", "volume_mm3": 0.97 * first["volume_mm3"], "volume_sd_mm3": 10.0,
         "n_samples": 4, "baseline_volume_mm3": first["volume_mm3"]}
    )  # fmt: skip
    for source in (None, "synthetic"):
        more = {} if source is None else {"baseline_source": source}
        rows.assign(**more).to_csv(folder / "theirs.csv", index=False)
        code, told = invoke(
            "twins", "screened", "--predictions", "theirs.csv", "--visits-months", "12"
        )
        assert code == 0, told
        assert "not recorded (baseline_source of the predictions)" in told


def test_people_whom_the_models_segmenter_would_measure_beside_another_tool_are_refused(
    folder: Path,
) -> None:
    cohort = Cohort.read(folder / "screened")
    names = cohort.visits["participant_id"] + cohort.visits["session_id"]
    for name in names:
        (folder / name).touch()
    visits = cohort.visits.assign(image_path=[str(folder / name) for name in names])
    some = cohort.participants["participant_id"].iloc[:3]
    volumes = cohort.volumes[~cohort.volumes["participant_id"].isin(some)]
    replace(cohort, visits=visits, volumes=volumes).write(folder / "partly")
    code, told = invoke("predict", "partly")
    assert code == 1
    assert "3 people have scans without volumes" in told
    assert "while FreeSurfer 7 measured the others" in told


def test_a_trained_model_records_the_tool_of_its_people(folder: Path) -> None:
    recipe = load_recipe("mini")
    assert _label(recipe, Cohort.read(folder / "old")).model.measured_by == "SynthSeg"
    assert _label(recipe, None).model.measured_by is None
