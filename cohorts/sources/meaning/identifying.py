"""Columns that identify people, whatever they are called: they are told, and not kept."""

import re
from typing import Final

import pandas as pd

from cohorts.sources.meaning.covariates import list_covariates
from cohorts.sources.records import Records, join_names
from cohorts.sources.values import parse_text

_MONTH: Final = r"(jan|feb|mar|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-z]{0,6}\.?"
_DATE: Final = re.compile(
    # 2024-03-31, 2024/3, 20240331; 31/03/2024, 3-31-24, 31.3.2024; 31MAR2024, Mar 31, 2024
    r"((19|20)\d{2}(?P<a>[-/.])(0?[1-9]|1[0-2])((?P=a)(0?[1-9]|[12]\d|3[01]))?"
    r"|(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d{4}|\d{6})?(\.0)?"
    r"|\d{1,2}(?P<b>[/-])\d{1,2}(?P=b)((19|20)\d{2}|\d{2})|\d{1,2}\.\d{1,2}\.(19|20)\d{2}"
    # two digits each: 7.4.10 is a version
    r"|(0[1-9]|[12]\d|3[01])\.(0[1-9]|1[0-2])\.\d{2}"
    rf"|([a-z]+day,? )?\d{{1,2}}[-. ]{{0,2}}{_MONTH}[-, ]{{0,2}}(\d{{4}}|\d{{2}})"
    rf"|{_MONTH}[- ]?(\d{{1,2}},? )?(19|20)\d{{2}})([T ,].*)?",
    re.IGNORECASE,
)

_GLANCED_AT: Final = 20
_LOOKED_AT: Final = 1000
"""So many values tell whether a column may hold dates, and whether it does."""

_NAMES: Final = re.compile(
    r"((patient|subject|participant|pt|first|last|middle|given|family|full|maiden)*|[flm])names?"
    r"|names?(first|given|family)|(surname|forename|vorname|nachname|geburtsname|pr[eé]nom|nom)"
    r"|(pt|patient)?initials?|(ssn|socialsecurity|medicalrecord|nhs|mrn)(no|number|nr)?"
    r"|(national|hospital|nhs)(id|no|number|nr)"
    r"|(e?mail|emailaddress|(tele|mobile|cell|home)?phone(no|number|nr)?|mobile|telephone)"
    r"|((home|street|postal)?addr(ess)?|street|zip(code)?|post(al)?code|plz|passport(no|number)?)"
)
"""By the whole name, joined."""

_WORDS: Final = frozenset(
    {"phone", "telephone", "email", "surname", "forename", "mrn", "ssn", "initials", "inits"}
)
"""By one word beside any others, as in `contact_email`."""


def leave_out_identifying(records: Records) -> None:
    """Leave out covariates that are dates, or names, numbers and addresses of people.

    A date beside the visit's own tells no strategy anything that holds for other people, and with
    an age it leads back to one person. What is mapped to a name of one's own is kept unless it is
    of dates.
    """
    frame = records.frame
    stated = {new for new, old in records.column_names.items() if new != old}
    names = list_covariates(frame)
    dated = [name for name in names if _holds_dates(frame[name])]
    named = [
        name for name in names if name not in dated and name not in stated and _is_named_so(name)
    ]
    for found, what in ((dated, "dates identify"), (named, "they identify")):
        if found:
            own = join_names(records.get_source_name(name) for name in found)
            records.notes.append(f"Left out, because {what} people: {', '.join(own)}.")
    records.frame = frame.drop(columns=[*dated, *named])


def _is_named_so(name: str) -> bool:
    words = re.findall(r"[a-zà-ÿ]+", name.lower())
    return not _WORDS.isdisjoint(words) or _NAMES.fullmatch("".join(words)) is not None


def _holds_dates(values: pd.Series) -> bool:
    """Return whether most values of a column are dates, in whatever form."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return True
    known = values.dropna()
    if not any(_are_dates(known.iloc[:_GLANCED_AT])):
        return False
    dates = _are_dates(known.iloc[:_LOOKED_AT])
    return 2 * sum(dates) > len(dates)


def _are_dates(values: pd.Series) -> list[bool]:
    kinds = parse_text(values.drop_duplicates()).dropna()
    return [_DATE.fullmatch(kind) is not None for kind in kinds]
