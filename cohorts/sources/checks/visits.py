"""Checks of visits: each once, in order of time, with a baseline."""

import re
from shlex import quote
from typing import Final

import numpy as np
import pandas as pd

from cohorts.counting import tally
from cohorts.sources.assembly import are_baseline_rows
from cohorts.sources.records import Records
from cohorts.sources.visit_times.agreement import AGREE_WITHIN_YEARS
from cohorts.sources.visit_times.times import MONTHS_PER_YEAR, TELLING_TIMES, TOP_CODED

BASELINE_WITHIN_MONTHS: Final = 1.0
"""How far from month 0 the first visit may be and still be the baseline."""

_NUMBER: Final = re.compile(r"[0-9]+\Z")
_BASELINE: Final = re.compile(r"(?:ses-)?(?:bl|baseline)", re.IGNORECASE)


def check_visits(records: Records) -> None:
    """Report visits that appear twice, out of order, or without a baseline.

    Where times or ages of the whole table cannot be read, the same visits have no order.
    """
    if not records.is_told_of(*TELLING_TIMES):
        _check_repeated_sessions(records)
        _check_baseline(records)
        _check_order(records)
        _check_ages_against_time(records)
        _note_visits_of_one_time(records)
    _check_repeated_scans(records)


def _check_repeated_sessions(records: Records) -> None:
    frame = records.frame
    repeated = frame.duplicated(["participant_id", "session_id"]).to_numpy()
    named = "the visit {session_id} is in the data twice; each person's visit once is expected"
    unnamed = (
        "the person is in the data twice at the same age; one row is expected, or a column that "
        "names the visits (--map COLUMN=session_id)"
    )
    records.report(repeated, None, named if records.has_named_sessions else unnamed)


def _check_baseline(records: Records) -> None:
    frame = records.frame
    months = frame["months_from_baseline"]
    first = months.groupby(frame["participant_id"]).transform("min")
    is_first = (months == first) & ~frame.duplicated("participant_id")
    records.report(
        months < 0,
        "months_from_baseline",
        "got {value} months, a time of at least 0 is expected: no visit comes before the baseline",
    )
    opening = ~frame["participant_id"].duplicated()
    late = opening & (first > BASELINE_WITHIN_MONTHS)
    late &= ~frame["participant_id"].isin(records.untimed)
    records.report(
        late, "months_from_baseline", "no baseline visit: month 0 is expected for everyone"
    )
    if records.has_ordered_sessions and not late.any() and is_first.any():
        _check_baseline_session(records)


def _check_baseline_session(records: Records) -> None:
    """Report who lacks the first session, where most people's visits begin with the same one."""
    frame = records.frame
    numbers = number_sessions(frame["session_id"])
    first = numbers.groupby(frame["participant_id"]).transform("min")
    opening = (~frame["participant_id"].duplicated()).to_numpy()
    usual = first[opening].min()
    if not (first[opening] == usual).mean() > 0.5:
        return
    name = frame.loc[numbers == usual, "session_id"].iloc[0]
    records.report(
        opening & (first > usual).to_numpy(),
        "session_id",
        f"no baseline visit: got {{value}} first, {name} is expected",
    )


def _check_order(records: Records) -> None:
    if not records.has_ordered_sessions:
        return
    frame = records.frame
    order = pd.DataFrame(
        {
            "person": frame["participant_id"].cat.codes,
            "number": number_sessions(frame["session_id"]),
            "months": frame["months_from_baseline"],
        }
    ).sort_values(["person", "number"], kind="stable")
    same_person = order["person"] == order["person"].shift()
    goes_back = same_person & (order["number"] > order["number"].shift())
    goes_back &= order["months"] <= order["months"].shift()
    records.report(
        goes_back.reindex(frame.index) & ~frame["participant_id"].isin(records.untimed),
        "session_id",
        "{value} is not later than the visit before it; visits in order of time are expected",
    )


def _note_visits_of_one_time(records: Records) -> None:
    """Tell of people with two visits at one time, of whom nobody knows which one is meant."""
    frame = records.frame
    timed = frame[~frame["participant_id"].isin(records.untimed)]
    repeated = timed[timed.duplicated(["participant_id", "months_from_baseline"])]
    if len(repeated):
        records.notes.append(
            f"{tally(repeated['participant_id'].nunique(), 'people have')} several visits at one "
            "time: the "
            "first of them by its name counts."
        )


def number_sessions(sessions: pd.Series) -> pd.Series:
    """Return the number that a session's name ends in; -1 for `bl`, NaN where there is none."""
    numbers: dict[str, float] = {}
    prefixes = set()
    for name in sessions.dropna().unique():
        if found := _NUMBER.search(name):
            numbers[name] = float(found[0])
            prefixes.add(name[: found.start()].lower())
        else:
            numbers[name] = -1.0 if _BASELINE.fullmatch(name) else np.nan
    if len(prefixes) > 1:
        numbers = dict.fromkeys(numbers, np.nan)
    return sessions.map(numbers).astype(float)


def _check_ages_against_time(records: Records) -> None:
    frame = records.frame
    at_baseline = frame["age_years"].where(are_baseline_rows(frame))
    first_age = at_baseline.groupby(frame["participant_id"]).transform("first")
    expected = first_age + frame["months_from_baseline"] / MONTHS_PER_YEAR
    differs = (frame["age_years"] - expected).abs() > AGREE_WITHIN_YEARS
    differs &= ~frame["participant_id"].isin(records.untimed)
    if TOP_CODED in frame:
        differs &= ~frame[TOP_CODED].fillna(0).astype(bool)
    timed = frame[~frame["participant_id"].isin(records.untimed)]
    if differs.any() and _are_baseline_ages(timed):
        name = records.get_source_name("age_years")
        records.report_all(
            "age_years",
            "nobody's age changes between visits, though years pass; if it is the age at "
            f"baseline, say so with --map {quote(f'{name}=baseline_age_years')}",
        )
        return
    if not differs.any():
        return
    years = (frame["months_from_baseline"] / MONTHS_PER_YEAR).round(2).astype("str")
    records.frame = frame.assign(_years=years, _expected=expected.round(1))
    records.report(
        differs,
        "age_years",
        "got {value} years, {_expected:g} is expected {_years} years after baseline",
    )
    records.frame = frame


def _are_baseline_ages(frame: pd.DataFrame) -> bool:
    """Return whether all who were followed for more than a year have one age at all visits."""
    groups = frame.groupby("participant_id", observed=True)
    followed = groups["months_from_baseline"].max() > AGREE_WITHIN_YEARS * MONTHS_PER_YEAR
    ages = groups["age_years"].nunique()
    return bool(followed.sum() > 1 and (ages[followed] == 1).all())


def _check_repeated_scans(records: Records) -> None:
    for column in ("image_path", "segmentation_path"):
        paths = records.frame[column]
        records.report(
            paths.notna() & paths.duplicated(),
            column,
            "got {value}, which another visit has too; a file of its own is expected",
        )
