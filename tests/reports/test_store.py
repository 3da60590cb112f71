"""What is written into a study is traced and read back; what is no study is refused."""

import json
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from cohorts.errors import CohortValidationError
from cohorts.schema import TABLES
from reports.errors import ReportError
from reports.store.study import Study
from tests.reports.written_study import make_participants, write_once


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.open(tmp_path / "study.duckdb")


def test_a_new_study_has_every_table_of_the_schema(study: Study) -> None:
    found = study.query("SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal")
    columns = found.groupby("table_name")["column_name"].agg(set)
    for name, schema in TABLES.items():
        required = (column for column, told in schema.columns.items() if told.required)
        assert columns[name] == {"run_id", *required}


def test_what_is_written_is_read_back_with_its_further_columns(study: Study) -> None:
    frame = make_participants(
        apoe4=pd.array([0, None, 2], dtype="Int64"), site=["Köln", None, 'a"; DROP TABLE runs; --']
    )
    write_once(study, frame)
    pd.testing.assert_frame_equal(study.read("participants"), frame)


def test_an_empty_table_keeps_its_further_columns(study: Study) -> None:
    write_once(study, make_participants(2, site="x").head(0))
    assert list(study.read("participants"))[-1] == "site"


def test_the_latest_finished_run_is_read_while_earlier_rows_stay(study: Study) -> None:
    first = write_once(study, make_participants(3))
    write_once(study, make_participants(5))
    assert len(study.read("participants")) == 5
    assert len(study.read("participants", run_id=first)) == 3


def test_a_run_records_config_seed_and_checksums(study: Study, tmp_path: Path) -> None:
    scan = tmp_path / "scan.nii"
    scan.write_bytes(b"abc")
    write_once(study, make_participants(), seed=7, inputs=[scan])
    run = study.runs().iloc[-1]
    assert (run["seed"], run["status"]) == (7, "finished")
    assert study.files()["sha256"].tolist() == [
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    ]


def test_what_a_run_learns_is_recorded_with_its_config(study: Study) -> None:
    with study.run(command="x", config={"a": 1}) as run:
        run.note(is_synthetic=True)
    assert study.runs()["config"].map(json.loads).tolist() == [{"a": 1, "is_synthetic": True}]


def test_a_failing_run_writes_nothing_and_says_why(study: Study) -> None:
    def fail(frame: pd.DataFrame) -> None:
        with study.run(command="x", config={}) as run:
            run.write("participants", frame)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail(make_participants())
    assert not study.has("participants")
    assert study.runs()[["status", "problem"]].to_numpy().tolist() == [["failed", "broken"]]


def test_an_interrupt_is_marked_as_one(study: Study) -> None:
    with pytest.raises(KeyboardInterrupt), study.run(command="x", config={}):
        raise KeyboardInterrupt
    assert study.runs()["status"].tolist() == ["interrupted"]


def test_a_bad_row_is_refused_before_anything_is_written(study: Study) -> None:
    with pytest.raises(CohortValidationError, match="sex"):
        write_once(study, make_participants(sex=["F", "M", "x"]))
    assert not study.has("participants")


def test_a_table_that_nobody_wrote_names_the_command_that_does(study: Study) -> None:
    with pytest.raises(ReportError, match="trialsim rank"):
        study.read("scores")


def test_a_finished_step_is_found_by_its_fingerprint(study: Study) -> None:
    run_id = write_once(study, make_participants(), fingerprint="abc")
    assert study.find_finished("abc") == run_id
    assert study.find_finished("abd") is None


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE runs",
        "INSERT INTO migrations VALUES (9, 'x', NULL)",
        "COPY runs TO 'stolen.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SELECT nonsense",
    ],
)
def test_a_query_can_neither_change_nor_leave_the_file(study: Study, statement: str) -> None:
    with pytest.raises(ReportError):
        study.query(statement)


def test_values_are_bound(study: Study) -> None:
    write_once(study, make_participants())
    found = study.query("SELECT ? AS text", ["'; DROP TABLE runs; --"])
    assert found["text"].tolist() == ["'; DROP TABLE runs; --"]


def make_foreign(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE somebody_elses (x INTEGER)")


def make_newer(path: Path) -> None:
    Study.open(path)
    with duckdb.connect(path) as connection:
        connection.execute("INSERT INTO migrations VALUES (99, 'future', NULL)")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text("hello, I am no database at all"), "not a study file"),
        (Path.mkdir, r"is a folder: give the path of a study in it, .*study\.duckdb"),
        (make_foreign, "another program"),
        (make_newer, "newer trialsim"),
    ],
)
def test_a_file_that_is_no_study_is_refused(tmp_path: Path, make: object, words: str) -> None:
    path = tmp_path / "study.duckdb"
    make(path)  # type: ignore[operator]
    with pytest.raises(ReportError, match=words):
        Study.open(path)


def test_a_truncated_file_gives_a_sentence_never_rows(study: Study) -> None:
    write_once(study, make_participants(40_000))
    whole = study.path.read_bytes()
    for share in (0.001, 0.01, 0.1, 0.3, 0.6, 0.9):
        study.path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ReportError, match="study"):
            Study.open(study.path, read_only=True).read("participants")


def test_a_missing_study_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no study file"):
        Study.open(tmp_path / "none.duckdb", read_only=True)
    assert not (tmp_path / "none.duckdb").exists()


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ReportError, match="cannot be written"):
        Study.open(tmp_path / "file" / "study.duckdb")
