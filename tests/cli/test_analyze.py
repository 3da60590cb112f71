"""`trialsim analyze` on tables of a finished trial."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from reports.page.gather import gather_study
from reports.store.study import Study
from trialsim.cli.app import app


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    rng = np.random.default_rng(20260101)
    n, months = 60, np.array([0.0, 12, 24])
    arm = np.arange(n) % 2
    known = rng.normal(size=(n, 1))
    slope = -10 + 4 * arm + 3 * known[:, 0] + rng.normal(size=n)
    volume = 7000 + 500 * rng.normal(size=(n, 1)) + slope[:, None] * months
    volume += 50 * rng.normal(size=volume.shape)
    rows = {
        "participant_id": np.repeat([f"p{i}" for i in range(n)], 3),
        "arm": np.repeat(np.where(arm == 1, "treatment", "control"), 3),
        "months": np.tile(months, n),
        "hippocampus_mm3": volume.ravel(),
    }
    pd.DataFrame(rows).to_csv(tmp_path / "trial.csv", index=False)
    twins = {
        "participant_id": rows["participant_id"],
        "months": rows["months"],
        "predicted_mm3": (volume[:, :1] + (3 * known - 10) * months).ravel(),
        "sd_mm3": 100.0,
    }
    pd.DataFrame(twins).to_csv(tmp_path / "twins.csv", index=False)
    return tmp_path / "trial.csv"


def test_json_lists_the_estimates_with_the_primary_on_top(trial: Path) -> None:
    command = ["analyze", str(trial), "--endpoint", "hippocampus", "--json"]
    done = CliRunner().invoke(app, [*command, "--twins", str(trial.with_name("twins.csv"))])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    wanted = {"estimator", "estimate", "se", "df", "lower", "upper", "p_value", "is_primary"}
    assert all(wanted <= set(row) for row in rows)
    assert [row["is_primary"] for row in rows] == [True] + [False] * (len(rows) - 1)
    assert rows[0]["estimator"] == "procova"
    assert {"unadjusted", "ancova", "mmrm", "procova_mmrm", "aipw", "ppi"} <= {
        row["estimator"] for row in rows
    }


def test_a_problem_is_one_sentence_and_exit_code_1(trial: Path) -> None:
    table = pd.read_csv(trial).replace({"arm": {"control": "placebo"}})
    table.to_csv(trial, index=False)
    refused = CliRunner().invoke(app, ["analyze", str(trial)])
    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: arm must hold control and treatment")
    accepted = CliRunner().invoke(app, ["analyze", str(trial), "--control", "placebo"])
    assert accepted.exit_code == 0, accepted.output


def test_a_refused_analysis_leaves_no_study(trial: Path, tmp_path: Path) -> None:
    study = tmp_path / "study.duckdb"
    asked = ["--study", str(study)]
    for table, further in ((tmp_path / "no.csv", []), (trial, ["--primary", "none"])):
        done = CliRunner().invoke(app, ["analyze", str(table), *asked, *further])
        assert done.exit_code != 0
        assert not study.exists()


def test_checks_of_a_blinded_trial_and_no_effect(trial: Path) -> None:
    pd.read_csv(trial).drop(columns="arm").to_csv(trial, index=False)
    refused = CliRunner().invoke(app, ["analyze", str(trial)])
    assert refused.exit_code == 1
    assert "arms of this trial are blinded" in refused.stderr
    checked = CliRunner().invoke(app, ["analyze", str(trial), "--checks"])
    assert checked.exit_code == 0, checked.output
    assert "hippocampus at baseline" in checked.stdout
    as_json = CliRunner().invoke(app, ["analyze", str(trial), "--checks", "--json"])
    assert json.loads(as_json.stdout).keys() == {"missing", "baseline"}


def test_output_holds_every_table(trial: Path, tmp_path: Path) -> None:
    twins = str(trial.with_name("twins.csv"))
    command = ["analyze", str(trial), "--twins", twins, "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    written = {path.stem for path in (tmp_path / "out").glob("*.csv")}
    assert {"trial_effects", "trial_assumptions", "individual_effects"} <= written


@pytest.mark.parametrize("is_synthetic", [True, False])
def test_a_trial_of_simulated_people_is_called_that(trial: Path, is_synthetic: bool) -> None:
    description = {"name": "people", "is_synthetic": is_synthetic}
    (trial.parent / "cohort.json").write_text(json.dumps(description))
    study = trial.parent / "study.duckdb"
    done = CliRunner().invoke(app, ["analyze", str(trial), "--study", str(study)])
    assert done.exit_code == 0, done.output
    assert ("SYNTHETIC trial: no number here" in done.stderr) is is_synthetic
    with Study.open(study, read_only=True) as opened:
        assert gather_study(opened).is_synthetic is is_synthetic


@pytest.mark.parametrize("factor", [1, 20])
def test_a_year_or_two_in_days_is_told(trial: Path, factor: float) -> None:
    frame = pd.read_csv(trial)
    frame["months"] *= factor
    frame.to_csv(trial, index=False)
    done = CliRunner().invoke(app, ["analyze", str(trial)])
    assert done.exit_code == 0, done.output
    assert ("if months are days, divide them by 30.44" in done.stderr) == (factor > 1)


@pytest.mark.parametrize(
    ("column", "factor", "told"),
    [
        ("months", 30.4, "months must be at most 600, no days"),
        ("hippocampus_mm3", 0.001, "hippocampus_mm3 looks like ml (median "),
    ],
)
def test_another_unit_of_a_trials_table_is_told(
    column: str, factor: float, told: str, tmp_path: Path
) -> None:
    names = [f"p{i}" for i in range(20)]
    table = pd.DataFrame({"participant_id": names, "arm": ["treatment", "control"] * 10})
    visits = [table.assign(months=m, hippocampus_mm3=6000.0 - 9 * m) for m in (0, 12, 24)]
    trial = pd.concat(visits)
    trial[column] *= factor
    trial.to_csv(tmp_path / "trial.csv", index=False)
    done = CliRunner().invoke(app, ["analyze", str(tmp_path / "trial.csv")])
    assert done.exit_code == 1
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
