"""Numbers that cannot be are refused by the name of their option, before anything is read."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from trialsim.cli.app import app

NO_MONTHS = ("-3", "0", "nan", "inf", "601")
NO_SEEDS = ("-3", "99999999999999999999")
WRONG: dict[str, tuple[str, tuple[str, ...]]] = {
    "evaluate missing": ("--horizon", NO_MONTHS),
    "model calibrate mini --on missing --out out": ("--horizon", NO_MONTHS),
    "train baseline elastic_net --data missing": ("--horizon", NO_MONTHS),
    "model baseline-scores image_regression missing": ("--horizon", NO_MONTHS),
    "model baseline-scores mrextrap missing": ("--until-months", ("-3", "nan", "inf")),
    "model calibrate mini --on here --out out": ("--guidance", ("-3", "nan", "inf")),
    "model check-scan missing.nii": ("--age", ("-3", "nan", "inf")),
    "cohort validate missing.csv": ("--top-coded-age", ("-3", "0", "nan", "inf")),
    "evaluate people": ("--seed", NO_SEEDS),
    "model evaluation-people --label-maps . --out out": ("--seed", NO_SEEDS),
    "cohort synthesize new": ("--seed", NO_SEEDS),
    "demo new": ("--seed", NO_SEEDS),
    "analyze missing.csv": ("--seed", NO_SEEDS),
    "samplesize doses --deltas 1,2 --sd 2 --power 0.8 --n-simulations 9": ("--seed", NO_SEEDS),
    "samplesize endpoints --deltas 1,1 --sds 2,2 --correlation 0 --power 0.8": (
        "--seed",
        NO_SEEDS,
    ),
    "samplesize twins --delta 1 --sd 2 --twin-correlation 0.5 --power 0.8": ("--seed", NO_SEEDS),
    "samplesize twins --delta 1 --sd 2 --twin-correlation 0.4 --power 0.8": (
        "--visit-correlation",
        ("-3", "nan", "inf"),
    ),
    "samplesize sequential --delta 20 --sd 60": ("--visits-months", ("-3", "0", "nan", "inf")),
    "samplesize sequential --looks 0.5,1": ("--futility-parameter", ("-3", "nan")),
    "study sql x missing.duckdb": ("--timeout", ("-3", "0", "nan", "inf")),
    "predict missing": ("--memory-gb", ("-3", "0", "nan", "inf")),
    "power missing": ("--normal-change-per-year", ("nan", "inf")),
}
CASES = [(words, flag, value) for words, (flag, values) in WRONG.items() for value in values]


@pytest.mark.parametrize(("words", "flag", "value"), CASES)
def test_a_number_that_cannot_be_is_told_by_its_option(
    words: str, flag: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, [*words.split(), f"{flag}={value}"])
    told = " ".join(found.stderr.split())
    assert found.exit_code in (1, 2)
    assert flag in told or flag[2:].replace("-", "_") in told
    assert "fault of trialsim" not in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("month", ["-3", "0", "nan", "inf"])
def test_twins_are_asked_for_visits_that_can_be(
    month: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    people = ["cohort", "synthesize", "people", "-n", "5", "--seed", "1"]
    assert CliRunner().invoke(app, people).exit_code == 0
    words = ["twins", "people", f"--visits-months={month}", "--train-on", "people"]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 1
    assert "visits_months must list the visits after baseline" in " ".join(found.stderr.split())
