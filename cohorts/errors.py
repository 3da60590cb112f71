"""Errors that a user can act on.

The tree::

    TrialsimError                 anything whose message is written for the user
    |-- CohortError               a cohort cannot be read or used as asked
    |   `-- CohortValidationError the data has problems; all of them are listed
    |-- StorageError              a file or a folder cannot be written
    |-- ArgumentError             a call from Python has an argument of the wrong kind
    |-- (brlp_models.errors)      model folders, scans, predictions
    |-- (trialsim.errors)         designs, strategies, simulations
    `-- (reports.errors)          study files, figures, pages

The command line catches `TrialsimError` once, prints its sentences on stderr and exits with 1.
Library users catch the narrowest class that they can do something about.
"""

from collections.abc import Sequence


class TrialsimError(Exception):
    """A problem that the user can mend, told in one sentence each.

    Parameters
    ----------
    *problems
        One sentence a problem: what is wrong, where, what arrived, what would be right.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems: Sequence[str] = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class CohortError(TrialsimError):
    """A cohort cannot be read, written or used as asked."""


class CohortValidationError(CohortError):
    """A cohort was read, and its data has problems; `problems` lists every one."""


class StorageError(TrialsimError):
    """A file or a folder cannot be written: the disk is full, read-only, or not one's own."""


class ArgumentError(TrialsimError, TypeError):
    """A function was called with arguments that it does not take, or of another type."""
