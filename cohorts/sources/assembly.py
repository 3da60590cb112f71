"""The three tables of a cohort, made from visits that were read."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.keys import map_kinds
from cohorts.labels import SIDED_CODES
from cohorts.schema import SIDES
from cohorts.sources.columns import get_region, list_volume_columns, name_volume_column
from cohorts.sources.meaning.covariates import list_covariates
from cohorts.sources.records import VOLUME_SOURCE

PERSON_COLUMNS: Final = ("participant_id", "sex", "age_years", "diagnosis")
VISIT_COLUMNS: Final = (
    "participant_id",
    "session_id",
    "age_years",
    "months_from_baseline",
    "diagnosis",
    "image_path",
    "segmentation_path",
)
_DETERMINANT: Final = "determinant"


def complete_visits(frame: pd.DataFrame) -> pd.DataFrame:
    """Return visits with every standard column."""
    absent = {name: None for name in ("image_path", "segmentation_path") if name not in frame}
    return frame.assign(**absent)


def add_both_sides(frame: pd.DataFrame) -> pd.DataFrame:
    """Return visits with left plus right as both sides, where a source gives only the sides."""
    sums = {}
    for region in SIDED_CODES:
        left, right = (name_volume_column(f"{side}_{region}") for side in SIDES)
        if {left, right} <= set(frame):
            both, total = name_volume_column(region), frame[left] + frame[right]
            sums[both] = frame[both].fillna(total) if both in frame else total
    return frame.assign(**sums)


def build_participants(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row a person, as they were at their baseline visit."""
    baseline = frame.loc[find_baseline_rows(frame)]
    return baseline[[*PERSON_COLUMNS, *list_covariates(frame)]].reset_index(drop=True)


def build_visits(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row a visit; of the covariates, those that change between visits."""
    covariates = _list_changing(frame, list_covariates(frame))
    stated = [_DETERMINANT] if _DETERMINANT in frame else []
    return frame[[*VISIT_COLUMNS, *stated, *covariates]].reset_index(drop=True)


def build_volumes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per visit and region, for the volumes that are there."""
    columns = list_volume_columns(frame)
    long = frame.melt(
        id_vars=["participant_id", "session_id", VOLUME_SOURCE],
        value_vars=columns,
        var_name="region",
        value_name="volume_mm3",
    ).dropna(subset="volume_mm3")
    long["region"] = map_kinds(long["region"], lambda column: get_region(str(column))).astype("str")
    long = long.rename(columns={VOLUME_SOURCE: "source"})
    order = ["participant_id", "session_id", "region", "volume_mm3", "source"]
    return long[order].reset_index(drop=True)


def find_baseline_rows(frame: pd.DataFrame) -> pd.Index:
    """Return the index of each person's first visit."""
    return frame.index[are_baseline_rows(frame)]


def are_baseline_rows(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which rows are each person's first visit; visits at an unknown time come last.

    Examples
    --------
    >>> visits = {"participant_id": ["a", "a", "b", "b"], "months_from_baseline": [12, 0, None, 6]}
    >>> are_baseline_rows(pd.DataFrame(visits))
    array([False,  True, False,  True])
    """
    people, _ = pd.factorize(frame["participant_id"])
    months = pd.Series(frame["months_from_baseline"].to_numpy(float)).fillna(np.inf)
    found = np.zeros(len(frame), dtype=bool)
    found[months.groupby(people).idxmin()] = True
    return found


def _list_changing(frame: pd.DataFrame, columns: list[str]) -> list[str]:
    """Return the columns that differ between visits of one person."""
    people, _ = pd.factorize(frame["participant_id"])
    order = np.argsort(people, kind="stable")
    same_person = people[order][1:] == people[order][:-1]
    if not same_person.any():
        return []
    people = people[order]
    return [name for name in columns if _changes(pd.factorize(frame[name])[0][order], people)]


def _changes(codes: npt.NDArray[np.intp], people: npt.NDArray[np.intp]) -> bool:
    known = codes >= 0
    codes, people = codes[known], people[known]
    return bool(((codes[1:] != codes[:-1]) & (people[1:] == people[:-1])).any())
