"""Dates of birth: they tell ages, and are not kept, since they identify people."""

import re
from typing import Final

import pandas as pd

from cohorts.sources.meaning.covariates import STANDARD
from cohorts.sources.records import Records, join_names
from cohorts.sources.values import is_missing
from cohorts.sources.visit_times.dates import parse_dates
from cohorts.sources.visit_times.times import DAYS_PER_MONTH, LONGEST_MONTHS, VISIT_DATE

_DAYS_PER_YEAR: Final = 365.25
_LIVED: Final = (0, 120)
"""Years between which ages lie."""

_FIRST_DAYS: Final = pd.to_datetime(["1899-12-30", "1899-12-31", "1900-01-01"], utc=True)
"""From which spreadsheets and databases count days: what they write where no date is known."""

_NAMES: Final = re.compile(
    r"births?|brth|(pt|patient|subject)?dob(irth)?|yob|bdate|birth(date|day)|(date|day)(of)?birth"
    r"|geburtsdatum|geburtstag|geb|geboortedatum|date(de)?naissance|fecha(de)?nacimiento"
    r"|data(di)?nascita"
    # of the year, whose letters with accents are left out
    r"|geburtsjahr|annee?(de)?naissance|an?o(de)?nacimiento"
)
"""A date of birth by its whole name, joined."""

_WORDS: Final = re.compile(
    r"yob|bdate|dob(month|mon?|year|yr)?|(birth|brth)(date?|day|dtc?|dat|month|mon?|year|yr)"
)
_BIRTH: Final = frozenset({"birth", "brth", "born", "geb", "geburt", "geburts", "naissance"})
_PART: Final = re.compile(r"date?(time)?|datum|day|tag|dtc?|months?|mon?|years?|yr")
"""A date of birth, or a part of one, by one word of its name or by two of them."""

_RELATIVES: Final = frozenset(
    {"mother", "father", "parent", "child", "partner", "spouse", "informant", "caregiver", "carer"}
)


def take_birth_dates(records: Records) -> bool:
    """Leave dates of birth out; compute the ages at visits from them where a source has none.

    That takes one date of birth and a date of the visit, both readable; ages are rounded, so that
    they do not lead back to the day of birth. Returns whether the ages are computed.
    """
    frame = records.frame
    births = [
        str(name)
        for name in frame
        if str(name) not in STANDARD and is_date_of_birth(records.get_source_name(str(name)) or "")
    ]
    if not births:
        return False
    own = join_names(records.get_source_name(name) for name in births)
    records.frame = frame.drop(columns=births)
    note = f"Left out, because a date of birth identifies a person: {', '.join(own)}."
    whole = [name for name in births if not _RELATIVES & _split(name)]
    is_computed = (
        len(whole) == 1
        and VISIT_DATE in frame
        and not {"age_years", "baseline_age_years"} & {*frame}
    )
    if is_computed:
        _compute_ages(records, whole[0], frame[whole[0]])
        if records.frame["age_years"].notna().any():
            note += " Ages are computed from it and the dates of visits."
    records.notes.append(note)
    return is_computed


def _compute_ages(records: Records, name: str, births: pd.Series) -> None:
    """Fill `age_years` from dates of birth; a message quotes none, since it goes further."""
    people, dates = records.frame["participant_id"], records.frame[VISIT_DATE]
    born = parse_dates(births).days
    ages = (dates - born).dt.days / _DAYS_PER_YEAR
    is_none = born.isin(_FIRST_DAYS)
    is_unsound = is_none | (ages.notna() & ~ages.between(*_LIVED))
    # of dates of visits so far apart one is wrong, which is told where times are settled
    by_person = dates.groupby(people)
    passed = by_person.transform("max") - by_person.transform("min")
    is_wrong = is_unsound & ~(passed.dt.days / DAYS_PER_MONTH > LONGEST_MONTHS)
    is_left_out = is_unsound | people.isin(people[is_wrong])
    records.frame = records.frame.assign(age_years=ages.mask(is_left_out).round(2), _age=ages)
    records.column_names["age_years"] = str(records.get_source_name(name))
    if born.isna().all() or records.frame[VISIT_DATE].isna().all():
        column, what = (name, "birth") if born.isna().all() else ("visit_date", "visits")
        records.report_all(
            column,
            f"dates of {what} tell no ages: dates like 2024-03-31 are expected, or ones that "
            "tell day and month apart",
        )
    else:
        unread = born.isna().to_numpy() & ~is_missing(births)
        records.report(unread, name, "this date of birth is none like 2024-03-31, as others are")
        is_first = people.index.isin(people[is_wrong].drop_duplicates().index)
        records.report(
            is_first & is_none,
            name,
            "this date of birth is the day from which spreadsheets and databases count, nothing is "
            "expected where it is not known (--missing declares codes)",
        )
        records.report(
            is_first & ~is_none,
            name,
            "this date of birth makes an age of {_age:.1f} years, 0 to 120 are expected, and "
            "nothing where it is not known (--missing declares codes)",
        )
    records.frame = records.frame.drop(columns="_age")


def is_date_of_birth(name: str) -> bool:
    """Return whether a column is named as a date of birth, or as a part of one.

    Examples
    --------
    >>> [is_date_of_birth(name) for name in ("BRTHDTC", "patient_birth_date", "DOB (dd/mm/yyyy)")]
    [True, True, True]
    >>> [is_date_of_birth(name) for name in ("BIRTHYR", "birth_weight", "place_of_birth")]
    [True, False, False]
    """
    if _NAMES.fullmatch(re.sub(r"[^a-z]", "", name.lower())):
        return True
    words = _split(name)
    return any(map(_WORDS.fullmatch, words)) or (
        bool(words & _BIRTH) and any(map(_PART.fullmatch, words))
    )


def _split(name: str) -> set[str]:
    """Return the words of a name: `DateOfBirth_D` has date, of, birth and d."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    return set(re.split(r"[^a-zà-ÿ]+", apart))
