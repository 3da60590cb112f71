"""A validated screening cohort."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from cohorts.schema import validate_table


@dataclass(frozen=True)
class Cohort:
    """People, their visits, and the volumes measured at each visit.

    Parameters
    ----------
    participants, visits, volumes
        Tables of `cohorts.schema`; checked on construction.
    name
        Shown in reports.
    is_synthetic
        True when any person is simulated; every table, figure and page made from it says so.
    sources
        The files it was read from, for checksums.
    notes
        What was decided while reading: codings that were detected, columns that were left out.
    rejected
        People who were left out by validation: `participant_id`, `problem`.

    Raises
    ------
    CohortValidationError
        Where a table does not fit its schema.
    """

    participants: pd.DataFrame
    visits: pd.DataFrame
    volumes: pd.DataFrame
    name: str = "cohort"
    is_synthetic: bool = False
    sources: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    rejected: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame({"participant_id": [], "problem": []}, dtype=str)
    )

    def __post_init__(self) -> None:
        for table in ("participants", "visits", "volumes"):
            object.__setattr__(self, table, validate_table(getattr(self, table), table))
