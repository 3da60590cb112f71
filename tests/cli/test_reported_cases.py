"""Reported situations, asked of the commands as people type them; the right values are theirs."""

import importlib.util
import json
import shutil
import warnings
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from reports.store.study import Study
from trialsim.cli.app import app

CASES = Path(__file__).parents[3] / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not here")


def use(case: str, folder: Path) -> Path:
    """Return a copy of a case that may be written to."""
    copy = folder / "case"
    shutil.copytree(CASES / case, copy, copy_function=shutil.copyfile)
    copy.chmod(0o755)
    return copy


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.slow
def test_compare_without_a_strategy_that_predicts(tmp_path: Path) -> None:
    people, study = (
        use("25-X01-compare-without-regression", tmp_path) / "tab",
        tmp_path / "s.duckdb",
    )
    done = invoke("compare", people, "--study", study, "--strategies", "random,baseline_volume")
    assert done.exit_code == 0, done.output
    rates = Study.open(study, read_only=True).read("capture_rates")
    assert set(rates["strategy"]) == {"random", "baseline_volume"}
    assert rates["capture_rate"].between(0, 1).all()


@pytest.mark.slow
def test_a_table_of_3000_columns_is_read_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = CASES / "37-T31-very-wide" / "make_input.py"
    spec = importlib.util.spec_from_file_location("make_input", script)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    words = ["--map", "eid=participant_id", "--map", "31-0.0=sex", "--map", "21003-2.0=age_years"]
    words += ["--map", "25019-2.0=left_hippocampus_mm3", "--map", "25020-2.0=right_hippocampus_mm3"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.PerformanceWarning)
        done = invoke("cohort", "validate", "p.csv", *words, "--sex-coding", "0=F,1=M",
                      "--diagnosis", "CN", "--quiet")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "500 people, 500 visits, 1,500 volumes" in done.stdout
    assert not done.stderr


def test_a_study_beside_a_tilde_is_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, home = use("cohort_of_40", tmp_path), tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    done = invoke("rank", people, "--strategies", "random", "--quiet", "--study=~/x.duckdb")
    assert done.exit_code == 0, done.output
    assert [path.name for path in home.glob("*.duckdb")] == ["x.duckdb"]
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("name", ["bom", "crlf"])
def test_a_protocol_of_a_windows_editor_is_read_and_an_old_key_told(name: str) -> None:
    done = invoke("run", CASES / "39-C08-protocol-bom-crlf" / f"{name}.toml", "--dry-run")
    assert done.exit_code == 1
    assert "window_months: this key is cohort.window_months now" in done.stderr
    assert "TOML" not in done.stderr


@pytest.mark.parametrize("name", ["win", "til"])
def test_a_path_of_a_protocol_that_cannot_be_is_one_sentence(name: str) -> None:
    done = invoke("run", CASES / "39-C08-protocol-bom-crlf" / f"{name}.toml", "--dry-run")
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert "fault of trialsim" not in done.output
    assert done.stderr.startswith("Error: ")


def test_colors_are_told_by_check_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("model", "check-scan", use("27-I06-rgb", tmp_path) / "t.nii.gz")
    assert done.exit_code == 1
    assert "it holds colors (RGB); one gray value a voxel is expected" in done.output


@pytest.mark.slow
def test_a_mirrored_qform_is_told_by_both_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(use("42-I03-sq-disagree", tmp_path))
    validated, checked = (
        invoke("cohort", "validate", "b.csv"),
        invoke("model", "check-scan", "t.nii.gz"),
    )
    for done in (validated, checked):
        assert done.exit_code == 0, done.output
        assert "sform and qform disagree" in done.output
    assert "Verdict: warn" in checked.output


@pytest.mark.parametrize("verb", ["means", "ancova"])
def test_dropout_enlarges_a_trial_by_the_share_that_stays(verb: str) -> None:
    words = ["samplesize", verb, "--sd", "1", "--delta", "0.9", "--power", "0.8", "--json"]
    words += ["--correlation", "0.5"] if verb == "ancova" else []
    (whole,), (fewer,) = (
        json.loads(invoke(*words, *more).stdout) for more in ([], ["--retention", "0.8"])
    )
    assert fewer["n_total"] == pytest.approx(whole["n_total"] / 0.8, rel=1e-6)
