"""The study file: every table of a study in one DuckDB file, each row traced to its run.

Examples
--------
>>> with Study.open("study.duckdb") as study:                          # doctest: +SKIP
...     with study.run(command="trialsim rank", config={}, seed=1) as run:
...         run.write("scores", scores)
...     study.read("scores")
"""

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import duckdb
import pandas as pd

from cohorts.errors import StorageError
from cohorts.numbered import NumberedTable
from cohorts.schema import TABLES, find_command
from reports.errors import ReportError
from reports.store import queries
from reports.store.chain import append_link, digest_rows, read_chain, read_pruned
from reports.store.database import has_writer, transaction
from reports.store.derived import SOURCES
from reports.store.places import relate_paths, resolve_paths
from reports.store.provenance import collect_versions, describe_files, find_git_commit
from reports.store.rows import drop_rows, read_numbered_rows, read_rows, write_rows
from reports.store.run import Run
from reports.store.study_file import StudyFile

_LOGGER: Final = logging.getLogger(__name__)

Rows = TypeVar("Rows")

DESCRIPTION: Final = "study_description"
"""The table of what was asked, which every step writes beside its own."""


class Study(StudyFile):
    """What runs have written, and which of it counts. Make one with `Study.open`."""

    @classmethod
    @contextmanager
    def for_a_run(cls, path: Path) -> Iterator[Self]:
        """Open the study file at `path` for the block to write; make it, and its folder.

        Where there was none and no run of the block has finished, there is none afterwards either,
        nor a folder that was made for it: a command that is refused leaves nothing behind.

        Raises
        ------
        ReportError
            As in `open`.
        StorageError
            Where its folder cannot be made.
        """
        target = path.absolute()
        made = [one for one in target.parents if not one.exists()]
        is_new = not target.exists()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            _remove_empty(made)
            raise StorageError(
                f"The folder {target.parent} of the study cannot be made ({error.strerror}): "
                "name another place."
            ) from error
        try:
            study = cls.open(path)
            try:
                yield study
            finally:
                if is_new:
                    study._discard_unfinished()
        finally:
            _remove_empty(made)

    def _discard_unfinished(self) -> None:
        """Remove the file, unless a run in it has finished, or another process is writing one."""
        with suppress(ReportError), self.as_only_writer():
            if not (self.runs()["status"] == "finished").any():
                self.path.resolve().unlink(missing_ok=True)
                Path(self.lock.lock_file).unlink(missing_ok=True)

    @contextmanager
    def run(
        self,
        *,
        command: str,
        config: Mapping[str, Any],
        seed: int | None = None,
        inputs: Iterable[Path] = (),
        weights: Iterable[Path] = (),
        fingerprint: str | None = None,
    ) -> Iterator[Run]:
        """Record what the block does as one run; its tables are written together at its end.

        Parameters
        ----------
        command
            The command line that repeats it.
        config
            The resolved configuration; must go into JSON.
        seed
            Of everything random in it, if anything is.
        inputs, weights
            Files, or folders of files, whose SHA-256 is recorded.
        fingerprint
            What `find_finished` looks for, to skip a step whose inputs have not changed.

        Raises
        ------
        ReportError
            If another process is writing to this study, or the disk does not take the tables.
        """
        files = pd.concat([describe_files(inputs, "input"), describe_files(weights, "weight")])
        with self.as_only_writer():
            files = files.drop_duplicates("path")
            run_id = self._begin(command, config, seed, fingerprint, files)
            run = Run(run_id, self, fingerprint, dict(config))
            _LOGGER.info("run %s begins", run_id)
            try:
                yield run
                self._finish(run)
                written = {table: len(frame) for table, frame in run.tables.items()}
                _LOGGER.info("run %s is finished, rows written: %s", run_id, written)
            except BaseException as error:
                stopped = isinstance(error, KeyboardInterrupt)
                _LOGGER.info("run %s ended with %s", run_id, type(error).__name__)
                self._end(run.run_id, "interrupted" if stopped else "failed", str(error))
                raise

    def read(self, table: str, *, run_id: str | None = None) -> pd.DataFrame:
        """Return the rows of `table` that the latest finished run (or `run_id`) wrote.

        Raises
        ------
        ReportError
            If no finished run has written the table; the sentence names the command that does.
        """
        return resolve_paths(self._read(table, run_id, read_rows), table, self.folder)

    def read_numbered(self, table: str) -> NumberedTable:
        """Return the rows that `read` gives, with their names numbered; for tables without paths.

        Raises
        ------
        ReportError
            As `read`.
        """
        return self._read(table, None, read_numbered_rows)

    def _read(
        self,
        table: str,
        run_id: str | None,
        read: Callable[[duckdb.DuckDBPyConnection, str, str, list[str]], Rows],
    ) -> Rows:
        with self.snapshot():
            written = self._latest() if run_id is None else _index(self._tables_of(run_id))
            if table not in written:
                raise ReportError(self._describe_lack(table, list(written)))
            found, columns = written[table]
            if {(found, one) for one in (table, SOURCES.get(table))} & self._pruned():
                raise ReportError(
                    f"The rows of {table} that {found} wrote were dropped by "
                    "`trialsim study prune`."
                )
            with self._reading() as connection:
                return read(connection, table, found, columns)

    def _describe_lack(self, table: str, names: list[str]) -> str:
        if table not in TABLES:
            listed = ", ".join(sorted(names)) or "none yet"
            return f"No table is called {table!r}; {self.path} has {listed}."
        return f"The study {self.path} has no {table} yet; `{find_command(table)}` writes them."

    def _latest(self) -> dict[str, tuple[str, list[str]]]:
        return self._find_once("latest", lambda: _index(self.tables()))

    def _pruned(self) -> set[tuple[str, str]]:
        def find() -> set[tuple[str, str]]:
            with self._reading() as connection:
                return read_pruned(connection)

        return self._find_once("pruned", find)

    def writers(self) -> dict[str, str]:
        """Return which run wrote each table that `read` gives."""
        return {table: run_id for table, (run_id, _) in self._latest().items()}

    def has(self, table: str) -> bool:
        """Say whether a finished run has written `table`."""
        return table in self._latest()

    def tables(self) -> pd.DataFrame:
        """Return one row for each table that `read` gives: its run, rows, columns and command."""
        return self._find_once("tables", lambda: self._ask(queries.LATEST_TABLES)).copy()

    def runs(self) -> pd.DataFrame:
        """Return every run, the unfinished ones too; a dead writer's is shown as interrupted."""
        runs = self._ask(queries.RUNS)
        if (runs["status"] == "running").any() and not has_writer(self.path):
            runs["status"] = runs["status"].replace("running", "interrupted")
        return runs

    def head(self) -> str | None:
        """Return the last link of the chain of finished runs (`reports.store.chain`), if any."""
        with self._reading() as connection:
            links = read_chain(connection)
        return links[-1].seal if links else None

    def files(self) -> pd.DataFrame:
        """Return `run_id`, `kind`, `path`, `sha256`, `size_bytes` of the files that runs read."""
        return resolve_paths(self._ask(queries.RUN_FILES), "run_files", self.folder)

    def find_finished(self, fingerprint: str) -> str | None:
        """Return the latest finished run with this fingerprint, if there is one."""
        found = self._ask(queries.FINISHED_WITH_FINGERPRINT, [fingerprint])
        return None if found.empty else str(found["run_id"].iloc[0])

    def is_current(self, fingerprint: str) -> bool:
        """Say whether a finished run has this fingerprint, and no later run rewrote its tables."""
        with self.snapshot():
            run_id = self.find_finished(fingerprint)
            if run_id is None:
                return False
            latest, own = self.writers(), set(self._tables_of(run_id)["table_name"])
            return all(latest[table] == run_id for table in own - {DESCRIPTION})

    def _begin(
        self,
        command: str,
        config: Mapping[str, Any],
        seed: int | None,
        fingerprint: str | None,
        files: pd.DataFrame,
    ) -> str:
        with self._writing() as connection, transaction(connection):
            connection.execute(queries.CLOSE_DEAD_RUNS)
            ((number,),) = connection.execute(queries.NEXT_RUN_NUMBER).fetchall()
            run_id = f"r{number:06d}"
            values = [run_id, command, json.dumps(config, default=str), seed, fingerprint]
            made_by = [
                json.dumps(collect_versions()),
                find_git_commit(),
                os.getpid(),
                _now(),
                os.getcwd(),
            ]
            connection.execute(queries.BEGIN_RUN, values + made_by)
            write_rows(
                connection, "run_files", run_id, relate_paths(files, "run_files", self.folder)
            )
        return run_id

    def _finish(self, run: Run) -> None:
        with self._writing() as connection, transaction(connection):
            for table, given in run.tables.items():
                frame = (
                    given
                    if isinstance(given, NumberedTable)
                    else relate_paths(given, table, self.folder)
                )
                write_rows(connection, table, run.run_id, frame)
                digest = digest_rows(connection, table, run.run_id, list(frame.columns))
                record = [run.run_id, table, list(frame.columns), len(frame), digest]
                connection.execute(queries.RECORD_TABLE, record)
            for run_id, table in run.dropped:
                drop_rows(connection, table, run_id)
            config, parents = (json.dumps(one, default=str) for one in (run.config, run.parents))
            connection.execute(queries.FINISH_RUN, [_now(), config, parents, run.run_id])
            append_link(connection, run.run_id)

    def _end(self, run_id: str, status: str, problem: str) -> None:
        with self._writing() as connection:
            connection.execute(queries.END_RUN, [status, _now(), problem[:2000], run_id])

    def _tables_of(self, run_id: str) -> pd.DataFrame:
        return self._ask(queries.TABLES_OF_RUN, [run_id])


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders that hold nothing, the innermost first."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _index(tables: pd.DataFrame) -> dict[str, tuple[str, list[str]]]:
    """Return, of each table, which run wrote it and its columns."""
    columns = map(list, tables["column_names"])
    return dict(zip(tables["table_name"], zip(tables["run_id"], columns, strict=True), strict=True))


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
