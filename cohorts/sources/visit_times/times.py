"""When each visit took place: months since the person's baseline, by the best evidence there is.

A stated time comes first, then dates, then ages, then names of visits that say a time (`m06`).
Where none of them tells, the visit's time is unknown, which is a problem: never month 0.
"""

import re
from shlex import quote
from typing import Final

import numpy as np
import pandas as pd

from cohorts.counting import tally
from cohorts.keys import map_kinds
from cohorts.sources.records import Records
from cohorts.sources.values import is_missing, parse_numbers
from cohorts.sources.visit_times.agreement import check_agreement
from cohorts.sources.visit_times.dates import Dates, parse_dates

MONTHS_PER_YEAR: Final = 12.0
DAYS_PER_MONTH: Final = 365.25 / 12

MONTHS_IN: Final = {
    "days_from_baseline": 1 / DAYS_PER_MONTH,
    "months_from_baseline": 1.0,
    "years_from_baseline": MONTHS_PER_YEAR,
}
"""Column of a time since baseline -> months in one of its units; the finest first."""

VISIT_DATE: Final = "\0visit date"
"""The date of a visit while it is read: it is not kept."""

TELLING_TIMES: Final = (*MONTHS_IN, "visit_date", "age_years", "baseline_age_years")
"""Columns that tell when a visit took place."""

_DATED: Final = "\0dated"
WHILE_READING: Final = (VISIT_DATE, _DATED)
_AGREE_WITHIN_MONTHS: Final = 1.0

LONGEST_MONTHS: Final = 600.0
"""Nobody is followed for longer; 1900-01-01 and 9999-12-31 stand for no date."""

_ENDLESS: Final = 1e6
"""No time of a visit in any unit, though it be counted from the year 0."""

SHORT_MONTHS: Final = 6.0
LONG_MONTHS: Final = 180.0
"""Half of an archive's people are followed for less, or more, where years are taken for months,
months for years, or days for months."""

_BASELINE_NAMES: Final = re.compile(r"(?:ses-)?(?:bl|baseline)", re.IGNORECASE)
_SCREENING_NAMES: Final = re.compile(r"(?:ses-)?(?:sc|scmri|screening)", re.IGNORECASE)
_MONTH_NAMES: Final = re.compile(
    r"(?:ses-)?(?:m(?:o|on|onths?)?[_-]?(\d{1,3})|(\d{1,3})m(?:o|on|onths?)?)", re.IGNORECASE
)
_YEAR_NAMES: Final = re.compile(
    r"(?:ses-)?(?:y(?:rs?|ears?)?[_-]?(\d{1,2}(?:\.\d{1,2})?)|(\d{1,2}(?:\.\d{1,2})?)y(?:rs?|ears?)?)",
    re.IGNORECASE,
)
# `W2` may be a wave
_WEEK_NAMES: Final = re.compile(
    r"(?:ses-)?(?:w(?:ks?|eeks?)[_-]?(\d{1,3})|(\d{1,3})w(?:ks?|eeks?)?)", re.IGNORECASE
)
_DATE_NAMES: Final = r"(?:ses-)?((?:19|20)\d{2}-?\d{2}-?\d{2})"


def is_screening(session: str) -> bool:
    """Return whether a visit's name is that of a screening visit (`sc`)."""
    return _SCREENING_NAMES.fullmatch(session) is not None


def read_months_of_name(session: str) -> float | None:
    """Return the month that the name of a visit says; None where it says none.

    Parameters
    ----------
    session
        `bl`, `sc`, `m06`, `ses-M012`, `12mo`, `y2`, `yr0.5`, `week52`, in any case; `ses-01` and
        `W2` count.

    Examples
    --------
    >>> [read_months_of_name(name) for name in ("bl", "m06", "ses-M012", "y2", "ses-02")]
    [0.0, 6.0, 12.0, 24.0, None]
    """
    if _BASELINE_NAMES.fullmatch(session) or is_screening(session):
        return 0.0
    if match := _MONTH_NAMES.fullmatch(session):
        return float(match[1] or match[2])
    if match := _YEAR_NAMES.fullmatch(session):
        return MONTHS_PER_YEAR * float(match[1] or match[2])
    if match := _WEEK_NAMES.fullmatch(session):
        return 7 / DAYS_PER_MONTH * float(match[1] or match[2])
    return None


