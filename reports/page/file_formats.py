"""The formats that a report is written in."""

from enum import StrEnum
from pathlib import Path
from typing import Self

from reports.errors import ReportError


class ReportFormat(StrEnum):
    """The format of a report; the value is the ending of its file."""

    HTML = "html"
    PDF = "pdf"
    MARKDOWN = "md"
    JSON = "json"
    RTF = "rtf"
    WORD = "docx"

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the format that the ending of `path` names; HTML where it has no ending.

        Raises
        ------
        ReportError
            If no report is written with that ending.
        """
        ending = path.suffix.lower().lstrip(".")
        known = {"": "html", "htm": "html", "markdown": "md"}
        known |= {choice.value: choice.value for choice in cls}
        if ending not in known:
            listed = ", ".join(f".{choice.value}" for choice in cls)
            raise ReportError(
                f"No report is written as .{ending} ({path.name}): end the name with one of "
                f"{listed}, or choose with --format."
            )
        return cls(known[ending])
