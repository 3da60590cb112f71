"""Numbers as text: units, digits, intervals; a missing value is a dash."""

from collections.abc import Callable, Iterable
from datetime import datetime
from math import ceil, isnan, log10
from typing import Any, Final

import pandas as pd

from cohorts.counting import agree
from cohorts.identifiers import show_plainly
from reports.figures.labels import fraction_label, percent

MISSING: Final = "\u2013"

Format = Callable[[Any], str]


def is_blank(value: Any) -> bool:
    """Say whether there is no value."""
    return (
        value is None
        or value is pd.NaT
        or value is pd.NA
        or (isinstance(value, float) and isnan(value))
    )


def show_text(value: Any, *, limit: int = 200) -> str:
    """Return text on one line, cut to `limit` characters, invisible ones written out."""
    if is_blank(value):
        return MISSING
    # what is written out is never shorter: a sign more than is shown tells that there is more
    line = show_plainly(" ".join(str(value).split())[: limit + 1])
    return line if len(line) <= limit else line[: limit - 1] + "\u2026"


def show_count(value: Any) -> str:
    """Return a whole number: 1234 is `1,234`."""
    return MISSING if is_blank(value) else f"{round(value):,}".replace("-", "\u2212")


def show_size(value: Any) -> str:
    """Return a sample size, rounded up: 50.2 people are `51`."""
    return MISSING if is_blank(value) else f"{ceil(value - 1e-9):,}".replace("-", "\u2212")


def show_tally(value: Any, of: str, form: Format = show_count) -> str:
    """Return a number with what is counted, in the singular where one is shown.

    Examples
    --------
    >>> show_tally(0.6, "people are eligible"), show_tally(0.6, "people", show_size)
    ('1 person is eligible', '1 person')
    """
    shown = form(value)
    return f"{shown} {agree(1 if shown == '1' else 0, of)}"


def show_number(value: Any, *, digits: int = 3) -> str:
    """Return a number with `digits` significant digits and no exponent."""
    if is_blank(value):
        return MISSING
    if value == 0:
        return "0"
    places = max(0, digits - 1 - int(log10(abs(value)) // 1))
    return f"{value:,.{min(places, 8)}f}".replace("-", "\u2212")


def show_decimals(value: Any, *, places: int = 2) -> str:
    """Return a number with `places` decimals, so that those of one column stand under each other.

    Examples
    --------
    >>> show_decimals(0.0079), show_decimals(-0.001), show_decimals(1.3)
    ('0.01', '0.00', '1.30')
    """
    if is_blank(value):
        return MISSING
    # a minus before nothing but zeros would say what is not known
    return f"{round(value, places) + 0.0:,.{places}f}".replace("-", "\u2212")


def show_share(value: Any, *, digits: int = 1) -> str:
    """Return a share as percent: 0.804 is `80.4 %`."""
    return MISSING if is_blank(value) else percent(value, digits).replace("-", "\u2212")


def show_chance(probability: float) -> str:
    """Return a probability known from hundreds of samples: never 0 % or 100 %."""
    if is_blank(probability):
        return show_share(probability)
    if probability <= 0.005:
        return "under 1\u00a0%"
    return "over 99\u00a0%" if probability >= 0.995 else show_share(probability, digits=0)


def show_fraction(value: Any) -> str:
    """Return a fraction enrolled: 0.4 is `40 %`, 0.125 is `12.5 %`."""
    if is_blank(value):
        return MISSING
    return fraction_label(value)


def show_error(value: float, form: Format) -> str:
    """Return a standard error; one that rounds to zero but is not is `<0.1 %`."""
    shown = form(value)
    if value > 0 and not shown.strip("0.\u00a0%"):
        before, _, after = shown.rpartition("0")
        return f"<{before}1{after}"
    return shown


def show_p_value(value: Any) -> str:
    """Return a p-value with three decimals, or `<0.001`."""
    if is_blank(value):
        return MISSING
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def show_mean_people(value: Any) -> str:
    """Return people on average, to a tenth: no size that is rounded up.

    Examples
    --------
    >>> show_mean_people(0.44)
    '0.4'
    """
    return show_decimals(value, places=1)


def show_money(value: Any, currency: str = "") -> str:
    """Return an amount, in millions where it is that large: `EUR 6.31 million`."""
    if is_blank(value):
        return MISSING
    amount = f"{show_number(value / 1e6)}\u00a0million" if abs(value) >= 1e5 else show_count(value)
    return f"{currency} {amount}".strip()


def show_interval(low: Any, high: Any, form: Format) -> str:
    """Return `low to high`, the one form of an interval on a page.

    An end that is missing was not reached: `190 or more`.
    """
    if is_blank(low) and is_blank(high):
        return MISSING
    if is_blank(high):
        return f"{form(low)} or more"
    if is_blank(low):
        return f"up to {form(high)}"
    left, right = form(low), form(high)
    for unit in ("\u00a0%", "\u00a0million"):
        if left.endswith(unit) and right.endswith(unit):
            left = left.removesuffix(unit)
    return f"{left} to {right}"


def money_format(amounts: Iterable[Any], currency: str = "") -> tuple[Format, str]:
    """Return how the amounts of one table are shown, and their one unit in words.

    Examples
    --------
    >>> form, unit = money_format([352_710, 6_310_000], "EUR")
    >>> form(352_710), unit
    ('0.35', 'million EUR')
    """
    largest = max((abs(amount) for amount in amounts if not is_blank(amount)), default=0.0)
    if largest < 1e6:
        return show_count, currency
    return _show_millions, f"million {currency}".strip()


def _show_millions(amount: Any) -> str:
    return MISSING if is_blank(amount) else f"{amount / 1e6:,.2f}".replace("-", "\u2212")


def show_time(value: Any) -> str:
    """Return a moment: `2026-11-23 08:10 UTC`."""
    return MISSING if is_blank(value) else f"{pd.Timestamp(value):%Y-%m-%d %H:%M} UTC"


def show_duration(start: Any, end: Any) -> str:
    """Return the time between two moments: `2 min 5 s`."""
    if is_blank(start) or is_blank(end):
        return MISSING
    seconds = float((pd.Timestamp(end) - pd.Timestamp(start)).total_seconds())
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def show_now(moment: datetime) -> str:
    """Return the time of writing, with its zone."""
    return f"{moment:%Y-%m-%d %H:%M %Z}"
