"""Options that would change nothing are refused, not passed over."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from trialsim.cli.app import app


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("cohort synthesize x --dropout 0.4", "--dropout: a finished trial has these; add --trial"),
        ("cohort synthesize x --resolution 1", "--resolution: scans have voxels; add --images"),
        ("train all --horizon 24 --model mini", "--horizon, --model: for `train baseline` alone"),
        ("train baseline elastic_net --data x --config told", "--config: for networks, not for a"),
        ("predict x --shard 1/2 --output y", "leave --output and --json out of a share"),
        ("predict x --participant-label 1 --json", "leave --output and --json out of a share"),
        ("predict x --shard 1/2 --workers 2", "leave --workers and --cluster out of it"),
        ("predict x --participant-label 1 --cluster local", "leave --workers and --cluster out"),
        ("predict x --shard 1/2 --set simulation.workers=2", "leave --workers and --cluster out"),
        ("compare x --top-fraction 0.2 --rate-below -3", "are two definitions: state one of them"),
        ("analyze x.csv --checks --output y", "--output: --checks analyzes and keeps nothing"),
        ("analyze x.csv --model y", "--model: of the scans that --scans names; add it"),
        ("analyze x.csv --accept-late-twins", "--accept-late-twins: of a study's twins; add"),
        ("monitor x.json --z 1 --endpoint volume", "--endpoint: of the table that --data names"),
        ("monitor x.json --z 1 --control a", "--control: of the table that --data names; add it"),
        ("cohort synthesize x --workers 3", "--workers: scans are made by processes; add --images"),
        ("samplesize sequential --dropout 0.2", "--dropout: they place looks in time; add --delta"),
        ("study export x --bundle --format csv", "--format: of tables alone"),
        ("study export x --r-script --bundle", "--bundle: a bundle holds no script"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(
    words: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, words.split())
    assert found.exit_code == 1
    assert told in " ".join(found.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_setting_that_overrules_its_option_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["rank", "x", "--folds", "3", "--seed", "1", "--set", "selection.folds=4"]
    found = CliRunner().invoke(app, words)
    told = " ".join(found.stderr.split())
    assert "selection.folds is that of --set, not of its option." in told
    assert "study.seed" not in told


def test_a_matrix_leaves_its_correlation_to_no_option(tmp_path: Path) -> None:
    matrix = tmp_path / "matrix.csv"
    matrix.write_text("1,0.5\n0.5,1\n")
    words = ["samplesize", "mmrm", "--sd", "1", "--delta", "1", "--power", "0.8", "--correlation"]
    assert CliRunner().invoke(app, [*words, str(matrix)]).exit_code == 0
    found = CliRunner().invoke(app, [*words, str(matrix), "--rho", "0.4"])
    assert found.exit_code == 1
    assert f"--rho: the matrix {matrix} says both" in " ".join(found.stderr.split())
