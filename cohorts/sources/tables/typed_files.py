"""Tables of other programs whose cells have types: Parquet, SAS, SPSS, Stata, Excel.

SAS, SPSS and Stata are read by pyreadstat, Excel by openpyxl (the extra `tables`). A workbook goes
through the same checks as a text table: each row has as many cells as the header, none is lost.
"""

import datetime
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

import pandas as pd
import pyarrow
import pyarrow.parquet

from cohorts.errors import CohortError
from cohorts.sources.records import join_names
from cohorts.sources.tables.text import Row, build_text_table

_LARGEST_WORKBOOK_GB: Final = 1.0
"""What an Excel file, which is packed, may unpack to."""


def read_typed_file(path: Path) -> pd.DataFrame:
    """Return a table of another program; its index are the numbers of its rows.

    Parameters
    ----------
    path
        Ends in one of `TYPED_SUFFIXES`.

    Returns
    -------
    DataFrame
        Numbers, or text in columns of type str or object; times as text (ISO 8601). A value with a
        label is the label where every value of the column has one (SAS formats are not among them,
        they lie in a file of their own).

    Raises
    ------
    CohortError
        Where the file cannot be read, or names a column twice.
    ModuleNotFoundError
        Where the package that reads it is not installed.
    """
    return _READERS[path.suffix.lower()](path)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        schema = pyarrow.parquet.read_schema(path)
        _refuse_repeated(schema.names, path)
        _refuse_nested(schema, path)
        frame = pd.read_parquet(path)
    except (OSError, ValueError, TypeError, KeyError, pyarrow.ArrowException) as error:
        raise CohortError(f"{path.name} could not be read as Parquet: {error}.") from error
    named = [str(name) for name in frame.index.names if name is not None]
    if named or not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    return _finish(frame, path, first_row=1)


def _refuse_nested(schema: pyarrow.Schema, path: Path) -> None:
    """Refuse columns of lists, structs and maps: no cell of a table of people holds several."""
    nested = [f"{one.name}: {one.type}" for one in schema if pyarrow.types.is_nested(one.type)]
    if nested:
        raise CohortError(
            f"{path.name} holds several values in a cell ({', '.join(join_names(nested))}): write "
            "the table with one number or text in each cell, or without these columns."
        )


def _read_statistics(path: Path) -> pd.DataFrame:
    import pyreadstat

    readers: dict[str, Any] = {
        ".sas7bdat": pyreadstat.read_sas7bdat,
        ".xpt": pyreadstat.read_xport,
        ".sav": pyreadstat.read_sav,
        ".zsav": pyreadstat.read_sav,
        ".por": pyreadstat.read_por,
        ".dta": pyreadstat.read_dta,
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame, meta = readers[path.suffix.lower()](str(path))
    # pyreadstat raises a kind of its own for what the C library refuses, others for odd dates
    except Exception as error:
        raise CohortError(
            f"{path.name} could not be read as {_PROGRAMS[path.suffix.lower()]}: {error}."
        ) from error
    for name, labels in meta.variable_value_labels.items():
        known = frame[name].dropna()
        if len(known) and known.isin(list(labels)).all():
            frame[name] = frame[name].map(labels).astype(object)
    return _finish(frame, path, first_row=1)


def _read_excel(path: Path) -> pd.DataFrame:
    import openpyxl

    try:
        _check_workbook(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            sheets = {sheet.title: _list_rows(sheet) for sheet in book.worksheets}
            book.close()
    except CohortError:
        raise
    except BadZipFile as error:
        raise CohortError(
            f"{path.name} is no Excel workbook (.xlsx); save it as one, or as CSV."
        ) from error
    # openpyxl raises a dozen kinds on damaged workbooks
    except Exception as error:
        raise CohortError(f"{path.name} could not be read as Excel: {error}.") from error
    filled = {title: rows for title, rows in sheets.items() if rows}
    if len(filled) > 1:
        raise CohortError(
            f"{path.name} has several sheets with content ({', '.join(join_names(filled))}): save "
            "the one with the people as a file of its own."
        )
    return build_text_table(path, next(iter(filled.values()), []))


def _check_workbook(path: Path) -> None:
    """Refuse a workbook that unpacks beyond the bound, or whose formulas have no saved results."""
    with ZipFile(path) as packed:
        size_gb = sum(one.file_size for one in packed.infolist()) / 1e9
        if size_gb > _LARGEST_WORKBOOK_GB:
            raise CohortError(
                f"{path.name} unpacks to {size_gb:.3g} GB, at most {_LARGEST_WORKBOOK_GB:g} GB are "
                "read: save it as CSV."
            )
        for name in packed.namelist():
            if name.startswith("xl/worksheets/") and _UNSAVED.search(packed.read(name)):
                raise CohortError(
                    f"{path.name} has formulas without saved results: open and save it in a "
                    "spreadsheet program, or save it as CSV."
                )


_UNSAVED: Final = re.compile(rb"</f>\s*(<v\s*/>|<v></v>)?\s*</c>")


def _list_rows(sheet: Any) -> list[Row]:
    """Return the rows of a sheet that have anything in them, as text, with their numbers."""
    rows = []
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        texts = [_show_cell(cell) for cell in cells]
        while texts and not texts[-1]:
            texts.pop()
        if texts:
            rows.append((number, texts))
    width = len(rows[0][1]) if rows else 0
    return [(number, texts + [""] * (width - len(texts))) for number, texts in rows]


def _show_cell(cell: object) -> str:
    """Return what a cell says: numbers without `.0`, times as ISO 8601."""
    match cell:
        case None:
            return ""
        case bool():
            return str(int(cell))
        case float():
            return f"{cell:.15g}"
        case datetime.datetime() if cell.time() == datetime.time():
            return cell.date().isoformat()
        case datetime.datetime() | datetime.date():
            return cell.isoformat()
        case _:
            return str(cell).strip()


def _finish(frame: pd.DataFrame, path: Path, *, first_row: int) -> pd.DataFrame:
    frame.columns = [str(name).strip() for name in frame.columns]
    _refuse_repeated(frame.columns, path)
    frame.index = pd.RangeIndex(first_row, len(frame) + first_row)
    return pd.concat([_simplify(frame[name]) for name in frame], axis=1)


def _refuse_repeated(names: Iterable[str], path: Path) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise CohortError(f"{path.name} names columns twice: {', '.join(join_names(twice))}.")


def _simplify(column: pd.Series) -> pd.Series:
    """Return a column of a typed table as numbers or text."""
    if pd.api.types.is_bool_dtype(column):
        return column.astype("float")
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.map(lambda time: time.isoformat(), na_action="ignore").astype(object)
    if pd.api.types.is_numeric_dtype(column):
        return column
    if pd.api.types.infer_dtype(column, skipna=True) in ("string", "empty"):
        return column.astype("str")
    return column.map(_show_date, na_action="ignore").astype(object)


def _show_date(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime.date) else value


_PROGRAMS: Final = {
    ".sas7bdat": "SAS",
    ".xpt": "SAS transport",
    ".sav": "SPSS",
    ".zsav": "SPSS",
    ".por": "SPSS portable",
    ".dta": "Stata",
}

_READERS: Final[dict[str, Callable[[Path], pd.DataFrame]]] = {
    ".parquet": _read_parquet,
    ".xlsx": _read_excel,
    ".xlsm": _read_excel,
    **dict.fromkeys(_PROGRAMS, _read_statistics),
}

TYPED_SUFFIXES: Final = tuple(_READERS)
