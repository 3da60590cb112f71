"""From a synthetic trial to its analysis on the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trialsim.cli.app import app


def run(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_synthetic_trial_runs_from_tables_to_its_analysis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("cohort", "synthesize", "archive", "-n", "200", "--label", "archive", "--visits", "0,12,24")
    made = run("cohort", "synthesize", "trial", "-n", "80", "--trial", "--visits", "0,12,24")
    assert "SYNTHETIC trial of 80 people, true effect" in made
    run("twins", "trial", "--train-on", "archive", "--visits-months", "12,24")
    rows = json.loads(run("analyze", "trial/trial.csv", "--study", "study.duckdb", "--json"))
    assert rows[0]["estimator"] == "procova"
    assert "individual_effects" in run("study", "info")
