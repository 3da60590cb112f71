"""What a study records as its command gives its tables again, in a shell as it stands."""

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from reports.store.study import Study
from trialsim.cli.app import app

PROTOCOL = """
[cohort]
path = "screened people"
[selection]
fractions_enrolled = [0.5, 1.0]
[design]
analyses = ["ancova"]
[simulation]
sample_sizes = [60, 120]
n_simulations = 100
n_bootstrap = 0
"""
pytestmark = pytest.mark.usefixtures("_unreported")
STRATEGIES = 'selection.strategies=["random", "regression"]'
RESULTS = ("scores", "selections", "sample_sizes")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    run("cohort", "synthesize", "screened people", "--participants", "80", "--seed", "1")
    Path("my protocol.toml").write_text(PROTOCOL)
    return tmp_path


def run(*words: str) -> None:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output


def read_results(study: Path) -> dict[str, pd.DataFrame]:
    opened = Study.open(study, read_only=True)
    return {name: opened.read(name) for name in RESULTS}


def repeat(study: Path, home: Path) -> None:
    """Execute what the last run recorded, where it ran, after everything is thrown away."""
    last = Study.open(study, read_only=True).runs().iloc[-1]
    assert Path(last["folder"]) == home
    shutil.rmtree(study.parent)
    (home / "bin").mkdir()
    program = home / "bin/trialsim"
    # the shell takes the command apart, into words that are executed here: that loads nothing anew
    program.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    program.chmod(0o755)
    command = f'PATH="{home}/bin:$PATH"; {last["command"]}'
    taken = subprocess.run(
        ["sh", "-c", command], cwd=last["folder"], check=True, capture_output=True, text=True
    )
    run(*taken.stdout.split("\0")[:-1])


@pytest.mark.parametrize("door", ["run", pytest.param("power", marks=pytest.mark.slow)])
def test_the_recorded_command_gives_the_same_tables(home: Path, door: str) -> None:
    study = home / "results/study.duckdb"
    if door == "run":
        run("run", "my protocol.toml", "--set", STRATEGIES)
    else:
        where = ["screened people", "--study", "results/study.duckdb"]
        run("rank", *where, "--strategies", "random,regression", "--folds", "4")
        run("power", *where, "--analyses", "ancova", "--sample-sizes", "60,120",
            "--n-simulations", "100", "--n-bootstrap", "0")  # fmt: skip
    before = read_results(study)
    repeat(study, home)
    for name, table in read_results(study).items():
        pd.testing.assert_frame_equal(table, before[name], check_exact=True)
