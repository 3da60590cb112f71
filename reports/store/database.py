"""Connections to a study file: short, guarded, and explained when they fail.

A study is written in a copy, which takes its place when it is complete: DuckDB rewrites blocks of a
file in place, and a process that is killed within one leaves a file that cannot be opened any more
(2 of 800 kills with DuckDB 2.0.1). The right to be the writer is a separate lock beside the file,
held for the whole run and released by the operating system however the process ends.
"""

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import duckdb
from filelock import FileLock, Timeout

from cohorts.files.atomic import keep_rights
from reports.errors import ReportError
from reports.store import queries

_SETTINGS: Final = {
    "enable_external_access": "false",
    "memory_limit": "4GB",
    "preserve_insertion_order": "true",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "lock_configuration": "true",
}
# rows that several threads have put in are written again at the next checkpoint, beside the first
_ONE_THREAD: Final = {"threads": "1"}
# of an engine, until it is told what it reaches
_REACHING: Final = {"enable_external_access": "true", "lock_configuration": "false"}
# of the file, and of the logs that DuckDB may write beside it
_ENDINGS: Final = ("", ".wal", ".wal.checkpoint", ".wal.recovery")
_PATIENCE_SECONDS: Final = 20.0
_LEAST_FREE_SHARE: Final = 0.25
# which the next runs fill: to write a small file anew takes half as long as they do
_LEAST_FREE_BYTES: Final = 2**22


