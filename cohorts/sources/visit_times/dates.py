"""Dates as tables write them: the year first, or the day or the month where the column tells."""

import re
from dataclasses import dataclass
from typing import Final

import pandas as pd

from cohorts.sources.values import parse_text

_WHOLE_DATE: Final = r"\d{4}-?\d{2}-?\d{2}([T ].*)?"
_YEAR_FIRST: Final = r"^\d{4}(?P<s>[-/.])(?P<second>\d{1,2})(?P=s)(?P<third>\d{1,2})([T ].*)?$"
_LOCAL_DATE: Final = r"^(\d{1,2})([/.-])(\d{1,2})\2(\d{4})$"
_TELLING: Final = (
    r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})(?P<time>[T ].*)?",
    r"(?P<d>\d{1,2})(?P<s>[- ]?)(?P<m>[a-zä]{3,9})(?P=s)(?P<y>\d{4})(?P<time>[T :].*)?",
    r"(?P<m>[a-zä]{3,9}) (?P<d>\d{1,2}),? (?P<y>\d{4})(?P<time>[T ].*)?",
)
"""Forms whose order nobody mistakes: 2011/9/1, 01SEP2011, 1-Sep-2011, Sep 1, 2011."""

_SLIPS: Final = 1 / 20
"""Share of dates with the day before the month up to which they are slips in single rows."""

_NAMES: Final = (
    ("january", "januar"),
    ("february", "februar"),
    ("march", "märz", "maerz"),
    ("april",),
    ("may", "mai"),
    ("june", "juni"),
    ("july", "juli"),
    ("august",),
    ("september",),
    ("october", "oktober"),
    ("november",),
    ("december", "dezember"),
)
_MONTHS: Final = {
    spelled: f"{number:02d}"
    for number, names in enumerate(_NAMES, start=1)
    for spelled in (
        f"{number}",
        f"{number:02d}",
        *(name[:length] for name in names for length in range(3, len(name) + 1)),
    )
}
"""A month's number by its name, whole or cut after three letters or more."""


@dataclass(frozen=True)
class Dates:
    """A column of dates.

    Parameters
    ----------
    days
        The dates; NaT where there is none, and where a value is none.
    first
        Whether the `day` or the `month` comes first; None for ISO dates.
    example
        The first value.
    fault
        Why no value of the column can be read; None where some can.
    """

    days: pd.Series
    first: str | None = None
    example: str = ""
    fault: str | None = None


def parse_dates(values: pd.Series) -> Dates:
    """Read a column of dates.

    A day above 12 somewhere tells the order, as dots do; where nothing tells it, months would be
    off by up to a year, and where the column contradicts itself, some are.

    Parameters
    ----------
    values
        Text such as 2024-03-31, with or without a time and its zone, 2024/03/31, 31MAR2024, or
        31/03/2024.

    Examples
    --------
    >>> parse_dates(pd.Series(["15/03/2020", None])).first
    'day'
    >>> parse_dates(pd.Series(["03/04/2020", "05/06/2021"])).fault
    "dates are like '03/04/2020', and day and month cannot be told apart, as none is above 12"
    """
    written = parse_text(values)
    text = _spell_out(written)
    whole = text.where(text.str.fullmatch(_WHOLE_DATE).fillna(False).astype(bool))
    days = pd.to_datetime(whole, errors="coerce", format="ISO8601", utc=True)
    if (swapped := _find_day_second(written, days.notna())) is not None:
        fault = f"dates are like {swapped!r}, with the day before the month"
        nothing = pd.Series(pd.NaT, index=days.index, dtype=days.dtype)
        return Dates(nothing, example=swapped, fault=fault)
    given = text.dropna()
    if given.empty or whole.notna().any():
        return Dates(days)
    example = str(given.iloc[0])
    parts = text.str.extract(_LOCAL_DATE)
    is_local = parts[0].notna()
    if not is_local.any():
        fault = f"none of {len(given)} values is a date like 2024-03-31, the first is {example!r}"
        # the only value is a problem of its row
        return Dates(days, example=example, fault=fault if len(given) > 1 else None)
    separators = parts[1].dropna().drop_duplicates()
    if len(separators) > 1:
        kinds = " and some like ".join(repr(str(text[row])) for row in separators.index)
        return Dates(
            days, example=example, fault=f"dates are some like {kinds}, from several conventions"
        )
    first, second, year = (pd.to_numeric(parts[place]) for place in (0, 2, 3))
    # 45/04/2020 is no date in either order
    is_day_first = bool(first.between(13, 31).any() or separators.iloc[0] == ".")
    is_month_first = bool(second.between(13, 31).any())
    if is_day_first == is_month_first:
        why = "in some the day comes first, in some the month"
        if not is_day_first:
            why = "day and month cannot be told apart, as none is above 12"
        return Dates(days, example=example, fault=f"dates are like {example!r}, and {why}")
    day, month = (first, second) if is_day_first else (second, first)
    days = pd.to_datetime(
        pd.DataFrame({"year": year, "month": month, "day": day}), errors="coerce", utc=True
    )
    return Dates(days, "day" if is_day_first else "month", example)


def write_date(year: int, month: int, day: int) -> str:
    """Return a date whose order `parse_dates` knows; of no month's number 2011-13-04.

    Examples
    --------
    >>> write_date(2011, 3, 4)
    '04mar2011'
    """
    if month not in range(1, len(_NAMES) + 1):
        return f"{year}-{month:02d}-{day:02d}"
    return f"{day:02d}{_NAMES[month - 1][0][:3]}{year}"


def _find_day_second(written: "pd.Series[str]", is_read: "pd.Series[bool]") -> str | None:
    """Return a date like 2024-31-03 where such are no slips: of others the order is not known.

    Parameters
    ----------
    written
        The values.
    is_read
        Which are dates with the year first, or with the name of the month.
    """
    compact = r"^(\d{4})(\d{2})(\d{2})(?=$|[T ])"
    found = written.str.replace(compact, r"\1-\2-\3", regex=True).str.extract(_YEAR_FIRST)
    second, third = (pd.to_numeric(found[name]) for name in ("second", "third"))
    swapped = second.between(13, 31) & third.between(1, 12)
    n, n_right = int(swapped.sum()), int((is_read & ~third.between(1, 12)).sum())
    if n == 0 or (n_right and (n == 1 or n <= _SLIPS * (n + n_right))):
        return None
    return str(written[swapped].iloc[0])


def _spell_out(given: "pd.Series[str]") -> "pd.Series[str]":
    """Return dates that tell their order by themselves as 2024-03-31, and all else as it is."""
    # by place: two tables that were put together may count their rows alike
    text = given.reset_index(drop=True)
    others = text[~text.str.fullmatch(_WHOLE_DATE).fillna(True).astype(bool)]
    for form in _TELLING:
        parts = others.str.extract(f"^{form}$", flags=re.IGNORECASE)
        month, day = parts["m"].str.lower().map(_MONTHS), parts["d"].str.zfill(2)
        time = parts["time"].str.replace("^:", "T", regex=True).fillna("")
        text.update(parts["y"] + "-" + month + "-" + day + time)
    return text.set_axis(given.index)
