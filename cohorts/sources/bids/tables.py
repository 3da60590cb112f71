"""The tables of a BIDS dataset: what is said of people, of their visits, of their scans."""

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from cohorts.errors import CohortError
from cohorts.sources.columns import SPELLINGS, list_volume_columns
from cohorts.sources.reading import Reading
from cohorts.sources.records import (
    AT_BASELINE,
    PERSON_DIAGNOSIS,
    SOURCE_FILE,
    SOURCE_ROW,
    VOLUME_SOURCE,
    Problem,
    Records,
    as_row_number,
    join_names,
    show,
)
from cohorts.sources.tables.table import read_table_records
from cohorts.sources.tables.text import read_header, read_text_table
from cohorts.sources.values import is_missing, parse_numbers, parse_text, says_nothing
from cohorts.sources.visit_times.times import read_months_of_name

Row = dict[str, Any]


class DatasetTables:
    """Every table of a dataset, asked for one visit at a time.

    Parameters
    ----------
    root
        The dataset.
    reading
        What the user states; a column that it names must be in one of the tables.

    Raises
    ------
    CohortError
        Where a table cannot be read, or a stated column is in none.
    """

    def __init__(self, root: Path, reading: Reading) -> None:
        self.root = root
        self._reading = reading
        self._unseen = {*reading.column_map, *reading.ignored}
        self.people = self._read(root / "participants.tsv", "participant_id")
        self.people.frame["participant_id"] = _add_prefix(self.people.frame["participant_id"])
        self._phenotypes = [
            self._read(path, "participant_id")
            for path in sorted((root / "phenotype").glob("*.tsv"))
            if not path.name.startswith(".")
        ]
        self._of_visits: dict[str, dict[str, Row]] = {}
        self._of_people: dict[str, Row] = {}
        for records in (*self._phenotypes[::-1], self.people):
            self._keep(records)

    def list_people(self) -> list[str]:
        """Return everyone in participants.tsv, in its order."""
        return [str(name) for name in self.people.frame["participant_id"].dropna().unique()]

    def list_sessions(self, person: str) -> list[str]:
        """Return the visits that tables name for a person, in their order."""
        self._read_sessions(person)
        return list(self._of_visits.get(person, {}))

    def describe(self, person: str, session: str | None, *, n_visits: int) -> Row:
        """Return what the tables say of a visit; what they say of the person stands for baseline.

        Parameters
        ----------
        person, session
            The visit; None for the one visit of a person without named visits.
        n_visits
            How many visits the person has.
        """
        of_person = self._of_people.get(person, {})
        row: Row = {SOURCE_FILE: "participants.tsv", SOURCE_ROW: None}
        for name, value in of_person.items():
            is_volume = name in list_volume_columns([name]) and n_visits > 1
            row[f"{AT_BASELINE}{name}" if is_volume else name] = value
        if "age_years" in row:
            row["baseline_age_years"] = row.pop("age_years")
        if "diagnosis" in row:
            row[PERSON_DIAGNOSIS] = row["diagnosis"]
            visits = self._of_visits.get(person, {})
            if any("diagnosis" in visit for visit in visits.values()):
                row["baseline_diagnosis"] = row.pop("diagnosis")
        return row | self._of_visits.get(person, {}).get(session or "", {})

    def check_stated(self) -> None:
        """Refuse a stated column that no table has.

        Raises
        ------
        CohortError
            For each such column.
        """
        if self._unseen:
            known = join_names(sorted(set(self.people.column_names.values())), limit=30)
            raise CohortError(
                *(
                    f"{self.root.name} has no column {name} in any table; participants.tsv has "
                    f"{', '.join(known)}."
                    for name in sorted(self._unseen)
                )
            )

    def _read(self, path: Path, key: str) -> Records:
        absent = self._reading.list_absent(read_header(path))
        self._unseen &= set(absent)
        records = read_table_records(path, reading=self._reading.without(absent), key=key)
        if path.name != "participants.tsv":
            self.people.sources.append(path)
            self.people.column_names = {**records.column_names, **self.people.column_names}
            self.people.volume_factors |= records.volume_factors
        return records

    def _keep(self, records: Records) -> None:
        """Add the rows of a table to what is known of people or of visits."""
        frame = records.frame.assign(
            participant_id=_add_prefix(records.frame["participant_id"])
        ).drop(columns=PERSON_DIAGNOSIS)
        is_phenotype = records is not self.people
        frame = frame.drop(columns=self._compare_rows(frame, records))
        for row in frame.to_dict("records"):
            person = row.pop("participant_id")
            session = row.pop("session_id", None)
            if says_nothing(person):
                continue
            if is_phenotype:
                row = {name: row[name] for name in row if str(name) not in _PROVENANCE}
            if says_nothing(session):
                self._of_people[person] = self._of_people.get(person, {}) | _trim(row)
            else:
                self._add(person, self._match_session(person, str(session), records), row)

    def _compare_rows(self, frame: pd.DataFrame, records: Records) -> list[str]:
        """Report rows that differ from an earlier one of the same person and visit.

        Returns the columns that nothing reads by name, and in which such rows differ: they say
        nothing that could be kept of a person, as a file with a row for each session has them.
        """
        said: dict[tuple[Any, Any], Row] = {}
        unclear: list[str] = []
        for row in frame.to_dict("records"):
            person, session = row["participant_id"], row.get("session_id")
            if says_nothing(person):
                continue
            before = said.setdefault((person, None if says_nothing(session) else session), {})
            own = {name: value for name, value in _trim(row).items() if name not in _PROVENANCE}
            for name, value in own.items():
                if _are_one(before.get(name, value), value):
                    continue
                if not self._is_read(name):
                    unclear.append(name)
                    continue
                self.people.problems.append(
                    Problem(
                        f"got {show(value)}, where an earlier row of this person has "
                        f"{show(before[name])}; one row a person, or a session_id in each "
                        "(--map COLUMN=session_id), is expected",
                        person,
                        row[SOURCE_FILE],
                        as_row_number(row[SOURCE_ROW]),
                        records.get_source_name(name),
                    )
                )
            before |= own
        unclear = list(dict.fromkeys(unclear))
        if unclear:
            names = [records.get_source_name(name) or name for name in unclear]
            self.people.notes.append(
                f"Left out, because rows of one person in {frame[SOURCE_FILE].iloc[0]} differ in "
                f"them: {', '.join(join_names(names))}. Where rows are visits, "
                "--map COLUMN=session_id says which column names these."
            )
        return unclear

    def _is_read(self, name: str) -> bool:
        """Return whether a column is one of those that have a meaning of their own here."""
        is_known = name in SPELLINGS or name in self._reading.column_map.values()
        return is_known or bool(list_volume_columns([name]))

    def _add(self, person: str, session: str, row: Mapping[Hashable, Any]) -> None:
        visits = self._of_visits.setdefault(person, {})
        visits[session] = visits.get(session, {}) | _trim(row)

    def _match_session(self, person: str, session: str, records: Records) -> str:
        """Return the session that a name in a table means: a wave goes by its number or time."""
        name = session if session.startswith("ses-") else f"ses-{session}"
        if not records.has_unattended_visits:
            return name
        folders = [path.name for path in (self.root / person).glob("ses-*/")]
        meant = _read_end(session)
        return next((folder for folder in folders if _read_end(folder) == meant), name)

    def _read_sessions(self, person: str) -> None:
        path = self.root / person / f"{person}_sessions.tsv"
        if not path.is_file():
            return
        table = self._read(path, "session_id")
        frame = table.frame.drop(columns=PERSON_DIAGNOSIS)
        names = parse_text(frame["session_id"])
        names = names.where(names.str.startswith("ses-"), "ses-" + names)
        for row in frame[names.duplicated()].to_dict("records"):
            self.people.problems.append(
                Problem(
                    f"the visit {row['session_id']} is in the data twice; once is expected",
                    person,
                    path.name,
                    row[SOURCE_ROW],
                )
            )
        frame = frame.drop(columns=["session_id", "participant_id"], errors="ignore")
        for name, row in zip(names, frame.to_dict("records"), strict=True):
            self._add(person, str(name), row)


