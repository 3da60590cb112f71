"""Checks of an imported cohort's tables, the same as at import but for the images."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.columns import name_volume_column
from cohorts.problems import Problem
from cohorts.records import (
    PERSON_DIAGNOSIS,
    PROVENANCE,
    SOURCE_FILE,
    SOURCE_ROW,
    VOLUME_SOURCE,
    Records,
)
from cohorts.schema import TABLES
from cohorts.validation_people import check_people
from cohorts.validation_visits import check_visits
from cohorts.validation_volumes import check_volumes

_KEYS: Final = ["participant_id", "session_id"]


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
    positions = _locate_visits(tables["visits"], tables["volumes"])
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
    people = set(tables["participants"]["participant_id"])
    visitors = set(tables["visits"]["participant_id"])
    unplaced = tables["volumes"].loc[positions < 0, _KEYS].drop_duplicates()
    return [
        *(
            Problem("no such person in participants.parquet", person, "visits.parquet")
            for person in sorted(visitors - people)
        ),
        *(
            Problem("no visit in visits.parquet", person, "participants.parquet")
            for person in sorted(people - visitors)
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
    for name in described:
        frame[name] = people[name].reindex(visits["participant_id"]).array
    frame[PERSON_DIAGNOSIS] = people["diagnosis"].reindex(visits["participant_id"]).array
    frame[SOURCE_FILE] = "visits.parquet"
    frame[SOURCE_ROW] = np.arange(1, len(frame) + 1)
    frame[VOLUME_SOURCE] = "volumes.parquet"
    records = Records(frame, name="cohort")
    repeated = participants["participant_id"][participants["participant_id"].duplicated()]
    records.problems += [
        Problem(
            "the person is in the table twice; once is expected", person, "participants.parquet"
        )
        for person in repeated
    ]
    return records


def _locate_visits(visits: pd.DataFrame, volumes: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Return for each volume the position of its visit; -1 for none."""
    codes = []
    for key in _KEYS:
        known = pd.Index(visits[key].unique())
        codes.append((known.get_indexer(visits[key]), known.get_indexer(volumes[key]), len(known)))
    (person_v, person, _), (session_v, session, n_sessions) = codes
    visit_keys = pd.Series(person_v * n_sessions + session_v)
    first = ~visit_keys.duplicated().to_numpy()
    found = pd.Index(visit_keys[first]).get_indexer(person * n_sessions + session)
    found[(person < 0) | (session < 0)] = -1
    return np.where(found >= 0, np.flatnonzero(first)[found], -1)


def _spread_volumes(
    tables: dict[str, pd.DataFrame], positions: npt.NDArray[np.intp], rows: npt.NDArray[np.intp]
) -> pd.DataFrame:
    """Return one row a visit, one column a region."""
    volumes = tables["volumes"]
    rows = rows[positions[rows] >= 0]
    codes, regions = pd.factorize(volumes["region"].iloc[rows])
    spread = np.full((len(tables["visits"]), len(regions)), np.nan)
    spread[positions[rows], codes] = volumes["volume_mm3"].to_numpy(float)[rows]
    return pd.DataFrame(spread, columns=[name_volume_column(region) for region in regions])
