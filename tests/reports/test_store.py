"""The study file is written whole or not at all, traced, guarded."""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from cohorts.errors import CohortValidationError, TrialsimError
from cohorts.schema import TABLES
from cohorts.table_files import neutralize_formulas, write_table
from reports.errors import ReportError
from reports.store.database import open_for_writing
from reports.store.export import write_study_tables
from reports.store.study import Study
from reports.store.verification import verify_study


def make_participants(count: int = 3, **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "participant_id": [f"sub-{number}" for number in range(count)],
            "sex": ["F"] * count,
            "age_years": np.linspace(60, 80, count),
            "diagnosis": ["MCI"] * count,
        }
    )
    return frame.assign(**columns)


def write_once(study: Study, frame: pd.DataFrame, **details: object) -> str:
    with study.run(command="trialsim test", config={}, **details) as run:  # type: ignore[arg-type]
        run.write("participants", frame)
    return run.run_id


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.open(tmp_path / "study.duckdb")


def test_a_new_study_has_every_table_of_the_schema(study: Study) -> None:
    found = study.query("SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal")
    columns = found.groupby("table_name")["column_name"].agg(set)
    for name, schema in TABLES.items():
        assert columns[name] == {"run_id", *schema.columns}


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


def test_a_second_writer_is_told_who_writes(study: Study) -> None:
    with study.run(command="trialsim predict", config={}):
        other = Study.open(study.path)
        with (
            pytest.raises(ReportError, match=rf"process {os.getpid()}, `trialsim predict`"),
            other.run(command="y", config={}),
        ):
            pass


def test_readers_read_while_a_writer_computes(study: Study) -> None:
    write_once(study, make_participants())
    with study.run(command="trialsim predict", config={}):
        code = (
            "from reports.store.study import Study\n"
            f"study = Study.open({str(study.path)!r}, read_only=True)\n"
            "print(len(study.read('participants')))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
    assert done.stdout.strip() == "3"


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
        (make_foreign, "another program"),
        (make_newer, "newer trialsim"),
    ],
)
def test_a_file_that_is_no_study_is_refused(tmp_path: Path, make: object, words: str) -> None:
    path = tmp_path / "study.duckdb"
    make(path)  # type: ignore[operator]
    with pytest.raises(ReportError, match=words):
        Study.open(path)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.3, 0.6, 0.9])
def test_a_truncated_file_gives_a_sentence_never_rows(study: Study, share: float) -> None:
    write_once(study, make_participants(40_000))
    whole = study.path.read_bytes()
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


def write_growing(path: Path, promises: Connection) -> None:
    study = Study.open(path)
    for count in range(50, 10_000):
        promises.send((write_once(study, make_participants(count)), count))


def receive(promises: Connection) -> dict[str, int]:
    received: dict[str, int] = {}
    while promises.poll():
        try:
            received |= [promises.recv()]
        except EOFError:
            break
    return received


def test_no_kill_loses_a_finished_run(tmp_path: Path) -> None:
    """A writer is killed at 30 random moments; what it reported stays, and is whole."""
    path = tmp_path / "study.duckdb"
    Study.open(path)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["reports.store.study", "pandas"])
    promised: dict[str, int] = {}
    for delay in np.random.default_rng(30).uniform(0.0, 0.3, size=30):
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=write_growing, args=(path, writer))
        process.start()
        writer.close()
        promised |= [reader.recv()]
        time.sleep(delay)
        process.kill()
        process.join()
        promised |= receive(reader)
        assert_kept(path, promised)
    assert len(promised) >= 30
    assert (verify_study(Study.open(path, read_only=True))["verdict"] == "holds").all()


def test_what_a_killed_compaction_left_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.store.database._LEAST_FREE_SHARE", -1)
    monkeypatch.setattr("reports.store.database._LEAST_FREE_BYTES", -1)
    study = Study.open(tmp_path / "study.duckdb")
    shutil.copy(study.path, tmp_path / "study.duckdb.writing.compact")
    write_once(study, make_participants(3))
    assert len(study.read("participants")) == 3
    assert not list(tmp_path.glob("*.compact*"))


def assert_kept(path: Path, promised: dict[str, int]) -> None:
    study = Study.open(path, read_only=True)
    runs = study.runs().set_index("run_id")
    rows = study.query("SELECT run_id, count(*) AS n FROM participants GROUP BY 1").set_index(
        "run_id"
    )
    assert set(promised) <= set(runs.index[runs["status"] == "finished"])
    assert all(rows.loc[run_id, "n"] == count for run_id, count in promised.items())
    unfinished = runs.index[runs["status"] != "finished"]
    assert not set(unfinished) & set(rows.index)


def write_many(path: Path, name: str, count: int) -> None:
    study = Study.open(path)
    done = 0
    while done < count:
        try:
            write_once(study, make_participants(4, site=name))
            done += 1
        except ReportError:
            time.sleep(0.01)


def delete_and_fail(path: Path) -> None:
    with open_for_writing(path) as connection:
        connection.execute("DELETE FROM participants")
        raise KeyError


