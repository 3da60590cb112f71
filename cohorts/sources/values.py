"""What a cell says: a number, a word, or nothing."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cohorts.keys import as_text

MISSING_SPELLINGS: Final = frozenset(
    {"", "n/a", "na", "n.a.", "nan", "null", "none", ".", "-", "--", "–", "—", "<na>", "#n/a"}
)
"""How tables write a missing value, in lower case."""

_NOTHING: Final = pa.array([*sorted(MISSING_SPELLINGS), None], pa.large_string())

USUAL_MISSING_CODES: Final = frozenset(
    {-1, -4, -7, -8, -9, -88, -99, -888, -999, -9999, 888, 999, 8888, 9999, 88888, 99999}
)
"""Numbers that tables often write for a missing value (ADNI and AIBL -4, NACC -4 and 888...)."""

_FEW_ROWS: Final = 10_000
"""Up to here, a block of columns is parsed at once."""

_FAR: Final = 5.0
"""How many times the largest other value a positive code is, to be told from a measurement."""


def is_missing(values: pd.Series) -> npt.NDArray[np.bool_]:
    """Return where a column has no value."""
    if pd.api.types.is_numeric_dtype(values):
        return values.isna().to_numpy(dtype=bool)
    if pd.api.types.infer_dtype(values, skipna=True) in ("string", "empty"):
        # by Arrow itself: a table has many columns, of which pandas asks each for milliseconds
        plain = pc.utf8_lower(pc.utf8_trim_whitespace(as_text(values)))
        return np.asarray(pc.is_in(plain, value_set=_NOTHING))
    return np.array([says_nothing(value) for value in values], dtype=bool)


def parse_numbers(values: pd.Series) -> tuple[pd.Series, npt.NDArray[np.bool_]]:
    """Return a column as floats (NaN for gaps), with a mask of the values that are no number."""
    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float), np.zeros(len(values), dtype=bool)
    numbers = np.asarray(pd.to_numeric(values.to_numpy(dtype=object), errors="coerce"), dtype=float)
    wrong = np.isnan(numbers)
    if wrong.any():
        wrong &= ~is_missing(values)
    return pd.Series(numbers, index=values.index), wrong


def parse_block(values: pd.DataFrame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return columns as floats, with a mask of what is no number; see `parse_numbers`."""
    if len(values) > _FEW_ROWS:
        parsed = [_parse_column(values[name]) for name in values]
        numbers, wrong = (np.stack(parts, axis=1) for parts in zip(*parsed, strict=True))
        return numbers, wrong
    cells = values.to_numpy(dtype=object)
    numbers = np.asarray(pd.to_numeric(cells.ravel(), errors="coerce"), dtype=float)
    numbers = numbers.reshape(cells.shape)
    wrong = np.isnan(numbers)
    wrong[wrong] = [not says_nothing(cell) for cell in cells[wrong]]
    return numbers, wrong


def _parse_column(
    values: pd.Series,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Parse a long column: each distinct text once."""
    if pd.api.types.infer_dtype(values, skipna=True) != "string":
        numbers, wrong = parse_numbers(values)
        return numbers.to_numpy(), wrong
    codes, kinds = pd.factorize(values)
    numbers, wrong = parse_numbers(pd.Series(kinds))
    return np.append(numbers, np.nan)[codes], np.append(wrong, False)[codes]


def parse_text(values: pd.Series) -> pd.Series:
    """Return a column as stripped text, with NA for gaps and whole numbers without `.0`."""
    if pd.api.types.is_float_dtype(values):
        text = values.map(_write_number, na_action="ignore").astype("str")
    else:
        text = values.astype("str").str.strip()
    return text.mask(is_missing(values))


def _write_number(value: float) -> str:
    """Write a number as text: whole ones with all their digits, as they may name people."""
    return f"{value:.0f}" if value.is_integer() else f"{value:.10g}"


def blank_missing(frame: pd.DataFrame, codes: Iterable[str]) -> pd.DataFrame:
    """Return a table without the values that the user declares to be codes of missing ones.

    Parameters
    ----------
    frame
        A table as it was read.
    codes
        Words or numbers; `-4` also stands for `-4.0`.
    """
    plain = {code.strip().lower() for code in codes}
    numbers = {float(code) for code in plain if is_number(code)}
    if not plain or frame.columns.empty:
        return frame

    def blank(column: pd.Series) -> pd.Series:
        if pd.api.types.is_numeric_dtype(column):
            return column.mask(column.isin(numbers))
        cells = column.to_numpy(dtype=object)
        return pd.Series(
            [None if _is_coded(cell, plain, numbers) else cell for cell in cells],
            index=column.index,
            dtype=object,
            name=column.name,
        )

    return pd.concat([blank(frame[name]) for name in frame], axis=1)


def find_suspected_codes(numbers: npt.NDArray[np.float64]) -> list[float]:
    """Return the values of a column that look like codes of missing values.

    Those are usual codes that stand apart: negative ones in a column that is otherwise never
    negative, positive ones many times larger than every other value.

    Examples
    --------
    >>> find_suspected_codes(np.array([0.5, 1.0, -4.0, 4.5]))
    [-4.0]
    >>> find_suspected_codes(np.array([-0.5, 1.0, -4.0, 4.5]))
    []
    """
    known = numbers[np.isfinite(numbers)]
    values = np.unique(known)
    coded = np.isin(values, list(USUAL_MISSING_CODES))
    others = values[~coded]
    if not coded.any() or not others.size:
        return []
    lowest, highest = others[0], others[-1]
    return [
        float(code)
        for code in values[coded]
        if (code < 0 <= lowest) or (code > 0 and code > _FAR * max(highest, 1.0))
    ]


def is_number(text: str) -> bool:
    """Return whether `text` is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def parse_codes(text: str | Sequence[str | float] | None) -> tuple[str, ...] | None:
    """Return the declared codes of missing values; None where nothing is stated.

    `none` states that no value of the source is such a code.

    Examples
    --------
    >>> parse_codes("-4, -9999"), parse_codes("none"), parse_codes(None)
    (('-4', '-9999'), (), None)
    """
    if text is None:
        return None
    parts = text.split(",") if isinstance(text, str) else [str(part) for part in text]
    codes = tuple(part.strip() for part in parts if part.strip())
    return () if [code.lower() for code in codes] == ["none"] else codes


def says_nothing(value: object) -> bool:
    """Return whether a cell has no value."""
    if isinstance(value, str):
        return value.strip().lower() in MISSING_SPELLINGS
    return value is None or value is pd.NA or value is pd.NaT or value != value


def _is_coded(cell: object, plain: set[str], numbers: set[float]) -> bool:
    if isinstance(cell, str):
        word = cell.strip().lower()
        return word in plain or (bool(numbers) and is_number(word) and float(word) in numbers)
    return isinstance(cell, int | float | np.number) and float(cell) in numbers
