"""Tables as files that other programs read."""

from pathlib import Path
from typing import Final

import pandas as pd

from cohorts.files.atomic import write_file_with

_ROWS: Final = 50_000
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    """Write `frame` as CSV or Parquet, by the ending of `path`; the old file stays until the end.

    In CSV, text that a spreadsheet would run as a formula gets a leading apostrophe.

    Raises
    ------
    StorageError
        If the place cannot be written, or the disk is full.
    """
    if path.suffix == ".parquet":
        return write_file_with(path, lambda partial: frame.to_parquet(partial, index=False))
    return write_file_with(path, lambda partial: _write_csv(frame, partial))


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write some rows after the others: text of all of them takes many times their memory."""
    with path.open("w", encoding="utf-8", newline="") as file:
        for start in range(0, max(len(frame), 1), _ROWS):
            rows = neutralize_formulas(frame.iloc[start : start + _ROWS])
            rows.to_csv(file, index=False, header=start == 0)


def neutralize_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with an apostrophe before text that starts like a spreadsheet formula."""
    safe = frame.rename(columns=lambda name: _neutralize(str(name)))
    for name in safe.select_dtypes(["object", "str"]):
        text = safe[name].astype("str")
        safe[name] = safe[name].where(~text.str.startswith(_FORMULA_STARTS), "'" + text)
    return safe


def _neutralize(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA_STARTS) else text