def test_a_write_that_fails_leaves_the_file_as_it_was(study: Study) -> None:
    write_once(study, make_participants(3))
    before = study.path.read_bytes()
    with pytest.raises(KeyError):
        delete_and_fail(study.path)
    assert study.path.read_bytes() == before
    assert [path.name for path in study.path.parent.glob("study.duckdb.w*")] == []


def test_what_a_killed_writer_left_beside_the_file_is_cleared(study: Study) -> None:
    write_once(study, make_participants(3))
    study.path.with_name("study.duckdb.writing").write_bytes(b"half of a file")
    study.path.with_name("study.duckdb.writing.wal").write_bytes(b"half of a log")
    write_once(study, make_participants(5))
    assert len(study.read("participants")) == 5
    assert [path.name for path in study.path.parent.glob("study.duckdb.w*")] == []


def insert_and_die(path: Path) -> None:
    connection = duckdb.connect(path)
    connection.execute("CREATE TABLE mine AS SELECT 42 AS answer")
    os._exit(1)


def test_what_another_program_left_in_its_log_is_kept(study: Study) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=insert_and_die, args=(study.path,)
    )
    process.start()
    process.join()
    assert study.path.with_name("study.duckdb.wal").exists()
    write_once(study, make_participants(3))
    assert study.query("SELECT answer FROM mine")["answer"].tolist() == [42]
    assert len(study.read("participants")) == 3


def test_two_writers_at_once_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "study.duckdb"
    Study.open(path)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(path, name, 5)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    study = Study.open(path, read_only=True)
    assert (study.runs()["status"] == "finished").sum() == 10
    assert (verify_study(study)["verdict"] == "holds").all()


def test_writers_through_a_symbolic_link_take_turns_with_others(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "study.duckdb", tmp_path / "link.duckdb"
    real.parent.mkdir()
    Study.open(real)
    link.symlink_to(real)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(path, "x", 6)) for path in (real, link)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    study = Study.open(link, read_only=True)
    assert (study.runs()["status"] == "finished").sum() == 12
    assert (verify_study(study)["verdict"] == "holds").all()
    assert link.is_symlink()


def test_a_file_with_a_second_name_is_read_and_not_written(study: Study, tmp_path: Path) -> None:
    write_once(study, make_participants(3))
    snapshot = tmp_path / "snapshot.duckdb"
    os.link(study.path, snapshot)
    for path in (study.path, snapshot):
        assert len(Study.open(path, read_only=True).read("participants")) == 3
        with pytest.raises(ReportError, match="2 names"):
            write_once(Study.open(path), make_participants(4))
    snapshot.unlink()
    write_once(study, make_participants(4))


def test_a_study_stays_as_widely_readable_as_it_was(study: Study) -> None:
    assert study.path.stat().st_mode & 0o007 == 0
    study.path.chmod(0o664)
    write_once(study, make_participants(3))
    assert study.path.stat().st_mode & 0o777 == 0o664


def test_verify_notices_changed_rows_and_files(study: Study, tmp_path: Path) -> None:
    kept, changed, gone = (tmp_path / name for name in ("kept", "changed", "gone"))
    for path in (kept, changed, gone):
        path.write_text("before")
    write_once(study, make_participants(), inputs=[kept, changed], weights=[gone])
    assert (verify_study(study)["verdict"] == "holds").all()
    changed.write_text("after")
    gone.unlink()
    with duckdb.connect(study.path) as connection:
        connection.execute("UPDATE participants SET age_years = 61 WHERE participant_id = 'sub-1'")
    verdicts = verify_study(study).set_index("name")["verdict"]
    assert verdicts["participants"] == "changed"
    assert [verdicts[str(path)] for path in (kept, changed, gone)] == [
        "holds",
        "changed",
        "missing",
    ]


def test_export_gives_every_table(study: Study, tmp_path: Path) -> None:
    frame = make_participants(site=["=1+1", "plain", None])
    write_once(study, frame)
    write_study_tables(study, tmp_path / "parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "parquet/participants.parquet"), frame)
    *_, as_json, as_markdown = write_study_tables(study, tmp_path / "csv", file_format="csv")
    said = json.loads(as_json.read_text())["participants"]["columns"]
    assert said["age_years"]["unit"] == "years"
    assert "| site |" in as_markdown.read_text()
    assert pd.read_csv(tmp_path / "csv/participants.csv")["site"].tolist()[:2] == ["'=1+1", "plain"]


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_text_that_starts_like_a_formula_is_neutralized(text: str) -> None:
    assert neutralize_formulas(pd.DataFrame({"x": [text, "a=b"]}))["x"].tolist() == [
        "'" + text,
        "a=b",
    ]


def test_numbers_stay_numbers_in_csv() -> None:
    frame = pd.DataFrame({"x": [-1.5, 2.0]})
    pd.testing.assert_frame_equal(neutralize_formulas(frame), frame)


def test_a_failed_export_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_table(pd.DataFrame({"x": [1]}), tmp_path / "x.csv")
    with pytest.raises(TrialsimError, match="could not be written"):
        write_table(pd.DataFrame({"x": [2]}), path / "inside-a-file.csv")
    assert path.read_text() == "x\n1\n"
