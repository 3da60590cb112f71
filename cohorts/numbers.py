"""Numbers as tables hold them: gaps in their several spellings, text that is no number."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

MISSING_SPELLINGS: Final = frozenset({"", "n/a", "na", "nan", "null", "none", ".", "<na>"})
"""How tables write a missing value, in lower case."""


def is_missing(values: pd.Series) -> npt.NDArray[np.bool_]:
    """Return where a column has no value."""
    missing: npt.NDArray[np.bool_] = values.isna().to_numpy(dtype=bool)
    if pd.api.types.is_numeric_dtype(values):
        return missing
    plain = values.astype("str").str.strip().str.lower()
    return missing | plain.isin(MISSING_SPELLINGS).to_numpy(dtype=bool)


def parse_numbers(values: pd.Series) -> tuple[pd.Series, npt.NDArray[np.bool_]]:
    """Return a column as floats (NaN for gaps), with a mask of the values that are no number."""
    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float), np.zeros(len(values), dtype=bool)
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    return numbers, numbers.isna().to_numpy() & ~is_missing(values)


def parse_text(values: pd.Series) -> pd.Series:
    """Return a column as stripped text, with NA for gaps and whole numbers without `.0`."""
    if pd.api.types.is_float_dtype(values):
        text = values.map(lambda value: f"{value:.10g}", na_action="ignore").astype("str")
    else:
        text = values.astype("str").str.strip()
    return text.mask(is_missing(values))
