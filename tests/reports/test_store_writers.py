"""Writers at once, killed or failing: a study file is written whole or not at all."""

import errno
import os
import shutil
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock, Timeout

from reports.errors import ReportError
from reports.store.database import explained, open_for_writing, writer_lock
from reports.store.study import Study
from reports.store.verification import verify_study
from tests.reports.written_study import forkserver, kill_writers, make_participants, write_once


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.open(tmp_path / "study.duckdb")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_that_is_full_is_no_damage(number: int, tmp_path: Path) -> None:
    words = os.strerror(number)
    with pytest.raises(ReportError) as told, explained(tmp_path / "study.duckdb"):
        raise duckdb.FatalException(f'FATAL Error: Could not write file "study.duckdb": {words}')
    assert (
        str(told.value) == f"The study file {tmp_path}/study.duckdb could not be written: {words}."
    )


def test_a_second_writer_is_told_who_writes(study: Study) -> None:
    with study.run(command="trialsim predict", config={}):
        other = Study.open(study.path)
        with (
            pytest.raises(ReportError, match=rf"process {os.getpid()}, `trialsim predict`"),
            other.run(command="y", config={}),
        ):
            pass


@pytest.mark.parametrize("begun", [False, True])
def test_a_second_writer_of_a_study_that_is_being_made_is_told_so(
    begun: bool, tmp_path: Path
) -> None:
    path = tmp_path / "study.duckdb"
    if begun:
        duckdb.connect(path).close()
    with (
        writer_lock(path).acquire(),
        pytest.raises(ReportError, match=r"Another process is writing to the study .*; try again"),
    ):
        Study.open(path)


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


def test_no_kill_loses_a_finished_run(tmp_path: Path) -> None:
    kill_writers(tmp_path / "study.duckdb", kills=6)


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


def test_a_small_file_is_not_written_anew_after_every_other_run(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew: list[Path] = []
    monkeypatch.setattr("reports.store.database._compact", anew.append)
    sizes = []
    for _ in range(6):
        write_once(study, make_participants())
        sizes.append(study.path.stat().st_size)
    assert anew == []
    # what one run leaves free, the next ones fill
    assert max(sizes) < 1.5 * sizes[0]


def test_one_thread_writes(tmp_path: Path) -> None:
    # several leave parts of blocks, which are written again: up to half of a large file is free
    with open_for_writing(tmp_path / "study.duckdb") as connection:
        assert connection.execute("SELECT current_setting('threads')").fetchone() == (1,)


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


def hold(path: Path, word: Connection) -> None:
    with duckdb.connect(path):
        word.send("held")
        word.poll(30)


def test_nothing_is_copied_that_another_program_may_write_to(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.store.database._PATIENCE_SECONDS", 0.2)
    here, there = forkserver().Pipe()
    process = forkserver().Process(target=hold, args=(study.path, there))
    process.start()
    assert here.recv() == "held"
    with pytest.raises(ReportError, match="is held by another process"):
        write_once(study, make_participants())
    here.send("enough")
    process.join()
    # of a program in this process no lock of the file says anything
    with duckdb.connect(study.path), pytest.raises(ReportError, match="is held by another"):
        write_once(study, make_participants())
    write_once(study, make_participants())
    assert len(study.read("participants")) == 3


def insert_and_die(path: Path) -> None:
    connection = duckdb.connect(path)
    connection.execute("CREATE TABLE mine AS SELECT 42 AS answer")
    os._exit(1)


def test_what_another_program_left_in_its_log_is_kept(study: Study) -> None:
    process = forkserver().Process(target=insert_and_die, args=(study.path,))
    process.start()
    process.join()
    assert study.path.with_name("study.duckdb.wal").exists()
    write_once(study, make_participants(3))
    assert study.query("SELECT answer FROM mine")["answer"].tolist() == [42]
    assert len(study.read("participants")) == 3


def test_two_writers_at_once_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "study.duckdb"
    Study.open(path)
    context = forkserver()
    writers = [context.Process(target=write_many, args=(path, name, 3)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    study = Study.open(path, read_only=True)
    assert (study.runs()["status"] == "finished").sum() == 6
    assert (verify_study(study)["verdict"] == "holds").all()


def test_writers_through_a_symbolic_link_take_turns_with_others(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "study.duckdb", tmp_path / "link.duckdb"
    real.parent.mkdir()
    Study.open(real)
    link.symlink_to(real)
    context = forkserver()
    writers = [context.Process(target=write_many, args=(path, "x", 3)) for path in (real, link)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    study = Study.open(link, read_only=True)
    assert (study.runs()["status"] == "finished").sum() == 6
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


def test_a_folder_that_takes_no_lock_is_no_other_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seem_to_wait(lock: FileLock, **_: object) -> None:
        raise Timeout(lock.lock_file)

    monkeypatch.setattr(FileLock, "acquire", seem_to_wait)
    with pytest.raises(ReportError, match=r"cannot be written .*choose another place with --study"):
        Study.open(tmp_path / "study.duckdb")
