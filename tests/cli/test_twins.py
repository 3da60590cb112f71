"""From a synthetic trial to its analysis on the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import brlp_models
from brlp_models.auxiliary.files import write_auxiliary
from brlp_models.auxiliary.huber import HuberAuxiliary
from cohorts.synthetic.tabular import synthesize_table
from reports.store.study import Study
from trialsim.cli.app import app


def run(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.slow
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
    # people whom a study holds stay: its scores and predictions are about them
    run("rank", "archive", "--strategies", "baseline_volume", "--study", "other.duckdb")
    asked = ["twins", "trial", "--train-on", "archive", "--visits-months", "12"]
    run(*asked, "--study", "other.duckdb")
    with Study.open(tmp_path / "other.duckdb", read_only=True) as study:
        assert study.read("participants")["participant_id"].str.startswith("sub-archive").all()
        assert study.read("twins")["participant_id"].nunique() == 80
    with Study.open(tmp_path / "study.duckdb", read_only=True) as study:
        errors = study.read("twin_correlations").set_index(["months", "other_months"])
        slope = study.read("trial_effects").set_index("estimator").loc["random_slope_twin"]
    assert "individual_effects" in run("study", "info")
    assert errors.loc[(12, 12), "error_correlation"] == pytest.approx(1)
    assert 0 < errors.loc[(12, 24), "error_correlation"] < 1
    assert (slope["effect"], slope["unit"]) == ("slope", "mm3 a year")


def test_an_auxiliary_model_makes_twins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run("cohort", "synthesize", "trial", "-n", "40", "--trial", "--visits", "0,12,24")
    archive, _ = synthesize_table(150, rng=np.random.default_rng(2))
    model = HuberAuxiliary.fit(
        archive.baseline(), archive.visit_volumes(("hippocampus",)), regions=("hippocampus",)
    )
    write_auxiliary(model, tmp_path / "model.json")
    asked = ["twins", "trial", "--auxiliary", "model.json", "--visits-months", "12,24"]
    made = json.loads(run(*asked, "--json"))
    twins = pd.DataFrame(made).pivot_table(
        index="participant_id", columns="months", values=["predicted_mm3", "sd_mm3"]
    )
    assert twins.shape == (40, 4)
    assert (twins["sd_mm3"] > 0).all(axis=None)
    # untreated people shrink on average
    assert twins["predicted_mm3"][24.0].mean() < twins["predicted_mm3"][12.0].mean()
    bundled = Path(brlp_models.__file__).parent / "mini" / "auxiliary" / "huber.json"
    for words, problem in (
        ([*asked, "--train-on", "trial"], "give one of them"),
        ([*asked[:3], str(bundled), *asked[4:]], "predicts volumes in MNI space"),
        ([*asked, "--endpoint", "amygdala"], "predicts hippocampus, not the endpoint amygdala"),
    ):
        refused = CliRunner().invoke(app, words)
        assert refused.exit_code == 1
        assert problem in refused.output
