"""Tables of a study as files that other programs read."""

from pathlib import Path
from typing import Final, Literal

import pandas as pd

from reports.store.atomic import write_atomically
from reports.store.study import Study

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def write_study_tables(
    study: Study, folder: Path, *, file_format: Literal["parquet", "csv"] = "parquet"
) -> list[Path]:
    """Write what `study.read` gives for every table, with the runs, into `folder`.

    Returns
    -------
    list of pathlib.Path
        The files written, one a table.

    Raises
    ------
    ReportError
        If the folder cannot be written.
    """
    frames = {name: study.read(name) for name in study.tables()["table_name"]}
    frames["runs"] = study.runs()
    return [write_frame(frame, folder / f"{name}.{file_format}") for name, frame in frames.items()]


def write_frame(frame: pd.DataFrame, path: Path) -> Path:
    """Write `frame` as CSV or Parquet, by the ending of `path`; the old file stays until the end.

    In CSV, text that a spreadsheet would run as a formula gets a leading apostrophe.

    Raises
    ------
    ReportError
        If the place cannot be written, or the disk is full.
    """
    if path.suffix == ".parquet":
        content = frame.to_parquet(index=False)
    else:
        content = neutralize_formulas(frame).to_csv(index=False).encode()
    return write_atomically(path, content)


def neutralize_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with an apostrophe before text that starts like a spreadsheet formula."""
    safe = frame.rename(columns=lambda name: _neutralize(str(name)))
    for name in safe.select_dtypes(["object", "str"]):
        text = safe[name].astype("str")
        safe[name] = safe[name].where(~text.str.startswith(_FORMULA_STARTS), "'" + text)
    return safe


def _neutralize(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA_STARTS) else text