def read_stated_times(records: Records) -> None:
    """Fill `months_from_baseline` from columns of times and dates; NaN where they tell nothing."""
    _take_dates_of_names(records)
    frame = records.frame
    people = frame["participant_id"]
    stated = [name for name in MONTHS_IN if name in frame]
    months = pd.Series(np.nan, index=frame.index)
    added = {}
    if "visit_date" in frame:
        found = parse_dates(frame["visit_date"])
        added[VISIT_DATE] = found.days
        if not stated:
            # whoever has one visit has it in month 0, whatever its date is
            if people.duplicated().any():
                _report_dates(records, found)
            added[_DATED] = pd.Series(~is_missing(frame["visit_date"]), index=frame.index)
            # A visit without a date may be the first one, so the others' dates say nothing alone.
            is_partial = found.days.isna().groupby(people).transform("any")
            months = _count_months(found.days, people).mask(is_partial)
    if stated:
        months = _read_durations(records, stated)
        name = records.get_source_name(stated[0]) or stated[0]
        records.column_names["months_from_baseline"] = name
    used = {*MONTHS_IN, "visit_date"}
    frame = records.frame.drop(columns=[name for name in records.frame if name in used])
    records.frame = frame.assign(months_from_baseline=months, **added)


def _take_dates_of_names(records: Records) -> None:
    """Let visits that are all called by dates have these, where no column tells when they were."""
    frame = records.frame
    if "session_id" not in frame:
        return
    named = (
        frame["session_id"].astype("str").str.extract(f"^{_DATE_NAMES}$", flags=re.IGNORECASE)[0]
    )
    if pd.to_datetime(named, errors="coerce", format="ISO8601").isna().any():
        return
    records.notes.append(
        "Visits are called by dates, which every table keeps: call them otherwise where dates may "
        "identify people."
    )
    if not {*MONTHS_IN, "visit_date"} & {*frame}:
        records.notes.append("Times of visits were read from the dates in their names.")
        records.frame = frame.assign(visit_date=named)


def _read_durations(records: Records, stated: list[str]) -> pd.Series:
    found = {}
    for name in stated:
        times, wrong = parse_numbers(records.frame[name])
        records.report_text(wrong, name, "a time in numbers")
        endless = times.abs() > _ENDLESS
        records.report(endless, name, "got {value}, the time of a visit is expected")
        found[name] = times.mask(endless) * MONTHS_IN[name]
    for name in stated[1:]:
        if (found[name] - found[stated[0]]).abs().max() > _AGREE_WITHIN_MONTHS:
            names = [records.get_source_name(one) or one for one in (stated[0], name)]
            records.report_all(
                name,
                f"{' and '.join(names)} say the same thing and differ; state which one is right, "
                f"for example --map {quote(f'{names[0]}={stated[0]}')}",
            )
    months = found[stated[0]]
    _tell_odd_length(records, months, stated[0])
    return months


def _tell_odd_length(records: Records, months: pd.Series, column: str) -> None:
    """Note a follow-up that is as long as one whose times are in another unit would be."""
    last = months.groupby(records.frame["participant_id"]).max()
    usual = last[last > 0].median()
    units = [
        unit
        for unit, factor in MONTHS_IN.items()
        if SHORT_MONTHS <= usual * factor / MONTHS_IN[column] <= LONG_MONTHS
    ]
    if not units or column in units:
        return
    name = records.get_source_name(column)
    others = " or ".join(f"--map {quote(f'{name}={unit}')}" for unit in units)
    length = (
        f"at most {usual:.1f} months"
        if usual < SHORT_MONTHS
        else f"at least {usual / MONTHS_PER_YEAR:.0f} years"
    )
    records.notes.append(
        f"Half of the people who came again were followed for {length}: if {name} is in another "
        f"unit, say so with {others}."
    )


def _report_dates(records: Records, found: Dates) -> None:
    """Report what is no date, and note in which order dates were read."""
    name = records.get_source_name("visit_date")
    if found.fault is not None:
        records.report_all(
            "visit_date",
            f"{found.fault}; write them like 2024-03-31, or leave them out with "
            f"--ignore {quote(str(name))} where ages or names of visits tell the time",
        )
        return
    expected = "a date like 2024-03-31 is expected"
    if found.first is not None:
        expected = f"a date is expected, the {found.first} first as in the others"
        records.notes.append(
            f"{name}: dates like {found.example} were read with the {found.first} first."
        )
    wrong = found.days.isna().to_numpy() & ~is_missing(records.frame["visit_date"])
    records.report(wrong, "visit_date", f"got {{value}}, {expected}")


