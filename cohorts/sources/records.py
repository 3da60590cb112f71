"""Visits as a source holds them: one row a visit, before they are trusted."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.identifiers import show_plainly
from cohorts.sources.values import is_missing, says_nothing

# A name of ours begins with a character that no header holds, so that no column of a file is taken
# for it.
SOURCE_FILE: Final = "\0source_file"
SOURCE_ROW: Final = "\0source_row"
VOLUME_SOURCE: Final = "\0volume_source"
PERSON_DIAGNOSIS: Final = "\0person_diagnosis"
"""The diagnosis that a table of people holds, beside that of the visit."""

AT_BASELINE: Final = "at baseline: "
"""What begins the name of a column that holds a person's volume at baseline, on every row."""

PROVENANCE: Final = (SOURCE_FILE, SOURCE_ROW, VOLUME_SOURCE, PERSON_DIAGNOSIS)


_WITH_COMMA: Final = re.compile(r"\s*[+-]?(\d+(\.\d{3})*,\d+|\d{1,3}(,\d{3})+(\.\d+)?)\s*")
"""65,07, 1.509,7 or 1,509,724: a number, in some country."""

NAMELESS: Final = "(none, row "
"""What begins the name that stands for a person in a row without one."""

_PLACE: Final = re.compile(r"\{([^{}:]+)(?::([^{}]*))?\}")
"""Where a message tells a value of the row, `{session_id}` or `{age_years:.1f}`."""


@dataclass(frozen=True)
class Problem:
    """What is wrong, where, what arrived, what would be right.

    Parameters
    ----------
    message
        What arrived, then what would be right.
    participant_id
        Whom it concerns. None where it concerns the whole input, so that leaving people out does
        not mend it.
    file, row, column
        Where it is; rows are counted as a text editor or spreadsheet does (the header is row 1).
    """

    message: str
    participant_id: str | None = None
    file: str | None = None
    row: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        place = [self.file or ""]
        place += [f"row {self.row}"] if self.row is not None else []
        place += [f"column {self.column}"] if self.column is not None else []
        where = ", ".join(part for part in place if part)
        whom = f" (participant {self.participant_id})" if self.participant_id is not None else ""
        text = f"{where}: {self.message}{whom}." if where else f"{self.message}{whom}."
        return show_plainly(text)


