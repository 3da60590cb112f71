"""Tables as files that other programs read."""

from pathlib import Path
from typing import Final

import pandas as pd

from cohorts.files.atomic import write_file

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
        content = frame.to_parquet(index=False)
    else:
        content = neutralize_formulas(frame).to_csv(index=False).encode()
    return write_file(path, content)


def neutralize_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with an apostrophe before text that starts like a spreadsheet formula."""
    safe = frame.rename(columns=lambda name: _neutralize(str(name)))
    for name in safe.select_dtypes(["object", "str"]):
        text = safe[name].astype("str")
        safe[name] = safe[name].where(~text.str.startswith(_FORMULA_STARTS), "'" + text)
    return safe


def _neutralize(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA_STARTS) else text
