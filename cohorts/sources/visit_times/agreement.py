"""Whether what else tells the time of a visit, its date and its name, agrees with the time taken.

A visit may be some months from its plan, so a few that are late are told; a column that says
another time at most visits, or a date that is a year off, is a problem.
"""

from collections.abc import Mapping
from typing import Final

import pandas as pd

from cohorts.counting import tally
from cohorts.sources.records import Records

AGREE_WITHIN_YEARS: Final = 1.1
"""How far what tells the time of one visit may differ: ages may be whole years, visits late."""

_LATE_BY_MONTHS: Final = 3.0
"""From here on a visit is told not to be at its planned time."""

_ANOTHER_BY_MONTHS: Final = 6.0
"""From here on a visit once a year would stand for another one."""


def check_agreement(records: Records, months: pd.Series, others: Mapping[str, pd.Series]) -> None:
    """Report visits of which another column tells another time, and note those a little off.

    Parameters
    ----------
    records
        The visits.
    months
        Their time by what counts, a stated time or dates; NaN where it tells nothing.
    others
        `visit_date` or `session_id` -> the months that it tells, of each person from a start of
        its own.
    """
    people = records.frame["participant_id"]
    for column, told in others.items():
        if column == "session_id" and _is_numbering(told):
            continue
        both = months.where(told.notna())
        first = both.groupby(people).transform("min")
        start = told.where(both == first).groupby(people).transform("min")
        # names tell months from the baseline, so the person's first one must be one
        known = (both > first) & ((start == 0) | (column != "session_id"))
        off = ((told - start) - (both - first)).abs().where(known)
        if known.any():
            _report_differences(records, column, off, both - first, told - start)


def _is_numbering(months: pd.Series) -> bool:
    """Return whether names count visits, as M0, M1, M2 do: no plan has a visit every month."""
    found = sorted(months.dropna().unique())
    return found == list(range(len(found)))


def _report_differences(
    records: Records, column: str, off: pd.Series, months: pd.Series, told: pd.Series
) -> None:
    frame = records.frame
    stated = records.column_names.get("months_from_baseline")
    counted = stated or records.get_source_name("visit_date")
    what = f"{records.get_source_name(column)} and {counted} tell different times"
    worst = int(off.to_numpy(dtype=float, na_value=-1).argmax())
    example = f"month {told.iloc[worst]:.0f} and month {months.iloc[worst]:.0f}"
    is_far = off > _ANOTHER_BY_MONTHS
    people = set(frame.loc[is_far, "participant_id"])
    if 2 * is_far.sum() > off.notna().sum() and len(people) > 1:
        records.report_all(
            column,
            f"{what} at {int(is_far.sum())} of {tally(off.notna().sum(), 'visits')} after the "
            f"first ({example}); leave out the wrong one with --ignore"
            + ("" if stated else ", or add months_from_baseline"),
        )
        return
    # a name is the plan, and a visit may be as late as it likes
    is_gross = (off > AGREE_WITHIN_YEARS * 12) & (column != "session_id")
    if is_gross.any():
        records.frame = frame.assign(_told=told.round(1), _months=months.round(1))
        records.report(
            is_gross,
            column,
            f"{what}: month {{_told:g}} and month {{_months:g}}; leave out the wrong one with "
            "--ignore",
        )
        records.frame = frame
    n_late = int((off > _LATE_BY_MONTHS).sum()) - int(is_gross.sum())
    if n_late:
        largest = off.mask(is_gross).max()
        records.notes.append(
            f"{what} at {n_late} of {tally(off.notna().sum(), 'visits')} after the first, by up to "
            f"{largest:.0f} months: {counted} counts."
        )
