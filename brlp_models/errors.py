"""Errors of this room; the whole tree is drawn in `cohorts.errors`."""

from pydantic import ValidationError

from cohorts.errors import TrialsimError
from cohorts.identifiers import show_plainly


class ModelError(TrialsimError):
    """A model folder, a scan or a prediction cannot be used as asked."""


class ScanError(ModelError):
    """A scan or its segmentation cannot be read, or cannot be what it is said to be."""


class OutOfMemoryError(ModelError):
    """Memory does not suffice for one draw at a time, so nobody else can be predicted either."""


def list_wrong_values(error: ValidationError) -> list[tuple[str, str]]:
    """Return the dotted key (empty for the whole) and what is wrong with it, of each problem."""
    return [
        (
            show_plainly(".".join(map(str, found["loc"]))).replace("\n", r"\n"),
            str(found["msg"]).removeprefix("Value error, "),
        )
        for found in error.errors()
    ]
