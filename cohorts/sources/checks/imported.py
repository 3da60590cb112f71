"""Checks of an imported cohort's tables, the same as at import but for the images."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.keys import has_repeated, is_among, locate_rows
from cohorts.numbered import NumberedTable
from cohorts.schema import TABLES
from cohorts.sources.checks.people import check_people
from cohorts.sources.checks.visits import check_visits
from cohorts.sources.checks.volumes import check_volumes
from cohorts.sources.checks.whole import number_keys
from cohorts.sources.columns import name_volume_column
from cohorts.sources.records import (
    PERSON_DIAGNOSIS,
    PROVENANCE,
    SOURCE_FILE,
    SOURCE_ROW,
    VOLUME_SOURCE,
    Problem,
    Records,
)
from cohorts.volumes.measured import spread_volumes

_PERSON: Final = "participant_id"
_KEYS: Final = [_PERSON, "session_id"]


def check_tables(
    participants: pd.DataFrame,
    visits: pd.DataFrame,
    volumes: NumberedTable,
    places: npt.NDArray[np.intp],
) -> list[Problem]:
    """Return every problem of the three tables of a cohort, which have all their columns.

    Parameters
    ----------
    participants, visits, volumes
        Tables of `cohorts.schema`.
    places
        The row of each volume's visit; -1 for none.
    """
    problems = _find_strangers(participants, visits, volumes.keep(places < 0))
    records = _build_records(participants, visits)
    check_people(records)
    check_visits(records)
    for source in pd.unique(volumes.numbers["source"]):
        own = (volumes.numbers["source"] == source) & (places >= 0)
        found = spread_volumes(volumes.keep(own), places[own], len(visits))
        records.frame = found.rename(columns=name_volume_column).assign(
            **records.frame[["participant_id", "months_from_baseline", *PROVENANCE]],
        )
        check_volumes(records)
    return problems + records.problems


def find_missing_columns(tables: Mapping[str, pd.DataFrame | NumberedTable]) -> list[Problem]:
    """Return a problem for each column that tables of a cohort must have and lack."""
    return [
        Problem(f"no column {column}; import the cohort again", file=f"{name}.parquet")
        for name, table in tables.items()
        for column, told in TABLES[name].columns.items()
        if told.required and column not in table.columns
    ]


def _find_strangers(
    participants: pd.DataFrame, visits: pd.DataFrame, unplaced: NumberedTable
) -> list[Problem]:
    people, visitors = (table[_PERSON].astype("str").dropna() for table in (participants, visits))
    return [
        *(
            Problem("no such person in participants.parquet", person, "visits.parquet")
            for person in sorted(set(visitors[~is_among(visitors, people)]))
        ),
        *(
            Problem("no visit in visits.parquet", person, "participants.parquet")
            for person in sorted(set(people[~is_among(people, visitors)]))
        ),
        *(
            Problem(f"no visit {session} in visits.parquet", person, "volumes.parquet")
            for person, session in unplaced.to_frame()[_KEYS]
            .drop_duplicates()
            .itertuples(index=False)
        ),
    ]


def _build_records(participants: pd.DataFrame, visits: pd.DataFrame) -> Records:
    """Return the visits with what the table of people says of them, one row a visit."""
    places = locate_rows(visits[[_PERSON]], participants[[_PERSON]], [_PERSON])
    described = {str(name): str(name) for name in participants if name not in visits}
    frame = visits.reset_index(drop=True)
    for name, source in (described | {PERSON_DIAGNOSIS: "diagnosis"}).items():
        frame[name] = participants[source].array.take(places, allow_fill=True)
    frame[SOURCE_ROW] = np.arange(1, len(frame) + 1)
    nothing = np.zeros(len(frame), dtype=np.int8)
    for name, file in {SOURCE_FILE: "visits.parquet", VOLUME_SOURCE: "volumes.parquet"}.items():
        frame[name] = pd.Categorical.from_codes(nothing, pd.Index([file]))
    records = Records(number_keys(frame), name="cohort")
    people = participants[_PERSON]
    is_repeated = has_repeated(participants, [_PERSON])
    repeated = people[people.duplicated()] if is_repeated else people[:0]
    records.problems += [
        Problem(
            "the person is in the table twice; once is expected", person, "participants.parquet"
        )
        for person in repeated
    ]
    return records
