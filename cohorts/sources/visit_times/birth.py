"""Dates of birth: they tell ages, and are not kept, since they identify people."""

import re
from typing import Final

import pandas as pd

from cohorts.sources.meaning.covariates import STANDARD
from cohorts.sources.records import Records, join_names
from cohorts.sources.values import is_missing
from cohorts.sources.visit_times.dates import parse_dates
from cohorts.sources.visit_times.times import VISIT_DATE

_DAYS_PER_YEAR: Final = 365.25
_LIVED: Final = (0, 120)
"""Years between which ages lie."""

_NAMES: Final = re.compile(
    r"births?|brth|(pt|patient|subject)?dob(irth)?|yob|bdate|birth(date|day)|(date|day)(of)?birth"
    r"|geburtsdatum|geburtstag|geb|geboortedatum|date(de)?naissance|fecha(de)?nacimiento"
    r"|data(di)?nascita"
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


def take_birth_dates(records: Records) -> None:
    """Leave dates of birth out; compute the ages at visits from them where a source has none.

    That takes one date of birth and a date of the visit, both readable; ages are rounded, so that
    they do not lead back to the day of birth.
    """
    frame = records.frame
    births = [
        str(name)
        for name in frame
        if str(name) not in STANDARD and is_date_of_birth(records.get_source_name(str(name)) or "")
    ]
    if not births:
        return
    own = join_names(records.get_source_name(name) for name in births)
    records.frame = frame.drop(columns=births)
    note = f"Left out, because a date of birth identifies a person: {', '.join(own)}."
    whole = [name for name in births if not _RELATIVES & _split(name)]
    if (
        len(whole) == 1
        and VISIT_DATE in frame
        and not {"age_years", "baseline_age_years"} & {*frame}
    ):
        _compute_ages(records, whole[0], frame[whole[0]])
        if records.frame["age_years"].notna().any():
            note += " Ages are computed from it and the dates of visits."
    records.notes.append(note)


def _compute_ages(records: Records, name: str, births: pd.Series) -> None:
    """Fill `age_years` from dates of birth; a message quotes none, since it goes further."""
    born = parse_dates(births).days
    ages = (records.frame[VISIT_DATE] - born).dt.days / _DAYS_PER_YEAR
    is_sound = ages.between(*_LIVED)
    records.frame = records.frame.assign(age_years=ages.where(is_sound).round(2), _age=ages)
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
        records.report(
            ages.notna() & ~is_sound,
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
