"""The formats that a report is written in."""

from enum import StrEnum
from pathlib import Path
from typing import Self


class ReportFormat(StrEnum):
    """The format of a report; the value is the ending of its file."""

    HTML = "html"
    PDF = "pdf"
    MARKDOWN = "md"

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the format that the ending of `path` names; HTML where it names none."""
        ending = path.suffix.lower().lstrip(".")
        known = {"markdown": "md", **{choice.value: choice.value for choice in cls}}
        return cls(known.get(ending, "html"))
