"""Commands that read scans are killed at random moments: what is done stays, and they go on."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from faults.commands import enter, finish, kill, run_command
from faults.scanned import write_people_and_model
from reports.store.study import Study
from reports.store.verification import verify_study

KILLS = 15
TORCH = ("torch", "brlp_models.model.folder", "brlp_models.prediction.cohort")
COMMANDS = {
    "predict": "predict screened --model model --samples 2 --study predicted.duckdb",
    "evaluate": "evaluate screened --model model --samples 1 --horizon 24 --conditions 0 "
    "--compare 0 --draws 1 --n-bootstrap 20",
}
WRITTEN = {"predict": ("predicted.duckdb", "predictions", "scans"), "evaluate": ("evaluation",)}
"""What each command writes."""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "people"
    write_people_and_model(folder, 8)
    return folder


def read_digests(folder: Path, pattern: str) -> dict[str, str]:
    found = sorted(folder.glob(pattern))
    return {str(one.relative_to(folder)): sha256(one.read_bytes()).hexdigest() for one in found}


def check_whole(folder: Path) -> None:
    """Everything that is there can be read, and is what a finished step has written."""
    for path in folder.glob("*.duckdb"):
        assert (verify_study(Study.open(path, read_only=True))["verdict"] == "holds").all()
    for path in folder.glob("**/people/*.json"):
        json.loads(path.read_text())
    for path in folder.glob("**/[!.]*.nii.gz"):
        np.asarray(nib.load(path).dataobj)
    tables = [*folder.glob("evaluation/*.csv")]
    assert not tables or len(tables) > 10
    for path in tables:
        pd.read_csv(path)


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    path = folder / "predicted.duckdb"
    found = {one.stem: pd.read_csv(one) for one in sorted(folder.glob("evaluation/*.csv"))}
    # how long it took is no result
    found.pop("times", None)
    if path.exists():
        study = Study.open(path, read_only=True)
        found |= {name: study.read(name) for name in ("predictions", "scan_checks")}
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_keeps_who_is_done(
    name: str,
    people: Path,
    tmp_path: Path,
    share: float,
    record_property: Callable[[str, object], None],
) -> None:
    work = run_command, tmp_path / "study", [*COMMANDS[name].split(), "--quiet"]
    folder = work[1]
    # the study and the scans lie at the same place each time, since paths are part of a question
    shutil.copytree(people, folder)
    finish(*work, further=TORCH)
    clear(folder, name)
    seconds = finish(*work)
    expected, images = read_tables(folder), read_digests(folder, "**/sub-*.nii.gz")
    assert expected
    clear(folder, name)
    n_killed, kept = 0, dict[str, str]()
    for delay in np.random.default_rng(len(name)).uniform(size=round(KILLS * share)) * seconds:
        is_killed = kill(float(delay), *work)
        n_killed += is_killed
        check_whole(folder)
        now = read_digests(folder, "**/people/*.json")
        # whoever was finished when the command was killed before is there, as it was
        assert kept.items() <= now.items()
        kept = now
        if not is_killed:
            kept = clear(folder, name)
    finish(*work)
    record_property("kills", n_killed)
    for table, frame in read_tables(folder).items():
        pd.testing.assert_frame_equal(frame, expected[table], check_exact=True)
    assert read_digests(folder, "**/sub-*.nii.gz") == images


def clear(folder: Path, name: str) -> dict[str, str]:
    """Let the command begin anew; return who is finished, nobody."""
    for one in WRITTEN[name]:
        path = folder / one
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return {}


def train(folder: Path) -> None:
    """Train the tiny recipe of the tests, all stages."""
    import torch

    from brlp_models.training.recipe import STAGES
    from tests.brlp_models.test_training import make_training

    enter(folder)
    torch.set_num_threads(1)
    training = make_training(folder)
    for stage in STAGES:
        training.train(stage)


def test_a_killed_training_ends_in_the_weights_of_one_that_was_not(
    tmp_path: Path, share: float, record_property: Callable[[str, object], None]
) -> None:
    from tests.brlp_models.test_training import write_banks

    for name in ("unkilled", "killed"):
        write_banks(tmp_path / name)
    seconds = finish(train, tmp_path / "unkilled", further=TORCH)
    rng, n_killed = np.random.default_rng(4), 0
    for delay in rng.uniform(0.05, 0.5, size=round(KILLS * share)) * seconds:
        n_killed += kill(float(delay), train, tmp_path / "killed")
    finish(train, tmp_path / "killed")
    record_property("kills", n_killed)
    weights = read_digests(tmp_path / "unkilled", "**/checkpoint.pt")
    assert weights
    assert read_digests(tmp_path / "killed", "**/checkpoint.pt") == weights
