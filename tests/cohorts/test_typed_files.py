"""Tables of SAS, SPSS, Stata and Excel give what the same table gives as text, or a sentence."""

import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest
from typer.testing import CliRunner

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from cohorts.sources.tables.table import read_table
from trialsim.cli.app import app

PEOPLE = pd.DataFrame(
    {
        "ptid": ["a1", "a1", "b2"],
        "age": [70.5, 71.5, 66.0],
        "sex": ["F", "F", "M"],
        "dx": ["MCI", "AD", "CN"],
        "months": [0.0, 12.0, 0.0],
        "mmse": [27.0, float("nan"), 30.0],
        "hippocampus": [6500.0, 6300.0, 7400.0],
    }
)
WRITERS: dict[str, Callable[[pd.DataFrame, str], object]] = {
    ".xpt": pyreadstat.write_xport,
    ".sav": pyreadstat.write_sav,
    ".zsav": lambda frame, path: pyreadstat.write_sav(frame, path, compress=True),
    ".por": pyreadstat.write_por,
    ".dta": pyreadstat.write_dta,
    ".xlsx": lambda frame, path: frame.to_excel(path, index=False),
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_program_gives_the_same_people(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"people{suffix}"
    # names in SAS transport and SPSS portable files have at most 8 letters
    WRITERS[suffix](PEOPLE.rename(columns={"hippocampus": "hv"}), str(path))
    own = {name: name.lower() for name in read_table(path)}
    found = load_cohort(
        path, column_map={next(n for n in own if own[n] == "hv"): "hippocampus_mm3"}
    )
    assert found.participants["participant_id"].tolist() == ["a1", "b2"]
    assert found.participants["age_years"].tolist() == [70.5, 66.0]
    assert found.visits["months_from_baseline"].tolist() == [0.0, 12.0, 0.0]
    assert found.volumes["volume_mm3"].tolist() == [6500.0, 6300.0, 7400.0]
    assert found.visits["diagnosis"].tolist() == ["MCI", "AD", "CN"]


def test_labels_of_codes_are_read_where_every_value_has_one(tmp_path: Path) -> None:
    coded = PEOPLE.assign(sex=[2.0, 2.0, 1.0], mmse=[27.0, 26.0, 30.0])
    labels = {"sex": {1.0: "Male", 2.0: "Female"}, "mmse": {30.0: "full"}}
    pyreadstat.write_sav(coded, str(tmp_path / "p.sav"), variable_value_labels=labels)
    found = load_cohort(tmp_path / "p.sav").participants
    assert found["sex"].tolist() == ["F", "M"]
    assert found["mmse"].tolist() == [27.0, 30.0]


def test_missing_values_that_spss_declares_are_missing(tmp_path: Path) -> None:
    coded = PEOPLE.assign(mmse=[27.0, -4.0, 30.0])
    pyreadstat.write_sav(
        coded, str(tmp_path / "p.sav"), missing_ranges={"mmse": [{"lo": -4, "hi": -4}]}
    )
    assert read_table(tmp_path / "p.sav")["mmse"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize("suffix", [".xpt", ".sav", ".dta", ".parquet"])
def test_names_of_many_digits_that_are_stored_as_numbers_stay_whole(
    suffix: str, tmp_path: Path
) -> None:
    names = [123456789012345.0, 123456789012346.0, 2.5]
    numbered = PEOPLE.rename(columns={"hippocampus": "hv"}).assign(ptid=names)
    path = tmp_path / f"p{suffix}"
    (WRITERS | {".parquet": pd.DataFrame.to_parquet})[suffix](numbered, str(path))
    own = {str(name).lower(): str(name) for name in read_table(path)}
    found = load_cohort(path, column_map={own["hv"]: "hippocampus_mm3", own["months"]: "month"})
    assert [*found.participants["participant_id"]] == ["123456789012345", "123456789012346", "2.5"]
    numbered.assign(ptid=[1e16, 1e16, 2.0]).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(
        CohortError, match=r"got '10{16}', .* stored as text are exp.* rows, first 1"
    ):
        load_cohort(tmp_path / "p.parquet", column_map={"hv": "hippocampus_mm3"})


def write_workbook(path: Path, *sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    for i, rows in enumerate(sheets):
        sheet = book.active if not i else book.create_sheet(f"more{i}")
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_cells_of_a_workbook_are_read_as_they_are(tmp_path: Path) -> None:
    rows = [
        ["ptid", "n", "when", "yes", None],
        [1, 70.0, datetime.datetime(2020, 1, 31), True, None],
        [],
        ["x y ", "70,5", datetime.datetime(2020, 1, 31, 8, 30), None, None],
    ]
    found = read_table(write_workbook(tmp_path / "p.xlsx", rows, []))
    assert found.to_numpy().tolist() == [
        ["1", "70", "2020-01-31", "1"],
        ["x y", "70,5", "2020-01-31T08:30:00", ""],
    ]


FAULTY: dict[str, tuple[Callable[[Path], object], str]] = {
    "a longer row": (
        lambda path: write_workbook(path, [["a", "b"], [1, 2], [1, 2, 3]]),
        r"row 3: 3.*header, which has 2|header, which has 2.*row 3: 3",
    ),
    "two sheets": (lambda path: write_workbook(path, [["a"], [1]], [["b"], [1]]), "several sheets"),
    "a column twice": (lambda path: write_workbook(path, [["a", "a"], [1, 2]]), "twice: a"),
    "nothing": (lambda path: write_workbook(path, []), "is empty"),
    "a formula without result": (
        lambda path: write_workbook(path, [["a", "b"], [1, "=A2*2"]]),
        "formulas without saved results",
    ),
    "no workbook": (lambda path: path.write_bytes(b"a,b\n1,2\n"), "no Excel workbook"),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_faulty_workbook_is_one_sentence(fault: str, tmp_path: Path) -> None:
    make, words = FAULTY[fault]
    make(tmp_path / "p.xlsx")
    with pytest.raises(CohortError, match=words):
        read_table(tmp_path / "p.xlsx")


@pytest.mark.parametrize("suffix", [".sas7bdat", ".xpt", ".sav", ".por", ".dta"])
def test_a_damaged_file_is_one_sentence(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"p{suffix}"
    path.write_bytes(b"\0not a file of any program" * 9)
    with pytest.raises(CohortError, match=f"p{suffix} could not be read as"):
        read_table(path)


def test_a_parquet_file_that_no_table_of_people_is_gets_one_sentence(tmp_path: Path) -> None:
    path, people = tmp_path / "p.parquet", pa.Table.from_pandas(PEOPLE)
    pq.write_table(
        people.append_column("age", people["age"]).append_column("dx", people["dx"]), path
    )
    with pytest.raises(CohortError) as told:
        load_cohort(path)
    assert str(told.value) == "p.parquet names columns twice: age, dx."
    lists = pa.array([[1, 2], [3], None])
    structs = pa.array([{"a": 1}, {"a": 2}, None])
    pq.write_table(people.append_column("l", lists).append_column("s", structs), path)
    with pytest.raises(CohortError) as told:
        load_cohort(path)
    assert str(told.value) == (
        "p.parquet holds several values in a cell (l: list<element: int64>, s: struct<a: int64>): "
        "write the table with one number or text in each cell, or without these columns."
    )


@pytest.mark.parametrize(("suffix", "package"), [(".sav", "pyreadstat"), (".xlsx", "openpyxl")])
def test_without_its_package_one_sentence_says_what_brings_it(
    suffix: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WRITERS[suffix](PEOPLE, str(tmp_path / f"p{suffix}"))
    monkeypatch.setitem(sys.modules, package, None)
    done = CliRunner().invoke(app, ["cohort", "validate", str(tmp_path / f"p{suffix}")])
    assert done.exit_code == 1
    assert done.stderr.strip() == (
        f"Error: This needs {package}, which is not installed: pip install 'trialsim[tables]' "
        "brings it."
    )
