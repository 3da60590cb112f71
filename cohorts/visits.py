"""Which visit stands for a planned time: the one rule of the package.

The baseline is month 0. It stands for itself, and no later visit does. A later visit stands for the
planned time that is nearest to it (the earlier of two as near) where it is at most `WINDOW_MONTHS`
away; of a person's visits that stand for one time the nearest counts (the earlier of two as near).
So no measurement counts twice.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.keys import are_repeated, is_in_order, number_names, number_rows

WINDOW_MONTHS: Final = 3.0
"""How far a visit may be from the time that it stands for, where nothing else is stated."""

MONTHS: Final = "months_from_baseline"


def read_determinant(stated: Any) -> float | None:
    """Return the `determinant` that a visit states of its scan; None where it states none.

    Examples
    --------
    >>> read_determinant(1.25)
    1.25
    """
    return None if stated is None or pd.isna(stated) else float(stated)


def order_visits(visits: pd.DataFrame) -> pd.DataFrame:
    """Return visits in order of person, then time; those of one time by name."""
    key = ["participant_id", MONTHS, "session_id"]
    if is_in_order(visits, key):  # as they mostly are
        return visits.reset_index(drop=True)
    return visits.sort_values(key, kind="stable", ignore_index=True)


def take_visit(visits: pd.DataFrame, number: int) -> pd.DataFrame:
    """Return one visit a person by its number in time: 0 the baseline, 1 the visit after it."""
    ordered = order_visits(visits)
    return ordered[is_visit(ordered, number)].reset_index(drop=True)


def is_visit(ordered: pd.DataFrame, number: int) -> npt.NDArray[np.bool_]:
    """Return which visits, in order of person, then time, are those of a number in time."""
    months, people = ordered[MONTHS].to_numpy(), number_names(ordered["participant_id"])[0]
    counted = months == 0 if number == 0 else months > 0
    chosen = np.flatnonzero(counted)
    begins = np.diff(people[chosen], prepend=-1) != 0
    place = np.arange(len(chosen)) - np.flatnonzero(begins)[np.cumsum(begins) - 1]
    found = np.zeros(len(ordered), dtype=bool)
    found[chosen[place == (number and number - 1)]] = True
    return found


def match_visits(
    rows: pd.DataFrame, planned_months: Sequence[float], window_months: float, *, by: Sequence[str]
) -> pd.DataFrame:
    """Return the rows whose visits stand for planned times, with those as `planned_months`.

    Parameters
    ----------
    rows
        With `months_from_baseline` of their visits.
    planned_months
        Times since the baseline, at least one.
    window_months
        How far a later visit may be from its time.
    by
        What has one row at each time: a person, or a region of a person.

    Returns
    -------
    DataFrame
        In order of `planned_months`, then of `rows`.
    """
    planned = np.array(sorted(set(planned_months)), dtype=float)
    chosen, stands_for = match_places(rows, planned, window_months, by=by)
    return rows.iloc[chosen].reset_index(drop=True).assign(planned_months=planned[stands_for])


def match_places(
    rows: pd.DataFrame, planned: npt.NDArray[np.float64], window_months: float, *, by: Sequence[str]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.integer]]:
    """Return the places of the rows that `match_visits` returns, and of the times they stand for.

    Parameters
    ----------
    rows, window_months, by
        As there.
    planned
        The times in order, each once.
    """
    months = rows[MONTHS].to_numpy(dtype=float)
    nearest, distance = np.zeros(len(rows), dtype=np.int16), np.full(len(rows), np.inf)
    for place, time in enumerate(planned):
        away = np.abs(months - time)
        closer = (away < distance) & ((months == 0) == (time == 0))
        nearest[closer], distance[closer] = place, away[closer]
    # places in the table are put in order, and its rows taken once
    chosen = np.flatnonzero(distance <= window_months)
    whose = number_rows(rows, by)[chosen] * len(planned) + nearest[chosen]
    if are_repeated(whose.copy()):
        order = np.lexsort((months[chosen], distance[chosen]))
        chosen = np.sort(chosen[order][~pd.Series(whose[order]).duplicated().to_numpy()])
    chosen = chosen[np.argsort(nearest[chosen], kind="stable")]
    return chosen, nearest[chosen]
