"""The one file of a study: opened by one writer at a time, and by whoever reads."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import duckdb
import pandas as pd
from filelock import FileLock, Timeout

from reports.errors import ReportError
from reports.store import queries
from reports.store.database import (
    Engine,
    connect_for_reading,
    explained,
    log_of,
    make_file,
    open_for_reading,
    open_for_writing,
    require_file,
    require_one_name,
    time_limit,
    writer_lock,
)
from reports.store.derived import add_derived_tables
from reports.store.migrations import MIGRATIONS, migrate, schema_version
from reports.store.older import copy_up_to_date

LONGEST_QUERY_SECONDS: Final = 600.0

_Identity = tuple[int, ...]

_Found = TypeVar("_Found")

_SEEN: Final[dict[Path, _Identity]] = {}
"""Study files of the newest version without code of their own, as they were when that was seen.

DuckDB takes a tenth of a second to say so, mostly for listing its own functions.
"""

_BLANK: Final[dict[int, bytes]] = {}
"""A new study file of a version, which takes DuckDB a third of a second to make."""


@dataclass(frozen=True)
class StudyFile:
    """The file of a `Study`; between calls it is not open."""

    path: Path
    read_only: bool = False
    lock: FileLock = field(init=False, repr=False, compare=False)
    _held: list[duckdb.DuckDBPyConnection] = field(
        init=False, repr=False, compare=False, default_factory=list
    )
    _holding: ExitStack = field(init=False, repr=False, compare=False, default_factory=ExitStack)
    _engines: list[Engine] = field(init=False, repr=False, compare=False, default_factory=list)
    _known: dict[str, Any] = field(init=False, repr=False, compare=False, default_factory=dict)
    source: Path = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lock", writer_lock(self.path))
        object.__setattr__(self, "source", self.path)

    @classmethod
    def open(cls, path: str | Path, *, read_only: bool = False) -> Self:
        """Open the study file at `path`; make it if there is none and `read_only` is False.

        A file of an older version is brought up to date; for `read_only`, a copy of it is.

        Raises
        ------
        ReportError
            If the file is missing (`read_only`), foreign, truncated, or of a newer version.
        """
        study = cls(Path(path), read_only)
        study._prepare()
        return study

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the study; it holds nothing open between calls."""

    @property
    def folder(self) -> Path:
        """Where the study file lies; the paths in it are relative to this folder."""
        return self.path.resolve().parent

    @contextmanager
    def as_only_writer(self) -> Iterator[None]:
        """Keep every other process from writing to the study while the block runs.

        Raises
        ------
        ReportError
            If another process is writing, the folder cannot be written, or the file has several
            hard links.
        """
        if self.read_only:
            raise ReportError(f"The study {self.path} was opened for reading only.")
        try:
            self.lock.acquire(timeout=0)
        except (Timeout, OSError) as error:
            # where no file can be made, making the lock may seem to wait for another process
            if isinstance(error, Timeout) and Path(self.lock.lock_file).exists():
                raise ReportError(self._describe_writer()) from error
            why = getattr(error, "strerror", None) or "no lock can be made beside the study"
            raise ReportError(
                f"The folder {self.path.absolute().parent} cannot be written ({why}): "
                "choose another place with --study."
            ) from error
        try:
            require_one_name(self.path)
            yield
        finally:
            try:
                self._let_go()
            finally:
                self.lock.release()
                if not self.lock.is_locked:
                    self._end_engine()

    def query(
        self, sql: str, values: Iterable[object] = (), *, seconds: float = LONGEST_QUERY_SECONDS
    ) -> pd.DataFrame:
        """Return the rows of one SELECT; `values` fill its question marks.

        Raises
        ------
        ReportError
            If DuckDB refuses the statement, or it takes more than `seconds`; the file is never
            changed.
        """
        if not self.lock.is_locked:
            return self._ask(sql, values, seconds=seconds, reading=self._reading)
        # what anybody asks goes to a DuckDB that can write nothing at all, the one to hold the file
        self._let_go()
        return self._ask(sql, values, seconds=seconds, reading=self._reading_apart)

    def _ask(
        self,
        sql: str,
        values: Iterable[object] = (),
        *,
        seconds: float = LONGEST_QUERY_SECONDS,
        reading: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]] | None = None,
    ) -> pd.DataFrame:
        """Return what `query` does, for statements of ours."""
        if not sql.strip():
            raise ReportError("The query is empty: one SELECT statement is expected.")
        with (reading or self._reading)() as connection, time_limit(connection, seconds):
            try:
                found = connection.execute(sql, list(values))
                if found is None or found.description is None:
                    raise ReportError("The query gives no rows: one SELECT statement is expected.")
                return found.df()
            except duckdb.InterruptException:
                raise
            except (duckdb.Error, UnicodeError, ValueError, OverflowError) as error:
                raise ReportError(f"The query failed: {error}") from error

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read everything in the block from the file as it is now, opened once.

        What another process writes meanwhile is not seen; this study is not written in the block.
        """
        if self._held or self.lock.is_locked:
            yield
            return
        try:
            self._hold()
            with explained(self.source):
                yield
        finally:
            self._let_go()

    def _find_once(self, name: str, find: Callable[[], _Found]) -> _Found:
        """Return what `find` does; asked once only as long as the file is held open."""
        if name in self._known:
            known: _Found = self._known[name]
            return known
        found = find()
        if self._held:
            self._known[name] = found
        return found

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Connect for reading; the only writer opens the file once until it writes itself."""
        if not self._held and self.lock.is_locked:
            self._hold()
        if self._held:
            with explained(self.source):
                yield self._held[0]
            return
        with self._reading_apart() as connection:
            yield connection

    @contextmanager
    def _reading_apart(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with open_for_reading(self.source) as connection:
            add_derived_tables(connection)
            yield connection

    def _hold(self) -> None:
        opened: AbstractContextManager[duckdb.DuckDBPyConnection]
        if self.lock.is_locked:
            require_file(self.path)
            opened = self._find_engine().open(self.path.resolve(), read_only=True)
        else:
            opened = closing(connect_for_reading(self.source))
        connection = self._holding.enter_context(opened)
        self._held.append(connection)
        with explained(self.source):
            add_derived_tables(connection)

    @contextmanager
    def _writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        was_seen = _was_seen(self.path)
        try:
            self._let_go()
            with open_for_writing(self.path, self._find_engine()) as connection:
                yield connection
        except BaseException:
            # what it has open is not known
            self._let_go()
            self._end_engine()
            raise
        if was_seen:
            _note_as_seen(self.path, _identify(self.path))

    def _find_engine(self) -> Engine:
        if not self._engines:
            self._engines.append(Engine(self.path))
        return self._engines[0]

    def _end_engine(self) -> None:
        while self._engines:
            self._engines.pop().close()

    def _let_go(self) -> None:
        self._known.clear()
        self._held.clear()
        self._holding.close()

    def _prepare(self) -> None:
        if self.read_only or self.path.exists():
            if _was_seen(self.path):
                return
            identity = _identify(self.path)
            with open_for_reading(self.path) as connection:
                version = schema_version(connection)
            if version == len(MIGRATIONS):
                _note_as_seen(self.path, identity)
                return
            if self.read_only and not version:
                raise ReportError(
                    f"The study {self.path} is empty; `trialsim cohort import` or `trialsim rank` "
                    "writes to it."
                )
        if self.read_only:
            object.__setattr__(self, "source", copy_up_to_date(self.path, self))
            return
        with type(self)(self.path).as_only_writer():
            is_new, blank = not self.path.exists(), _BLANK.get(len(MIGRATIONS))
            if is_new and blank is not None:
                make_file(self.path, blank)
            else:
                with open_for_writing(self.path) as connection:
                    migrate(connection)
            _note_as_seen(self.path, _identify(self.path))
            if is_new:
                _BLANK.setdefault(len(MIGRATIONS), self.path.read_bytes())

    def _describe_writer(self) -> str:
        busy = f"Another process is writing to the study {self.path}"
        try:
            running = self.query(queries.RUNNING)
        except ReportError:  # it makes the study: nothing of it can be read yet
            running = pd.DataFrame()
        if running.empty:
            return f"{busy}; try again when it has finished, or choose another --study."
        process, command, started = running.iloc[0]
        return (
            f"{busy} (process {process}, `{command}`, since {started:%Y-%m-%d %H:%M:%S} UTC); "
            "wait for it, stop it, or choose another --study."
        )


def _identify(path: Path) -> _Identity | None:
    """Return what tells whether the file is still as it is now; None if another may complete it."""
    try:
        found = path.stat()
    except OSError:
        return None
    if log_of(path.resolve()).exists():
        return None
    times = (found.st_mtime_ns, found.st_ctime_ns)
    return len(MIGRATIONS), found.st_dev, found.st_ino, found.st_size, *times


def _was_seen(path: Path) -> bool:
    identity = _identify(path)
    return identity is not None and _SEEN.get(path.resolve()) == identity


def _note_as_seen(path: Path, identity: _Identity | None) -> None:
    if identity is not None:
        _SEEN[path.resolve()] = identity
