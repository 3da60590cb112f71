"""`study export --r-script`: R computes the closed forms of a study again."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trialsim as ts
from cohorts.synthetic import synthesize_table
from trialsim.study.result import StudyResult
from trialsim.study.writing.r_script import write_r_script


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    folder = tmp_path_factory.mktemp("in-r")
    cohort, _ = synthesize_table(80, rng=np.random.default_rng(3))
    cohort.write(folder / "screened")
    asked = ts.protocol(
        folder / "screened", strategies=["random", "baseline_volume"], fractions_enrolled=[0.5],
        analyses=["change", "ancova", "ancova_score", "mmrm", "mmrm_score", "random_slope",
                  "random_slope_score"],
        allocation_ratio=2.0, dropout={"control": [0.05, 0.2], "treatment": [0.1, 0.3]},
        alpha=0.025, sides=1,
        sample_sizes=[60, 120], n_simulations=100, n_bootstrap=0,
    )  # fmt: skip
    return ts.power(asked, output=folder)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r_agrees_with_every_closed_form(study: StudyResult, tmp_path: Path) -> None:
    script = write_r_script(study, tmp_path / "r")[0]
    done = subprocess.run(["Rscript", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 sizes" in done.stdout
    assert done.stdout.rstrip().endswith("AGREE")
    assert "nlme::gls" in done.stdout


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_another_size_is_noticed(study: StudyResult, tmp_path: Path) -> None:
    script, *_ = write_r_script(study, tmp_path / "r")
    sizes = pd.read_csv(script.with_name("sample_sizes.csv"))
    sizes.loc[0, "closed_form_n_control"] *= 1.001
    sizes.to_csv(script.with_name("sample_sizes.csv"), index=False)
    done = subprocess.run(["Rscript", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "DIFFER" in done.stdout