def _count_months(dates: pd.Series, people: pd.Series) -> pd.Series:
    """Return the months of each person's visits since the first that has a date."""
    months: pd.Series = (dates - dates.groupby(people).transform("min")).dt.days / DAYS_PER_MONTH
    return months


def merge_screening_visits(records: Records) -> None:
    """Join a screening visit (`sc`) with the baseline visit (`bl`) of the same person.

    What the baseline visit lacks is filled from the screening visit, as ADNI does: its first scan
    and its MMSE were taken at screening.
    """
    frame = records.frame
    names = frame["session_id"].astype("str")
    is_screening = names.str.fullmatch(_SCREENING_NAMES.pattern, case=False)
    is_baseline = names.str.fullmatch(_BASELINE_NAMES.pattern, case=False)
    with_both = set(frame.loc[is_screening, "participant_id"]) & set(
        frame.loc[is_baseline, "participant_id"]
    )
    if not with_both:
        return
    fill = frame[is_screening & frame["participant_id"].isin(with_both)]
    fill = fill.drop_duplicates("participant_id").set_index("participant_id")
    rows = frame.index[is_baseline & frame["participant_id"].isin(with_both)]
    for name in map(str, fill):
        own = frame.loc[rows, name]
        other = fill[name].reindex(frame.loc[rows, "participant_id"]).set_axis(rows)
        frame.loc[rows, name] = own.where(~is_missing(own), other)
    dropped = is_screening & frame["participant_id"].isin(with_both)
    records.frame = frame[~dropped].reset_index(drop=True)
    records.notes.append(
        f"{tally(len(with_both), 'people have')} a screening visit beside the baseline "
        "visit; it fills what "
        "the baseline visit lacks."
    )


def settle_times(records: Records) -> None:
    """Fill the months that no column states, from ages and names; report visits without a time."""
    frame = records.frame
    months, ages = frame["months_from_baseline"], frame["age_years"]
    people = frame["participant_id"]
    dated = frame.pop(_DATED) if _DATED in frame else pd.Series(False, index=frame.index)
    others = {}
    if VISIT_DATE in frame:
        others["visit_date"] = _count_months(frame.pop(VISIT_DATE), people)
    if records.has_named_sessions:
        named = map_kinds(
            frame["session_id"], lambda name: _read_name_or_nan(name, records.session_time)
        )
    else:
        named = pd.Series(np.nan, index=frame.index)
    check_agreement(records, months, {**others, "session_id": named})
    months = _report_absurd_times(records, months)
    is_single = ~people.duplicated(keep=False)
    months = months.mask(is_single & months.isna(), 0.0)
    is_among_dated = people.isin(people[dated])
    is_open = months.isna() & ~is_among_dated
    if is_open.any() and ages.isna().all() and named.isna().all():
        if not records.is_told_of(*TELLING_TIMES):
            _report_no_times(records)
        records.untimed |= set(people[is_open])
        months = months.mask(is_open, 0.0)
    unsettled = people[people.isin(people[months.isna()].unique())]
    own_ages = ages.mask(frame[TOP_CODED].astype(bool))[unsettled.index]
    placed, sources = _place(months[unsettled.index], own_ages, named[unsettled.index], unsettled)
    months[unsettled.index] = placed
    if sources["names"]:
        records.notes.append("Times of visits were read from their names (m06 is month 6).")
    if n_rough := sources["whole years"]:
        everyone = people.nunique()
        whose = "" if n_rough == everyone else f" of {n_rough:,} of {tally(everyone, 'people')}"
        records.notes.append(
            f"Times of visits{whose} follow from ages in whole years: up to a year off."
        )
    records.report(
        months.isna() & is_among_dated & ~dated,
        "visit_date",
        "the time of the visit {session_id} is unknown, while other visits of this person have a "
        "date; a date, months_from_baseline or an age at each visit is expected",
    )
    name = "the visit {session_id}" if records.has_named_sessions else "this visit"
    records.report(
        months.isna() & ~is_among_dated & named.isna(),
        None if records.where_visits_are_told or not records.has_named_sessions else "session_id",
        f"the time of {name} is unknown; months_from_baseline, visit_date or an age at each visit "
        f"is expected{records.where_visits_are_told}",
    )
    records.untimed |= set(people[months.isna()])
    months = months.fillna(0.0)
    if records.starts_at_first_visit:
        start = months.groupby(people).transform("min")
        months = months - start
        # the age at baseline is that at month 0 of the times as they are stated
        at_first = records.frame["baseline_age_years"] + start / MONTHS_PER_YEAR
        records.frame = records.frame.assign(baseline_age_years=at_first)
    records.frame = records.frame.assign(months_from_baseline=months)


