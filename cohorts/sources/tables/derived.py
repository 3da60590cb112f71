"""Columns that a profile makes of several others: a date of its parts, an age of two years."""

from collections.abc import Collection
from typing import Final

import pandas as pd

from cohorts.sources.profile import Profile
from cohorts.sources.values import parse_numbers
from cohorts.sources.visit_times.dates import write_date

_TIMES: Final = frozenset(
    ("visit_date", "days_from_baseline", "months_from_baseline", "years_from_baseline")
)
_AGES: Final = frozenset(("age_years", "baseline_age_years"))
_YEAR: Final = r"(?<!\d)((?:19|20)\d{2})(?!\d)"


def derive_columns(frame: pd.DataFrame, profile: Profile, known: Collection[str]) -> pd.DataFrame:
    """Return the columns that a profile makes of others, where nothing else tells the same.

    Parameters
    ----------
    frame
        A table with the names of its file, missing values blanked.
    profile
        Its `visit_date` (columns of year, month and day) and `age_from_years` (columns of
        the visit's date and of birth, of which the years count) say what is made.
    known
        Standard names that the table has already.

    Returns
    -------
    DataFrame
        `visit_date` and `age_years` (whole years, at most 1 from the age), those that can be made.

    Examples
    --------
    >>> rule = Profile(age_from_years=("EXAMDATE", "PTDOB"))
    >>> table = pd.DataFrame({"EXAMDATE": ["03/30/2007", None], "PTDOB": ["/1936", "/1940"]})
    >>> derive_columns(table, rule, ())["age_years"].tolist()
    ['71', nan]
    """
    made = pd.DataFrame(index=frame.index)
    if profile.visit_date and set(profile.visit_date) <= set(frame) and not _TIMES & set(known):
        parts = [parse_numbers(frame[name])[0] for name in profile.visit_date]
        told = pd.concat(parts, axis=1).dropna().astype(int)
        # a day that no month has stays in the text, for the reader of dates to tell
        dates = [write_date(*row) for row in told.to_numpy()]
        made["visit_date"] = pd.Series(dates, index=told.index, dtype=object)
    rule = profile.age_from_years
    if rule and set(rule) <= set(frame) and not _AGES & set(known):
        visit, birth = (
            pd.to_numeric(frame[name].astype("str").str.extract(_YEAR)[0]) for name in rule
        )
        years = visit - birth
        made["age_years"] = years.map("{:.0f}".format, na_action="ignore").astype(object)
    return made
