"""A study read as it is now, in one opening."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from reports.errors import ReportError
from reports.store import database
from reports.store.study import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.open(tmp_path / "study.duckdb")


def write_scores(study: Study, score: float) -> None:
    table = pd.DataFrame(
        {"participant_id": ["a"], "strategy": ["mine"], "score": [score], "fold": [None]}
    )
    with study.run(command="trialsim rank", config={}, seed=1) as run:
        run.write("scores", table)


def test_what_is_written_meanwhile_is_not_seen(study: Study) -> None:
    write_scores(study, 1.0)
    with study.snapshot():
        write_scores(Study.open(study.path), 2.0)
        assert list(study.read("scores")["score"]) == [1.0]
    assert list(study.read("scores")["score"]) == [2.0]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the files that were opened, as they are."""
    opened: list[Path] = []
    connect = database._connect_patiently

    def count(path: Path, **given: Any) -> Any:
        opened.append(path)
        return connect(path, **given)

    monkeypatch.setattr(database, "_connect_patiently", count)
    open_in = database.Engine.open

    def count_in(engine: database.Engine, path: Path, **given: Any) -> Any:
        opened.append(path)
        return open_in(engine, path, **given)

    monkeypatch.setattr(database.Engine, "open", count_in)
    return opened


def test_the_file_is_opened_once(study: Study, opened: list[Path]) -> None:
    write_scores(study, 1.0)
    opened.clear()
    with study.snapshot():
        study.read("scores")
        study.runs()
        assert study.has("scores")
    assert len(opened) == 1
    study.runs()
    assert len(opened) == 2


def test_the_only_writer_opens_it_once_between_what_it_writes(
    study: Study, opened: list[Path]
) -> None:
    with study.as_only_writer():
        for score in (1.0, 2.0):
            write_scores(study, score)
            opened.clear()
            assert list(study.read("scores")["score"]) == [score]
            assert study.has("scores")
            assert len(opened) == 1
    study.runs()
    assert len(opened) == 2, "nothing is held any more"


def test_what_anybody_asks_of_the_only_writer_can_write_nothing(
    study: Study, tmp_path: Path
) -> None:
    write_scores(study, 1.0)
    before = study.path.read_bytes()
    with study.as_only_writer():
        assert study.has("scores")
        for place in (study.path, f"{study.path}.writing", tmp_path / "else.csv"):
            with pytest.raises(ReportError, match="The query failed"):
                study.query(f"COPY (SELECT 1) TO '{place}'")
        assert list(study.query("SELECT score FROM scores")["score"]) == [1.0]
        assert list(study.read("scores")["score"]) == [1.0]
    assert study.path.read_bytes() == before


def test_the_writers_own_database_reaches_the_study_alone(study: Study, tmp_path: Path) -> None:
    write_scores(study, 1.0)
    engine = database.Engine(study.path)
    with engine.open(study.path, read_only=True) as connection:
        assert connection.execute("SELECT score FROM scores").fetchall() == [(1.0,)]
        for statement in (
            "INSERT INTO scores SELECT * FROM scores",
            "SELECT * FROM read_text('/etc/hostname')",
            f"ATTACH '{tmp_path / 'else.duckdb'}' AS other",
            "SET enable_external_access = true",
        ):
            with pytest.raises(duckdb.Error, match=r"read-only|disabled|Cannot"):
                connection.execute(statement)
    engine.close()


def test_a_file_that_is_open_for_writing_in_this_process_is_held(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_PATIENCE_SECONDS", 0.2)
    write_scores(study, 1.0)
    with (
        study.as_only_writer(),
        duckdb.connect(study.path),
        pytest.raises(ReportError, match="is held by another"),
    ):
        study.has("scores")
    with study.as_only_writer():
        assert study.has("scores")


def test_a_file_is_looked_at_again_only_where_something_else_has_written_to_it(
    study: Study, opened: list[Path]
) -> None:
    write_scores(study, 1.0)
    opened.clear()
    Study.open(study.path)
    Study.open(study.path, read_only=True)
    assert opened == []
    with duckdb.connect(study.path) as connection:
        connection.execute("CREATE VIEW mine AS SELECT 1 AS answer")
    for _ in range(2):
        with pytest.raises(ReportError, match="views or functions of its own"):
            Study.open(study.path, read_only=True)
    # what writes to it from here does not vouch for it
    write_scores(study, 2.0)
    with pytest.raises(ReportError, match="views or functions of its own"):
        Study.open(study.path)


def test_every_new_study_is_like_the_first(tmp_path: Path, opened: list[Path]) -> None:
    first = Study.open(tmp_path / "first.duckdb")
    opened.clear()
    second = Study.open(tmp_path / "second.duckdb")
    assert opened == []
    listed = "SELECT sql FROM duckdb_tables() ORDER BY sql"
    pd.testing.assert_frame_equal(second.query(listed), first.query(listed))
    rights = [study.path.stat().st_mode for study in (first, second)]
    assert rights[0] == rights[1]
    write_scores(second, 1.0)
    assert first.runs().empty
    assert list(second.read("scores")["score"]) == [1.0]
    assert sorted(path.name for path in tmp_path.glob("second*")) == [
        "second.duckdb",
        "second.duckdb.lock",
    ]


def test_who_changes_the_list_of_tables_changes_it_for_nobody_else(study: Study) -> None:
    write_scores(study, 1.0)
    with study.snapshot():
        for _ in range(2):
            tables = study.tables()
            assert list(tables["run_id"]) == ["r000001"]
            tables["run_id"] = "another"


def test_another_process_reads_while_the_only_writer_does(study: Study) -> None:
    write_scores(study, 1.0)
    read = (
        "import sys; from reports.store.study import Study; "
        "print(len(Study.open(sys.argv[1]).runs()))"
    )
    with study.as_only_writer():
        study.runs()
        told = subprocess.run(
            [sys.executable, "-c", read, str(study.path)],
            check=True,
            capture_output=True,
            text=True,
        )
    assert told.stdout.strip() == "1"