def _report_absurd_times(records: Records, months: pd.Series) -> pd.Series:
    """Report visits half a century apart; return the months, those of such people 0."""
    people = records.frame["participant_id"]
    passed = months - months.groupby(people).transform("min")
    absurd = passed > LONGEST_MONTHS
    if not absurd.any():
        return months
    is_stated = "months_from_baseline" in records.column_names
    records.frame = records.frame.assign(_years=passed / MONTHS_PER_YEAR)
    records.report(
        absurd,
        "months_from_baseline" if is_stated else "visit_date",
        "got a visit {_years:.0f} years after the person's first one; at most 50 are expected, and "
        "nothing where no time is known (--missing declares codes)",
    )
    records.frame = records.frame.drop(columns="_years")
    records.untimed |= set(people[absurd])
    return months.mask(people.isin(records.untimed), 0.0)


def _report_no_times(records: Records) -> None:
    are_aged = records.frame["baseline_age_years"].notna().any()
    records.report_all(
        "months_from_baseline",
        f"visits have {'the age at baseline and ' if are_aged else ''}no time; add a column "
        f"months_from_baseline{records.where_visits_are_told}, or call visits by it (ses-M012)",
    )


TOP_CODED: Final = "age_is_top_coded"
"""Whether an age is a bound such as 90+."""


def _place(
    months: pd.Series, ages: pd.Series, named: pd.Series, people: pd.Series
) -> tuple[pd.Series, dict[str, int]]:
    """Return the months of people's visits, NaN where nothing tells.

    What they are read from comes with it, and for how many people.

    A person's visits are looked at together: names count where all of them say a time, ages where
    they tell all visits apart.
    """
    months = _place_baseline(months, ages, people)
    of_person = ages.groupby(people)
    is_whole = _holds_for_all(ages == ages.round(), people)
    tells_order = of_person.transform("nunique") == of_person.transform("size")
    is_named = _holds_for_all(named.notna(), people) & (is_whole | ~tells_order)
    by_age = tells_order & ~is_named
    youngest = of_person.transform("min")
    # the visit of least age may have a stated time, from which the others' count
    start = months.where(ages == youngest).groupby(people).transform("first").fillna(0.0)
    is_open = months.isna()
    sources = {
        source: people[is_open & rows].nunique()
        for source, rows in {"names": is_named, "whole years": by_age & is_whole}.items()
    }
    months = months.fillna(named.where(is_named))
    months = months.fillna(((ages - youngest) * MONTHS_PER_YEAR + start).where(by_age))
    return months, sources


def _place_baseline(months: pd.Series, ages: pd.Series, people: pd.Series) -> pd.Series:
    """Return the months with 0 for the baseline visit, for which some tables state no time."""
    unstated = months.isna()
    is_alone = unstated.groupby(people).transform("sum") == 1
    is_later = _holds_for_all(unstated | (months > 0), people)
    is_first = ages <= ages.groupby(people).transform("min")
    is_baseline = is_alone & is_later & _holds_for_all(ages.notna(), people) & is_first
    return months.mask(unstated & is_baseline, 0.0)


def _holds_for_all(rows: pd.Series, people: pd.Series) -> pd.Series:
    """Return for each visit whether `rows` holds for all visits of its person."""
    holds: pd.Series = rows.groupby(people).transform("all")
    return holds


def _read_name_or_nan(session: object, pattern: str | None) -> float:
    if pattern is not None and (match := re.search(pattern, str(session))):
        units = {"days": 1 / DAYS_PER_MONTH, "months": 1.0, "years": MONTHS_PER_YEAR}
        return sum(float(value) * units[unit] for unit, value in match.groupdict().items())
    found = read_months_of_name(str(session))
    return np.nan if found is None else found
