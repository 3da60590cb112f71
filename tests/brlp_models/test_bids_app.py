"""`trialsim-bids` in the way of array jobs: people one by one, then one job that joins them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.store.study import Study
from tests.brlp_models.brain_drawing import write_brain
from trialsim.cli.bids_app import main

PEOPLE = {"sub-1": 70.0, "sub-2": 75.0}


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    for seed, person in enumerate(PEOPLE):
        anat = tmp_path / "bids" / person / "ses-bl" / "anat"
        write_brain(anat / f"{person}_ses-bl_T1w.nii.gz", seed)
    table = pd.DataFrame({"participant_id": PEOPLE.keys(), "age": PEOPLE.values(), "sex": "F"})
    table.to_csv(tmp_path / "bids" / "participants.tsv", sep="\t", index=False)
    return tmp_path / "bids"


@pytest.fixture
def call(bids: Path, lone_model: Path, tmp_path: Path) -> Callable[..., int]:
    """Call the program; return its exit code."""

    def run(*words: str) -> int:
        shared = ["--model", str(lone_model), "--diagnosis", "MCI", "--samples", "1", "-q"]
        with pytest.raises(SystemExit) as ended:
            main([str(bids), str(tmp_path / "out"), *words, *shared])
        return int(ended.value.code or 0)

    return run


def test_people_are_predicted_one_by_one_then_joined_and_ranked(
    call: Callable[..., int], tmp_path: Path, find_bids_issues: Callable[[Path], set[Any]]
) -> None:
    out, work = tmp_path / "out", str(tmp_path / "work")
    assert call("participant", "--participant-label", "1", "--work-dir", work) == 0
    assert {path.name for path in out.glob("sub-*")} == {"sub-1"}
    assert not list(out.glob("*.csv"))
    written = (out / "people" / "sub-1.json").stat().st_mtime_ns
    assert call("participant", "--work-dir", work) == 0
    assert (out / "people" / "sub-1.json").stat().st_mtime_ns == written
    citation = (out / "logs" / "CITATION.md").read_text()
    assert "draws each, seed" in citation

    assert call("group") == 0
    model_id = pd.read_csv(out / "predictions.csv")["model_id"].iloc[0]
    assert f"(identifier {model_id})" in citation
    with Study.open(out / "study.duckdb", read_only=True) as study:
        scores = study.read("scores").query("strategy == 'brlp'")
        assert study.runs()["command"].str.startswith("trialsim-bids").all()
    assert sorted(scores["participant_id"]) == ["sub-1", "sub-2"]
    assert scores["score"].notna().all()
    table = pd.read_csv(out / "phenotype" / "predicted_volumes.tsv", sep="\t")
    assert len(table) == 2
    assert {issue[1] for issue in find_bids_issues(out)} <= {"TOO_FEW_AUTHORS"}


def test_who_cannot_be_predicted_is_told_and_the_others_go_on(
    call: Callable[..., int], bids: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (scan,) = (bids / "sub-2").rglob("*.nii.gz")
    scan.write_bytes(b"no scan")
    assert call("participant") == 1
    assert "Error: sub-2 was not predicted" in capsys.readouterr().err
    assert (tmp_path / "out" / "logs" / "sub-2_problem.txt").is_file()
    assert call("group") == 0


def test_other_settings_do_not_mix_with_what_is_there(
    call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("participant", "--participant-label", "sub-1") == 0
    assert call("participant", "--participant-label", "sub-2", "--seed", "9") == 1
    assert "holds predictions with seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("participant", "--participant-label", "7"), "participants.tsv has no sub-7"),
        (("group",), "holds no predictions: predict people first"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    call: Callable[..., int], words: tuple[str, ...], sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert call(*words) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Error: ")
    assert sentence in line


def test_an_option_is_given_once(
    call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ["--participant-label", "1", "--participant_label", "2"]
    assert call("participant", *labels) == 2
    assert "argument --participant_label: given again" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["", "out"], ["data", ""], ["data", "out", "--protocol="]])
def test_an_empty_path_is_not_the_working_folder(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*words[:2], "group", *words[2:]])
    assert "got nothing, a path is expected" in capsys.readouterr().err


def test_the_citation_alone(call: Callable[..., int], tmp_path: Path) -> None:
    assert call("participant", "--boilerplate-only") == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["logs"]
    assert json.dumps("tiny")[1:-1] in (tmp_path / "out" / "logs" / "CITATION.md").read_text()
