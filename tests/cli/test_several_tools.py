"""A strategy that was trained on one tool's volumes is not applied to another's in silence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cohorts.cohort import Cohort
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


def test_a_scanner_that_nobody_learned_from_is_refused_until_something_is_stated(
    folder: Path,
) -> None:
    for name, field in (("screened", 3.0), ("old", 1.5)):
        cohort = Cohort.read(folder / name)
        people = cohort.participants.assign(field_strength=field)
        volumes = cohort.volumes.assign(source="aseg.stats (FreeSurfer 7)")
        replace(cohort, participants=people, volumes=volumes).write(folder / f"{name}_scanned")
    words = ["rank", "screened_scanned", "--train-on", "old_scanned", "--strategies", "regression"]
    code, told = invoke(*words)
    assert code == 1
    assert "field_strength 3.0 of" in told
    assert 'cohort.harmonize = "as_measured"' in told
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
