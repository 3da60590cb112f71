"""Checks of what a closed form is given; every problem is reported, then one error is raised."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trialsim.analytic.point import MOST_PEOPLE
from trialsim.errors import DesignError

Values = npt.NDArray[np.float64]


class Range(NamedTuple):
    """The values that an argument may take."""

    low: float
    high: float
    includes_low: bool
    includes_high: bool
    words: str

    def holds(self, values: Values) -> npt.NDArray[np.bool_]:
        """Return, for each value, whether it is finite and inside."""
        above = values >= self.low if self.includes_low else values > self.low
        below = values <= self.high if self.includes_high else values < self.high
        return np.isfinite(values) & above & below


COUNT = Range(1, np.inf, True, False, "1 or more")
PEOPLE = Range(
    0, MOST_PEOPLE, False, True, f"greater than 0 and at most {MOST_PEOPLE:g}, as there are people"
)
ANY = Range(-np.inf, np.inf, False, False, "a finite number")
POSITIVE = Range(0, np.inf, False, False, "greater than 0")
NOT_NEGATIVE = Range(0, np.inf, True, False, "0 or more")
OPEN_SHARE = Range(0, 1, False, False, "between 0 and 1, both excluded")
SHARE_FROM_0 = Range(0, 1, True, False, "at least 0 and below 1")
SHARE_TO_1 = Range(0, 1, False, True, "greater than 0 and at most 1")
CORRELATION = Range(-1, 1, False, False, "between -1 and 1, both excluded")

Check = tuple[npt.ArrayLike | None, Range]

_SMALLEST: Final = 1e-15
_LARGEST: Final = 1e15
"""Beyond these, powers and products of two numbers are no longer computed with any digits."""


def find_problems(**checks: Check) -> list[str]:
    """Return one sentence for each argument outside its range; None is always accepted."""
    problems = []
    for name, (value, allowed) in checks.items():
        if value is None:
            continue
        if shown := _find_wrong(value, allowed.holds):
            problems.append(f"{name} must be {allowed.words}, got {shown}.")
        elif shown := _find_extreme(value, allowed):
            problems.append(
                f"{name} must be {allowed.words}, from {_SMALLEST:g} to {_LARGEST:g} in size, got "
                f"{shown}."
            )
    return problems


def find_flag_problems(**flags: npt.ArrayLike) -> list[str]:
    """Return one sentence for each argument that holds a code such as -4 or "no"."""
    return [
        f"{name} must be 0 or 1 (False or True) for everyone, got {shown}."
        for name, values in flags.items()
        if (shown := _find_wrong(values, lambda codes: (codes == 0) | (codes == 1)))
    ]


def find_sides_problems(sides: int) -> list[str]:
    """Return a sentence where a test has neither one side nor two."""
    return [] if sides in (1, 2) else [f"sides must be 1 or 2, got {sides}."]


def raise_problems(problems: list[str]) -> None:
    """Raise one `DesignError` that holds every sentence, if there is any."""
    if problems:
        raise DesignError(*problems)


def _find_wrong(value: npt.ArrayLike, holds: Callable[[Values], npt.NDArray[np.bool_]]) -> str:
    """Return what of a value does not hold, or is no number at all; nothing where all holds."""
    try:
        values = np.ravel(np.asarray(value, dtype=float))
    except (TypeError, ValueError):
        return repr(value)[:60]
    return _show(values[~holds(values)])


def _find_extreme(value: npt.ArrayLike, allowed: Range) -> str:
    """Return what of a value is too small or too large to compute with."""
    values = np.ravel(np.asarray(value, dtype=float))
    # where 0 is allowed, less than the smallest is 0 but for rounding
    smallest = 0.0 if allowed.holds(np.zeros(1)).all() else _SMALLEST
    return _show(values[(np.abs(values) > _LARGEST) | (np.abs(values) < smallest)])


def _show(wrong: Values) -> str:
    shown = ", ".join(f"{number:g}" for number in wrong[:3])
    return shown if wrong.size <= 3 else f"{shown} and {wrong.size - 3} more"
