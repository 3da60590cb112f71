"""Every file that is no table, and every path without a cohort, gets its sentence."""

import re
from pathlib import Path

import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort

BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "empty file": ("people.csv", b"", "is empty"),
    "header alone": ("people.csv", b"participant_id,age\n", "has no rows below its header"),
    "not text": ("people.csv", b"\xff\xfe\x00\x81,\n\x00", "is not UTF-8 text"),
    "semicolons": ("people.csv", b"participant_id;age\na;70\n", "must be separated by commas"),
    "bars": ("people.csv", b"participant_id|age\na|70\n", r"first line sep=\| must say by what"),
    "commas in a tsv": ("people.tsv", b"participant_id,age\na,70\n", "must be separated by tabs"),
    "column twice": (
        "people.csv",
        b"participant_id,age,age\na,70,71\n",
        "names columns twice: age",
    ),
    "ragged": ("people.csv", b"participant_id,age\na,70\nb,71,F\n", r"has 2 \(row 3: 3\)"),
    "not Parquet": ("people.parquet", b"participant_id,age\n", "could not be read as Parquet"),
    "spreadsheet": ("people.xlsx", b"PK", "is no Excel workbook"),
    "broken description": ("cohort.json", b"{", "could not be read as JSON"),
    "description of something else": ("cohort.json", b"[]", "says is_synthetic"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_gets_its_sentence(name: str, tmp_path: Path) -> None:
    file, content, words = BAD_FILES[name]
    (tmp_path / file).write_bytes(content)
    path = tmp_path if file == "cohort.json" else tmp_path / file
    with pytest.raises(CohortError, match=words):
        load_cohort(path)


def test_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"nowhere.csv does not exist"):
        load_cohort(tmp_path / "nowhere.csv")


def test_device_in_place_of_a_table_is_no_file() -> None:
    with pytest.raises(CohortError, match="/dev/null is no file: give the path of a table"):
        load_cohort(Path("/dev/null"))


def test_folder_without_a_cohort_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"is no cohort.*FreeSurfer\)\.$"):
        load_cohort(tmp_path)


def test_cohorts_in_a_folder_that_is_none_are_named(tmp_path: Path) -> None:
    for name in ("scans/sub-1/anat", "baseline", "notes"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "baseline/cohort.json").write_text("{}")
    (tmp_path / "scans/sub-1/anat/sub-1_T1w.nii.gz").touch()
    wanted = f"Did you mean {tmp_path}/baseline or {tmp_path}/scans"
    with pytest.raises(CohortError, match=re.escape(wanted)):
        load_cohort(tmp_path)