@contextmanager
def open_for_reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to the DuckDB file at `path`, with external access and extensions off.

    Waits up to 20 seconds while another program holds the file.

    Raises
    ------
    ReportError
        If the file is missing, foreign, truncated, held too long, or cannot be read.
    """
    with closing(connect_for_reading(path)) as connection, explained(path):
        yield connection


def connect_for_reading(path: Path) -> duckdb.DuckDBPyConnection:
    """Return what `open_for_reading` gives; whoever asks closes it, and uses it `explained`.

    Raises
    ------
    ReportError
        As in `open_for_reading`.
    """
    require_file(path)
    return _connect_patiently(path, read_only=True)


def require_file(path: Path) -> None:
    """Refuse to read where there is no file.

    Raises
    ------
    ReportError
        Where there is none.
    """
    if not path.exists():
        raise ReportError(f"There is no study file at {path}; a command with --study makes one.")


@contextmanager
def explained(study: Path) -> Iterator[None]:
    """Tell what fails while a connection to `study` is used.

    Raises
    ------
    ReportError
        In place of DuckDB's own errors.
    """
    try:
        yield
    except (duckdb.Error, UnicodeDecodeError) as error:
        # which DuckDB tells in words alone
        full = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]
        if lacking := [words for words in full if words in str(error)]:
            raise ReportError(
                f"The study file {study} could not be written: {lacking[0]}."
            ) from error
        raise ReportError(
            f"The study file {study} could not be used, it may be damaged: {_first_line(error)}"
        ) from error


class Engine:
    """One DuckDB in which the only writer opens a study file and its copy, in turn.

    To open a file in it takes a tenth of the time of a DuckDB of its own, which lists thousands of
    functions first. It reaches these two files alone, and takes no statement of anybody else, who
    could write over them.

    Parameters
    ----------
    path
        The study file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        files = [path.resolve(), _copy_of(path.resolve())]
        more = {"temp_directory": f"{files[1]}.tmp"}
        self._engine = duckdb.connect(config={**_SETTINGS, **_REACHING, **more})
        reached = [_quote_text(f"{file}{ending}") for file in files for ending in _ENDINGS]
        self._engine.execute(f"SET allowed_paths = [{', '.join(reached)}]")
        self._engine.execute("SET enable_external_access = false")
        self._n_opened = 0

    @contextmanager
    def open(self, file: Path, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open one of the two files; several threads read, and one writes.

        Raises
        ------
        ReportError
            As in `open_for_reading`.
        """
        self._n_opened += 1
        name = f"opened_{self._n_opened}"
        kind = "READ_ONLY" if read_only else "READ_WRITE"
        attach = f"ATTACH {_quote_text(str(file))} AS {name} ({kind})"
        self._engine.execute("RESET threads" if read_only else "SET threads = 1")
        _try_patiently(lambda: self._engine.execute(attach), self._path)
        try:
            with closing(self._engine.cursor()) as connection:
                connection.execute(f"USE {name}")
                yield connection
        except BaseException:
            # what went wrong is told, not that more does
            with suppress(duckdb.Error):
                self._engine.execute(f"DETACH {name}")
            raise
        with explained(self._path):
            self._engine.execute(f"DETACH {name}")

    def close(self) -> None:
        """End it."""
        self._engine.close()


@contextmanager
def open_for_writing(
    path: Path, engine: Engine | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to a copy of the file at `path`, which takes its place when the block ends well.

    A file that is absent is made. Whoever reads meanwhile sees the file as it was.

    Parameters
    ----------
    path
        The study file.
    engine
        Opens the copy, where there is one.

    Raises
    ------
    ReportError
        As in `open_for_reading`, or if the disk is full or read-only; the file stays as it was.
    """
    target = path.resolve()
    copy = _copy_of(target)
    with _replacing(path, target, copy):
        if target.exists():
            _copy_whole(target, copy)
        opened: AbstractContextManager[duckdb.DuckDBPyConnection]
        if engine is None:
            opened = closing(_connect_patiently(copy, read_only=False, named=path))
        else:
            opened = engine.open(copy, read_only=False)
        with opened as connection, explained(path):
            keep_rights(target, copy)
            yield connection
            # told here, because closing says nothing of a disk that is full
            connection.execute("CHECKPOINT")
            ((free, whole),) = connection.execute(queries.FREE_SPACE).fetchall()
        if free > max(_LEAST_FREE_SHARE * whole, _LEAST_FREE_BYTES):
            _compact(copy)


def make_file(path: Path, content: bytes) -> None:
    """Make a file of `content`, which a study file that was just made holds; whole or not at all.

    Raises
    ------
    ReportError
        If the disk is full or read-only.
    """
    target = path.resolve()
    copy = _copy_of(target)
    with _replacing(path, target, copy):
        with copy.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        keep_rights(target, copy)


@contextmanager
def _replacing(path: Path, target: Path, copy: Path) -> Iterator[None]:
    """Let the copy that is made in the block take the target's place; nothing is left beside it."""
    try:
        # what a process that was killed has left
        _discard(copy)
        _discard(_compacted(copy))
        yield
        os.replace(copy, target)
    except OSError as error:
        raise ReportError(
            f"The study file {path} could not be written: {error.strerror or error}."
        ) from error
    finally:
        _discard(copy)
        _discard(_compacted(copy))


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Make everything that is written in the block visible at once, or nothing of it."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def writer_lock(path: Path) -> FileLock:
    """Return the lock that makes one process the writer of the study file at `path`.

    It lies beside the file itself, so that whoever comes through a symbolic link meets it too.
    """
    target = path.resolve()
    return FileLock(target.with_name(f"{target.name}.lock"))


def require_one_name(path: Path) -> None:
    """Refuse a file that has several hard links: writing would part it from its other names.

    Raises
    ------
    ReportError
        If it has; such a file may be read.
    """
    count = path.stat().st_nlink if path.exists() else 1
    if count > 1:
        raise ReportError(
            f"The study file {path} has {count} names (hard links, as snapshots make them), and "
            "writing would change it under one name only: write to a copy of it (cp)."
        )


def has_writer(path: Path) -> bool:
    """Say whether a living process is writing to the study file at `path`."""
    lock = writer_lock(path)
    if not Path(lock.lock_file).exists():
        return False
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that cannot be written has no writer either
        return False


@contextmanager
def time_limit(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt what the connection does in the block when `seconds` have passed.

    Raises
    ------
    ReportError
        If they have.
    """
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise ReportError(f"The query took more than {seconds:g} seconds and was ended.") from error
    finally:
        timer.cancel()


def _copy_whole(path: Path, copy: Path) -> None:
    """Copy the file while no other program writes to it, with what one may have left in its log."""
    if log_of(path).exists():
        _connect_patiently(path, read_only=False).close()
    with path.open("rb") as file:
        if _holds(file):
            shutil.copy(path, copy)
            return
    with open_for_reading(path):
        shutil.copy(path, copy)


def _holds(file: BinaryIO) -> bool:
    """Keep every other process from writing to the file until it is closed, as DuckDB would.

    That takes DuckDB 50 ms. False where it must be asked: where it has the file open in this
    process, of which the lock says nothing, and where the file is held, or cannot be.
    """
    own, others = os.fstat(file.fileno()), "/proc/self/fd"
    try:
        import fcntl

        for name in os.listdir(others):
            with suppress(FileNotFoundError):
                is_same = os.path.samestat(own, os.stat(f"{others}/{name}"))
                if is_same and int(name) != file.fileno():
                    return False
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def _copy_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.writing")


def _quote_text(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _compact(path: Path) -> None:
    """Write the file at `path` anew, without the space that removed rows have left."""
    fresh = _compacted(path)
    with duckdb.connect(config=dict(_ONE_THREAD)) as connection:
        for place, name in ((path, "old"), (fresh, "fresh")):
            connection.execute(f"ATTACH {_quote_text(str(place))} AS {name}")
        connection.execute("COPY FROM DATABASE old TO fresh")
    keep_rights(path, fresh)
    os.replace(fresh, path)


def _compacted(path: Path) -> Path:
    return path.with_name(f"{path.name}.compact")


def _discard(path: Path) -> None:
    for leftover in (path, log_of(path)):
        leftover.unlink(missing_ok=True)


def log_of(path: Path) -> Path:
    """Return DuckDB's write-ahead log, which is there while the file is open for writing."""
    return path.with_name(f"{path.name}.wal")


def _connect_patiently(
    path: Path, *, read_only: bool, named: Path | None = None
) -> duckdb.DuckDBPyConnection:
    settings = _SETTINGS if read_only else _SETTINGS | _ONE_THREAD
    return _try_patiently(
        lambda: duckdb.connect(path, read_only=read_only, config=dict(settings)), named or path
    )


def _try_patiently(
    connect: Callable[[], duckdb.DuckDBPyConnection], path: Path
) -> duckdb.DuckDBPyConnection:
    """Return what `connect` does when no other program holds the file any more."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return connect()
        except duckdb.Error as error:
            if not _is_held(error) or time.monotonic() > deadline:
                raise ReportError(_explain(path, error)) from error
            time.sleep(0.05)


def _is_held(error: duckdb.Error) -> bool:
    text = str(error)
    held = ("lock on file", "different configuration", "is already attached")
    return any(words in text for words in held)


def _explain(path: Path, error: duckdb.Error) -> str:
    if _is_held(error):
        return f"The study file {path} is held by another process: {_first_line(error)}"
    if path.is_dir():
        return f"{path} is a folder: give the path of a study in it, {path / 'study.duckdb'} say."
    if "not a valid DuckDB database file" in str(error):
        return f"{path} is not a study file (no DuckDB database): give the path of a study."
    return (
        f"The study file {path} cannot be opened (truncated, foreign or not readable): "
        f"{_first_line(error)}"
    )


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0]
