"""The units of a trial's outcome."""

from collections.abc import Mapping
from typing import Final, Literal

Unit = Literal["mm3", "log_percent"]
"""mm3, or 100 x the natural logarithm of the volume: a difference of 1 is 1 % of it."""

UNITS: Final = ("mm3", "log_percent")

RENAMED_UNITS: Final[Mapping[str, str]] = {"percent": "log_percent"}
"""Units of earlier versions with their names now; a fast progressor's decline alone is in percent
(of the volume at baseline)."""


def find_unit_problems(unit: object) -> list[str]:
    """Return a sentence where a trial's outcome cannot be in `unit`."""
    if unit in UNITS:
        return []
    if unit in RENAMED_UNITS:
        return [
            f'unit "{unit}" is "{RENAMED_UNITS[str(unit)]}" now (100 ln volume): "{unit}" is of '
            "the volume at baseline, and only says who is a fast progressor."
        ]
    return [f"unit must be one of {', '.join(UNITS)}, got {unit!r}."]
