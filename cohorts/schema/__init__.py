"""The columns of every table that passes between rooms, with their types, ranges and keys.

A number with a unit carries it in its name. Tables may hold further columns (covariates, site);
the columns written here are the ones that other rooms rely on.
"""

from collections.abc import Hashable, Mapping
from contextlib import suppress
from copy import copy
from typing import Any, Final

import pandas as pd
import pandera.errors
import pandera.pandas as pa

from cohorts.errors import CohortValidationError
from cohorts.keys import has_repeated
from cohorts.schema.fitting import coerce_table
from cohorts.schema.looks import LOOKS_TABLES
from cohorts.schema.names import (
    BRAIN,
    BREAK_EVEN,
    CONTEXT_REGIONS,
    DIAGNOSES,
    HEAD_SIZE,
    IMAGE_KINDS,
    REPORTED_REGIONS,
    SEXES,
    SIDES,
    join_sides,
    order_diagnoses,
)
from cohorts.schema.people import PEOPLE_TABLES
from cohorts.schema.predictions import PREDICTIONS_TABLES
from cohorts.schema.selection import SELECTION_TABLES
from cohorts.schema.sizes import SIZES_TABLES
from cohorts.schema.trials import TRIALS_TABLES

__all__ = [
    "BRAIN",
    "BREAK_EVEN",
    "CONTEXT_REGIONS",
    "DIAGNOSES",
    "HEAD_SIZE",
    "IMAGE_KINDS",
    "REPORTED_REGIONS",
    "SEXES",
    "SIDES",
    "TABLES",
    "find_command",
    "join_sides",
    "order_diagnoses",
    "validate_table",
]

TABLES: Final[dict[str, pa.DataFrameSchema]] = {
    schema.name: schema
    for group in (
        PEOPLE_TABLES,
        PREDICTIONS_TABLES,
        SELECTION_TABLES,
        SIZES_TABLES,
        LOOKS_TABLES,
        TRIALS_TABLES,
    )
    for schema in group
}
"""Every table that passes between rooms, by name."""

_WITHOUT_KEY: Final = {name: copy(schema) for name, schema in TABLES.items()}
for _schema in _WITHOUT_KEY.values():
    _schema.unique = None


def find_command(table: str) -> str:
    """Return the command that fills a table of `TABLES` first."""
    return str((TABLES[table].metadata or {})["command"])


def validate_table(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return `frame` with the types of `table`, or say everything that is wrong with it.

    Parameters
    ----------
    frame
        The table to check.
    table
        A name in `TABLES`.

    Raises
    ------
    CohortValidationError
        One sentence for each missing column, wrong type, value out of range and repeated key.
    """
    # keys are looked at apart, which takes half the time; the whole schema tells what is wrong
    with suppress(pandera.errors.SchemaErrors):
        found = coerce_table(frame, _WITHOUT_KEY[table])
        if not has_repeated(found, TABLES[table].unique or []):
            return found
    try:
        return TABLES[table].validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        raise CohortValidationError(*_sentences(table, error.failure_cases)) from error


def _sentences(table: str, failures: pd.DataFrame) -> list[str]:
    return [
        f"Table {table}, {_place(row)}: {row['check']}, got {row['failure_case']!r}."
        for row in failures.to_dict("records")
    ]


def _place(row: Mapping[Hashable, Any]) -> str:
    where = f"column {row['column']}" if row["column"] is not None else "columns"
    return where if pd.isna(row["index"]) else f"{where}, row {row['index']}"
