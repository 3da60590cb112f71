"""How much synthetic scans tell of the course."""

from enum import StrEnum


class Signal(StrEnum):
    """How much the scans of generator 2 tell of the course."""

    STRONG = "strong"
    LITERATURE = "literature"
    NULL = "null"