def _read_end(session: str) -> float | str:
    """Return the months that the name of a visit says, or the number that it ends in."""
    months = read_months_of_name(session)
    return re.sub(r"^.*?0*(\d+)$", r"\1", session) if months is None else months


def read_scan_time(folder: Path, image: Path | None) -> str | None:
    """Return when a visit's image was taken, by its `*_scans.tsv`; None where that is not said."""
    for path in sorted(folder.glob("*_scans.tsv")):
        table = read_text_table(path)
        if not {"filename", "acq_time"} <= set(table):
            continue
        known = table[~is_missing(table["acq_time"])]
        own = known[
            known["filename"].map(lambda name: image is not None and Path(name).name == image.name)
        ]
        of_anatomy = known[known["filename"].str.startswith("anat/")]
        for rows in (own, of_anatomy, known):
            if len(rows):
                return str(rows["acq_time"].min())
    return None


_PROVENANCE: Final = (SOURCE_FILE, SOURCE_ROW, VOLUME_SOURCE)


def _add_prefix(people: pd.Series) -> pd.Series:
    names = parse_text(people)
    return names.where(names.isna() | names.str.startswith("sub-"), "sub-" + names)


def _trim(row: Mapping[Hashable, Any]) -> Row:
    """Return a row without gaps, and without the source of volumes where it has none."""
    kept = {str(name): value for name, value in row.items() if not says_nothing(value)}
    if not list_volume_columns(kept):
        kept.pop(VOLUME_SOURCE, None)
    return kept


def _are_one(first: Any, second: Any) -> bool:
    """Return whether two values say the same, as 70 and 70.0 do."""
    numbers, _ = parse_numbers(pd.Series([first, second]))
    return bool(first == second or numbers[0] == numbers[1])
