"""One problem in the data, told so that its owner can find it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """What is wrong, where, what arrived, what would be right.

    Parameters
    ----------
    message
        What arrived, then what would be right.
    participant_id
        Whom it concerns. None where it concerns the whole input, so that leaving people out does
        not mend it.
    file, row, column
        Where it is; rows are counted as a text editor or spreadsheet does (the header is row 1).
    """

    message: str
    participant_id: str | None = None
    file: str | None = None
    row: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        place = [self.file or ""]
        place += [f"row {self.row}"] if self.row is not None else []
        place += [f"column {self.column}"] if self.column is not None else []
        where = ", ".join(part for part in place if part)
        whom = f" (participant {self.participant_id})" if self.participant_id is not None else ""
        return f"{where}: {self.message}{whom}." if where else f"{self.message}{whom}."
