"""A synthetic trial's scans hold the effect that was asked for."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cohorts.cohort import Cohort
from trialsim.cli.app import app


@pytest.mark.slow
def test_treated_people_s_scans_have_less_decline(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    asked = ["cohort", "synthesize", str(folder), "--trial", "--images", "-n", "4"]
    asked += ["--visits", "0,24", "--slowing", "0.8", "--dropout", "0", "--workers", "1"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "SYNTHETIC trial of 4 people" in done.output
    table = pd.read_csv(folder / "trial.csv")
    effects = pd.read_parquet(folder / "truth" / "effects.parquet").set_index("participant_id")
    truth = pd.read_parquet(folder / "scans" / "truth" / "volumes.parquet")
    untreated = truth[(truth["region"] == "hippocampus") & (truth["session_id"] == "ses-m24")]
    untreated = untreated.set_index("participant_id")["volume_mm3"]
    last = table[table["months"] == 24].set_index("participant_id")
    assert sorted(last["arm"].unique()) == ["control", "treatment"]
    expected = untreated + effects["effect_mm3"] * (effects["arm"] == "treatment")
    # voxels of 2 mm: a few of 8 mm3 are misplaced
    assert last["hippocampus_mm3"].to_numpy() == pytest.approx(
        expected.loc[last.index].to_numpy(), abs=60
    )
    assert np.abs(effects["effect_mm3"]).max() > 100
    baseline = Cohort.read(folder / "baseline")
    assert (baseline.visits["months_from_baseline"] == 0).all()
    assert baseline.is_synthetic


def test_scans_of_a_trial_take_no_label_maps(tmp_path: Path) -> None:
    asked = ["cohort", "synthesize", str(tmp_path / "t"), "--trial", "--images", "--whole-head"]
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 1
    assert "not for --trial" in refused.output
