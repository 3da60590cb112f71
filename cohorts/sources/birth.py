"""Dates of birth: they tell ages, and are not kept, since they identify people."""

import re
from typing import Final

from cohorts.sources.dates import parse_dates
from cohorts.sources.records import Records, join_names
from cohorts.sources.times import VISIT_DATE

_DAYS_PER_YEAR: Final = 365.25
_NAMES: Final = re.compile(
    r"birth|(date|day)(of)?birth|birth(date|day)|(pt|patient|subject)?dob(irth)?"
    r"|geburtsdatum|date(de)?naissance|fecha(de)?nacimiento|data(di)?nascita"
)


def take_birth_dates(records: Records) -> None:
    """Leave dates of birth out; compute the ages at visits from them where a source has none.

    That takes one date of birth and a date of the visit, both readable; ages are rounded, so that
    they do not lead back to the day of birth.
    """
    frame = records.frame
    births = [str(name) for name in frame if _is_date_of_birth(str(name))]
    if not births:
        return
    own = join_names(records.get_source_name(name) for name in births)
    records.frame = frame.drop(columns=births)
    note = f"Left out, because a date of birth identifies a person: {', '.join(own)}."
    if (
        len(births) == 1
        and VISIT_DATE in frame
        and not {"age_years", "baseline_age_years"} & {*frame}
    ):
        ages = (frame[VISIT_DATE] - parse_dates(frame[births[0]]).days).dt.days / _DAYS_PER_YEAR
        if ages.notna().any():
            records.frame = records.frame.assign(age_years=ages.round(2))
            records.column_names["age_years"] = own[0]
            note += " Ages are computed from it and the dates of visits."
    records.notes.append(note)


def _is_date_of_birth(name: str) -> bool:
    return _NAMES.fullmatch(re.sub(r"[^a-z]", "", name.lower())) is not None
