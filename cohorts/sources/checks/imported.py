"""Checks of an imported cohort's tables, the same as at import but for the images."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.keys import locate_rows
from cohorts.measured import spread_volumes
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

_PERSON: Final = "participant_id"
_KEYS: Final = [_PERSON, "session_id"]


def check_tables(tables: dict[str, pd.DataFrame]) -> list[Problem]:
    """Return every problem of the three tables of a cohort.

    Parameters
    ----------
    tables
        `participants`, `visits`, `volumes`.
    """
    problems = _find_missing_columns(tables)
    if problems:
        return problems
    positions = locate_rows(tables["volumes"], tables["visits"], _KEYS)
    problems = _find_strangers(tables, positions)
    records = _build_records(tables)
    check_people(records)
    check_visits(records)
    for rows in tables["volumes"].groupby("source", sort=False).indices.values():
        records.frame = _spread_volumes(tables, positions, np.asarray(rows)).assign(
            **records.frame[["participant_id", "months_from_baseline", *PROVENANCE]],
        )
        check_volumes(records)
    return problems + records.problems


def _find_missing_columns(tables: dict[str, pd.DataFrame]) -> list[Problem]:
    return [
        Problem(f"no column {column}; import the cohort again", file=f"{name}.parquet")
        for name, table in tables.items()
        for column in TABLES[name].columns
        if column not in table
    ]


def _find_strangers(
    tables: dict[str, pd.DataFrame], positions: npt.NDArray[np.intp]
) -> list[Problem]:
    people, visitors = (
        pd.Index(tables[name][_PERSON].unique()) for name in ("participants", "visits")
    )
    unplaced = tables["volumes"].loc[positions < 0, _KEYS].drop_duplicates()
    return [
        *(
            Problem("no such person in participants.parquet", person, "visits.parquet")
            for person in visitors.difference(people)
        ),
        *(
            Problem("no visit in visits.parquet", person, "participants.parquet")
            for person in people.difference(visitors)
        ),
        *(
            Problem(f"no visit {session} in visits.parquet", person, "volumes.parquet")
            for person, session in unplaced.itertuples(index=False)
        ),
    ]


def _build_records(tables: dict[str, pd.DataFrame]) -> Records:
    """Return the visits with what the table of people says of them, one row a visit."""
    visits, participants = tables["visits"], tables["participants"]
    people = participants.drop_duplicates("participant_id").set_index("participant_id")
    described = [str(name) for name in people if name not in visits]
    frame = visits.reset_index(drop=True)
    # all columns at once: people are looked up by name
    found = people[list(dict.fromkeys([*described, "diagnosis"]))].reindex(visits["participant_id"])
    for name in described:
        frame[name] = found[name].array
    frame[PERSON_DIAGNOSIS] = found["diagnosis"].array
    frame[SOURCE_FILE] = "visits.parquet"
    frame[SOURCE_ROW] = np.arange(1, len(frame) + 1)
    frame[VOLUME_SOURCE] = "volumes.parquet"
    records = Records(number_keys(frame), name="cohort")
    repeated = participants["participant_id"][participants["participant_id"].duplicated()]
    records.problems += [
        Problem(
            "the person is in the table twice; once is expected", person, "participants.parquet"
        )
        for person in repeated
    ]
    return records


def _spread_volumes(
    tables: dict[str, pd.DataFrame], positions: npt.NDArray[np.intp], rows: npt.NDArray[np.intp]
) -> pd.DataFrame:
    """Return one row a visit, one column a region."""
    rows = rows[positions[rows] >= 0]
    volumes = tables["volumes"][["region", "volume_mm3"]].iloc[rows]
    found = spread_volumes(volumes, positions[rows], len(tables["visits"]))
    return found.rename(columns=name_volume_column)
