"""Commands that read scans are killed at random moments: what is done stays, and they go on."""

import shutil
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from faults.commands import enter, finish, run_command, start
from reports.store.study import Study
from trialsim.cli.app import app

KILLS = 10
COMMANDS = {
    "predict": "predict scans --samples 1 --num-inference-steps 2 --horizons-months 24 "
    "--study predicted.duckdb",
    "evaluate": "evaluate scans --samples 1 --horizon 24 --conditions 0 --compare 0 --draws 1 "
    "--n-bootstrap 20 --train-on tables",
}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    for line in (
        "scans -n 4 --images --visits 0,24 --seed 2 --workers 1",
        "tables -n 60 --visits 0,24 --seed 3",
    ):
        name, *words = line.split()
        found = CliRunner().invoke(app, ["cohort", "synthesize", str(folder / name), *words])
        assert found.exit_code == 0, found.output
    return folder


def read_digests(folder: Path, pattern: str) -> dict[str, str]:
    """Return SHA-256 of files by name; every one must be whole when it is there."""
    found = sorted(folder.glob(pattern))
    return {str(one.relative_to(folder)): sha256(one.read_bytes()).hexdigest() for one in found}


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    path = folder / "predicted.duckdb"
    written = {} if not path.exists() else {"predictions": Study.open(path, read_only=True)}
    found = {name: one.read(name) for name, one in written.items() if one.has(name)}
    return found | {one.name: pd.read_csv(one) for one in sorted(folder.glob("evaluation/*.csv"))}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_keeps_who_is_done(
    name: str, people: Path, tmp_path: Path, share: float
) -> None:
    words = [*COMMANDS[name].split(), "--quiet"]
    unkilled, killed = tmp_path / "unkilled", tmp_path / "killed"
    for folder in (unkilled, killed):
        shutil.copytree(people, folder)
    seconds = finish(unkilled, words)
    kept: dict[str, str] = {}
    rng = np.random.default_rng(len(name))
    for delay in np.sort(rng.uniform(0.2, 0.6, size=round(KILLS * share))) * seconds:
        process = start(run_command, killed, words)
        process.join(timeout=float(delay))
        process.kill()
        process.join()
        now = read_digests(killed, "**/people/*.json")
        # whatever was finished when the command was killed before is there, as it was
        assert kept.items() <= now.items()
        kept = now
    finish(killed, words)
    expected = read_tables(unkilled)
    assert expected
    for table, frame in read_tables(killed).items():
        pd.testing.assert_frame_equal(frame, expected[table], check_exact=True)


def train(folder: Path) -> None:
    """Train the tiny recipe of the tests, all stages."""
    import torch

    from brlp_models.training.pipeline import STAGES
    from tests.brlp_models.test_training import make_training

    enter(folder)
    torch.set_num_threads(1)
    training = make_training(folder)
    for stage in STAGES:
        training.train(stage)


def test_a_killed_training_ends_in_the_weights_of_one_that_was_not(
    tmp_path: Path, share: float
) -> None:
    from tests.brlp_models.test_training import write_banks

    for name in ("unkilled", "killed"):
        write_banks(tmp_path / name)
    began = time.monotonic()
    process = start(train, tmp_path / "unkilled", further=("torch",))
    process.join()
    assert process.exitcode == 0, (tmp_path / "unkilled" / "output.txt").read_text()[-2000:]
    seconds = time.monotonic() - began
    rng = np.random.default_rng(4)
    for delay in rng.uniform(0.1, 0.7, size=round(KILLS * share)) * seconds:
        process = start(train, tmp_path / "killed", further=("torch",))
        process.join(timeout=float(delay))
        process.kill()
        process.join()
    process = start(train, tmp_path / "killed", further=("torch",))
    process.join()
    assert process.exitcode == 0, (tmp_path / "killed" / "output.txt").read_text()[-2000:]
    weights = read_digests(tmp_path / "unkilled", "**/checkpoint.pt")
    assert weights
    assert read_digests(tmp_path / "killed", "**/checkpoint.pt") == weights
