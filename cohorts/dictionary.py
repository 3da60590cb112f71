"""The data dictionary of tables: what each column means, its unit, type, range and key."""

import re
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import pandera.pandas as pa

from cohorts.counting import tally
from cohorts.schema import TABLES
from cohorts.schema.meanings import COVARIATES, MEANINGS, SUFFIXES

_OF_PEOPLE: Final = ("participants", "visits")
_UNTOLD: Final = "as the source of the people names it"

_UNITS: Final = (
    (re.compile(r"(^|_)mm3$"), "mm3"),
    (re.compile(r"(^|_)percent$"), "percent"),
    (re.compile(r"(^|_)years$"), "years"),
    (re.compile(r"(^|_)months($|_)"), "months"),
    (re.compile(r"(^|_)n($|_)"), "people or trials"),
    (re.compile(r"cost(_|$)"), "currency of the protocol"),
)


def describe_tables(frames: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the data dictionary of tables.

    Parameters
    ----------
    frames
        Tables by their names in `cohorts.schema`; others may be among them.

    Returns
    -------
    dict
        Name of each table -> `command` (that fills it), `key` (columns that name a row), `n_rows`,
        `columns`: name -> `meaning`, `unit`, `type`, `values` or `minimum` and `maximum`,
        `may_be_empty`.
    """
    return {name: _describe_table(name, frame) for name, frame in frames.items()}


def format_dictionary(dictionary: Mapping[str, Any]) -> str:
    """Return a data dictionary of `describe_tables` as Markdown."""
    parts = ["# Data dictionary\n"]
    for name, table in dictionary.items():
        parts.append(f"## {name}\n")
        said = [tally(table["n_rows"], "rows")]
        said += [f"filled by `{table['command']}`"] if table["command"] else []
        said += [f"one row for each {', '.join(table['key'])}"] if table["key"] else []
        parts.append("; ".join(said) + ".\n")
        parts.append("| column | meaning | unit | type | values | may be empty |")
        parts.append("|---|---|---|---|---|---|")
        for column, said_of in table["columns"].items():
            cells = [column, said_of["meaning"], said_of["unit"], said_of["type"]]
            cells += [_show_values(said_of), "yes" if said_of["may_be_empty"] else ""]
            parts.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        parts.append("")
    return "\n".join(parts)


def find_meaning(column: str) -> str:
    """Return what a column means; empty where its name alone says it.

    Examples
    --------
    >>> find_meaning("power_mcse")
    'Monte Carlo standard error of power'
    """
    if column in MEANINGS:
        return MEANINGS[column]
    for suffix, words in SUFFIXES.items():
        if column.endswith(suffix):
            return words.format(column.removesuffix(suffix).replace("_", " "))
    return ""


def find_unit(column: str) -> str:
    """Return the unit of a column by its name; empty where it has none."""
    return next((unit for pattern, unit in _UNITS if pattern.search(column)), "")


def _describe_table(name: str, frame: pd.DataFrame) -> dict[str, Any]:
    schema = TABLES.get(name)
    known = schema.columns if schema is not None else {}
    return {
        "command": str((schema.metadata or {})["command"]) if schema is not None else "",
        "key": list(schema.unique or ()) if schema is not None else [],
        "n_rows": len(frame),
        "columns": {
            str(column): _describe_column(
                str(column), frame[column], known.get(column), of_people=name in _OF_PEOPLE
            )
            for column in frame
        },
    }


def _describe_column(
    name: str, values: pd.Series, known: pa.Column | None, *, of_people: bool
) -> dict[str, Any]:
    own = COVARIATES.get(name, _UNTOLD) if of_people and known is None else ""
    said: dict[str, Any] = {
        "meaning": own or find_meaning(name),
        "unit": find_unit(name),
        "type": _name_type(values),
        "may_be_empty": bool(known.nullable) if known is not None else bool(values.isna().any()),
    }
    for check in (known.checks or ()) if known is not None else ():
        stated = check.statistics or {}
        said |= {"minimum": stated["min_value"]} if "min_value" in stated else {}
        said |= {"maximum": stated["max_value"]} if "max_value" in stated else {}
        if "allowed_values" in stated:
            said["values"] = list(stated["allowed_values"])
    return said


def _name_type(values: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(values):
        return "boolean"
    if pd.api.types.is_integer_dtype(values):
        return "integer"
    if pd.api.types.is_float_dtype(values):
        return "number"
    return "time" if pd.api.types.is_datetime64_any_dtype(values) else "text"


def _show_values(said: Mapping[str, Any]) -> str:
    if "values" in said:
        return ", ".join(map(str, said["values"]))
    low, high = said.get("minimum"), said.get("maximum")
    if low is None and high is None:
        return ""
    return f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}".strip()