@dataclass
class Records:
    """A cohort on its way in.

    Parameters
    ----------
    frame
        One row a visit, with a `RangeIndex`. Columns have the names of `cohorts.schema`, volumes
        are columns `<region>_mm3`; `SOURCE_FILE` and `SOURCE_ROW` say where a row came from, and
        `VOLUME_SOURCE` what measured its volumes.
    name
        Name of the cohort.
    sources
        The files that were read.
    column_names
        Column name here -> column name in the file.
    volume_factors
        Volume column -> mm3 in one unit of the file.
    problems
        What was found wrong so far.
    notes
        What was decided while reading, for the user to see.
    has_ordered_sessions
        Whether the numbers in session names follow time (`ses-01`, `W2`; not image identifiers).
    has_named_sessions
        Whether the source names its visits; otherwise they were numbered in time.
    has_unattended_visits
        Whether a row without an age is a visit that did not take place (waves in columns).
    is_synthetic
        Whether any person is simulated.
    missing_codes
        Codes of missing values that the user declared; None where nothing was stated.
    session_time, starts_at_first_visit
        As in `cohorts.sources.profile.Profile`.
    untimed
        Whose visits have no time that can be told, which is a problem of its own.
    where_visits_are_told
        Where a column of visits goes, as a sentence ends: `in sub-*_sessions.tsv`; empty where
        there is one table.
    """

    frame: pd.DataFrame
    name: str
    sources: list[Path] = field(default_factory=list)
    column_names: dict[str, str] = field(default_factory=dict)
    volume_factors: dict[str, float] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    has_ordered_sessions: bool = True
    has_named_sessions: bool = True
    has_unattended_visits: bool = False
    is_synthetic: bool = False
    missing_codes: tuple[str, ...] | None = None
    session_time: str | None = None
    starts_at_first_visit: bool = False
    untimed: set[str] = field(default_factory=set)
    where_visits_are_told: str = ""

    def report(self, rows: npt.ArrayLike, column: str | None, message: str) -> None:
        """Add one problem for each of `rows`.

        Parameters
        ----------
        rows
            Boolean mask over the rows of `frame`.
        column
            The column that is wrong, by its name in `frame`; None for the row as a whole.
        message
            `{value}` is what arrived, other names in braces are columns of the row; what is none of
            them stays, as a file may name its columns so.
        """
        positions = np.flatnonzero(np.asarray(rows, dtype=bool))
        for row in self.frame.iloc[positions].to_dict("records") if len(positions) else ():
            self.problems.append(self._problem(row, column, message))

    def report_text(self, rows: npt.NDArray[np.bool_], column: str, expected: str) -> None:
        """Add the problems of cells that are no number, in a column of numbers.

        Where most cells are written with a comma, as by a spreadsheet of many countries, that is
        one problem of the column.

        Parameters
        ----------
        rows
            Whose cells are text.
        column
            Its name in `frame`.
        expected
            What a message says is expected.
        """
        cells = self.frame[column]
        with_comma = np.array(rows, dtype=bool)
        with_comma[rows] = [_is_with_comma(cell) for cell in cells[rows]]
        n_with_comma = int(with_comma.sum())
        if n_with_comma > 1 and 2 * n_with_comma > int((~is_missing(cells)).sum()):
            self.report_all(
                column,
                f"{n_with_comma} numbers are written with a comma (the first "
                f"{show(cells[with_comma].iloc[0])}); a decimal point, and nothing that parts "
                "thousands, is expected",
            )
            rows = rows & ~with_comma
        self.report(rows, column, f"got {{value}}, {expected} is expected")

    def report_all(self, column: str | None, message: str) -> None:
        """Add a problem of the whole input, which leaving people out does not mend."""
        self.problems.append(
            Problem(message, file=self._files(), column=self.get_source_name(column))
        )

    def is_told_of(self, *columns: str) -> bool:
        """Return whether a problem of the whole input concerns one of `columns`."""
        names = {self.get_source_name(column) for column in columns}
        return any(one.participant_id is None and one.column in names for one in self.problems)

    def get_source_name(self, column: str | None) -> str | None:
        """Return the name that `column` has in the file."""
        return None if column is None else self.column_names.get(column, column)

    def _problem(self, row: dict[Any, Any], column: str | None, message: str) -> Problem:
        # a column of the source may be called `value`, too
        told = {**row, "value": show(row.get(column)) if column is not None else ""}
        return Problem(
            _PLACE.sub(
                lambda place: (
                    format(told[place[1]], place[2] or "") if place[1] in told else place[0]
                ),
                message,
            ),
            participant_id=row["participant_id"],
            file=row.get(SOURCE_FILE),
            row=as_row_number(row.get(SOURCE_ROW)),
            column=self.get_source_name(column),
        )

    def _files(self) -> str | None:
        if SOURCE_FILE not in self.frame or self.frame.empty:
            return self.sources[0].name if self.sources else None
        return ", ".join(join_names(self.frame[SOURCE_FILE].unique()))


def as_row_number(value: Any) -> int | None:
    """Return the number of a row, which tables with gaps hold as a float; None for a gap."""
    return None if says_nothing(value) else int(value)


def _is_with_comma(cell: object) -> bool:
    return isinstance(cell, str) and _WITH_COMMA.fullmatch(cell) is not None


def show(value: object) -> str:
    """Return `value` as a message quotes it: numbers short, text in quotes, gaps as `n/a`."""
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA:
        return "n/a"
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, int | float | np.number):
        return f"{value:.10g}"
    return str(value)


def join_names(names: Iterable[object], *, limit: int = 8) -> list[str]:
    """Return the first names of a list, with a last entry that counts the others."""
    shown = [str(name) for name in names]
    rest = len(shown) - limit
    return shown if rest <= 0 else [*shown[:limit], f"... ({rest} more)"]
