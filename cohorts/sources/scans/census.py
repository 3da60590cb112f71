"""How many people and which scans a source holds, told without reading a scan."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from cohorts.files.folder import is_cohort_folder, read_tables
from cohorts.sources.loading import find_source, read_records
from cohorts.sources.reading import Reading

_PATHS: Final = ("image_path", "segmentation_path")


@dataclass(frozen=True)
class Census:
    """What a source holds before anything in it is checked.

    Parameters
    ----------
    n_people
        People, whether eligible or not.
    first_images
        The first T1w image of each person who has one.
    scans
        Every image and label map that is there.
    """

    n_people: int
    first_images: tuple[Path, ...]
    scans: tuple[Path, ...]


def take_census(path: Path, *, reading: Reading | None = None) -> Census:
    """Count the people of the cohort at `path`, and list its scans.

    Parameters
    ----------
    path
        As in `load_cohort`.
    reading
        What the user states about it.

    Raises
    ------
    CohortError
        Where nothing readable is at `path`.
    """
    path = find_source(path)
    visits = _read_visits(path, reading or Reading())
    people, (images, labels) = visits["participant_id"], (_list_paths(visits, p) for p in _PATHS)
    firsts = images.groupby(people.loc[images.index], sort=False).first()
    scans = pd.concat([images, labels]).map(Path).unique()
    return Census(
        people.nunique(),
        tuple(map(Path, firsts)),
        tuple(scan for scan in scans if scan.is_file()),
    )


def _read_visits(path: Path, reading: Reading) -> pd.DataFrame:
    if is_cohort_folder(path):
        return read_tables(path, ["visits"], columns=["participant_id", *_PATHS])["visits"]
    return read_records(path, reading=reading).frame


def _list_paths(visits: pd.DataFrame, column: str) -> pd.Series:
    absent = pd.Series(index=visits.index, dtype="object")
    return visits.get(column, absent).dropna().astype(str)
