"""A strategy that was trained on one tool's volumes is not applied to another's in silence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cohorts.synthetic import synthesize_table
from reports.store.study import Study
from trialsim.cli.app import app

SMALL = ["--set", "simulation.n_simulations=100", "--set", "simulation.n_bootstrap=0"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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
        replace(cohort, volumes=volumes).write(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.stderr


@pytest.mark.parametrize("command", ["rank", "compare", "power"])
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
