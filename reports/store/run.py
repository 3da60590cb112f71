"""One run of a study: what a command writes, put aside until it has finished."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from cohorts.numbered import NumberedTable
from cohorts.schema import TABLES, validate_table
from reports.errors import ReportError

if TYPE_CHECKING:
    from reports.store.study import Study


@dataclass(frozen=True)
class Run:
    """One command's writing to a study; nothing is in the file before the command has finished."""

    run_id: str
    study: "Study"
    fingerprint: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame | NumberedTable] = field(default_factory=dict)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    parents: dict[str, str] = field(default_factory=dict)

    def read(self, table: str) -> pd.DataFrame:
        """Return the latest rows of `table`; the run that wrote them becomes a parent of this one.

        Raises
        ------
        ReportError
            If no finished run has written the table.
        """
        found = self.study.read(table)
        self.parents[table] = self.study.writers()[table]
        return found

    def read_numbered(self, table: str) -> NumberedTable:
        """Return the rows that `read` gives, with their names numbered; for tables without paths.

        Raises
        ------
        ReportError
            As `read`.
        """
        found = self.study.read_numbered(table)
        self.parents[table] = self.study.writers()[table]
        return found

    def note(self, **facts: Any) -> None:
        """Add to the recorded configuration what is only known once the command has worked."""
        self.config.update(facts)

    def drop(self, rows: Iterable[tuple[str, str]]) -> None:
        """Remove, when this run finishes, the rows of each (run, table); their digests stay."""
        self.dropped.extend(rows)
        self.note(pruned=[list(names) for names in self.dropped])

    def write(self, table: str, frame: pd.DataFrame | NumberedTable) -> None:
        """Put `frame` aside for the table `table` of `cohorts.schema`, after checking it.

        Raises
        ------
        CohortValidationError
            Where `frame` does not fit the table.
        ReportError
            If this run has already written the table.
        """
        if table not in TABLES:
            raise ReportError(f"A study has no table {table!r}; it has {', '.join(TABLES)}.")
        if table in self.tables:
            raise ReportError(f"The run {self.run_id} has already written the table {table}.")
        if isinstance(frame, NumberedTable):
            self.tables[table] = frame.validate(table)
        else:
            self.tables[table] = validate_table(frame, table)
