"""Whether a table fits its schema as it stands, seen without pandera where that is plain.

Pandera takes some milliseconds a column, however few rows there are, and a study writes and reads
dozens of tables. What fits mostly has the right types already.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd
import pandera.pandas as pa

from cohorts.keys import is_among

_BREAKS: Final[dict[str, Callable[[pd.Series, Any], Any]]] = {
    "greater_than": lambda values, low: values.le(low),
    "greater_than_or_equal_to": lambda values, low: values.lt(low),
    "less_than_or_equal_to": lambda values, high: values.gt(high),
    "less_than": lambda values, high: values.ge(high),
    "isin": lambda values, names: ~is_among(values, names),
}
"""Check of pandera -> where values that are not missing break it, given its one statistic."""


def coerce_table(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Return what `schema` makes of a table.

    Parameters
    ----------
    frame
        The table to check.
    schema
        Of columns alone, without a key.

    Raises
    ------
    pandera.errors.SchemaErrors
        With everything that is wrong.
    """
    if frame.columns.is_unique:
        columns = schema.columns
        held = {name: frame[name] for name in columns if name in frame.columns}
        found = {name: _give_type(values, columns[name]) for name, values in held.items()}
        if all(
            fits_column(found[name], column) if name in found else not column.required
            for name, column in columns.items()
        ):
            return frame.assign(**found)
    return schema.validate(frame, lazy=True)


def _give_type(values: pd.Series, column: pa.Column) -> pd.Series:
    """Return whole numbers as numbers, objects as text, and no values as such of any type."""
    if column.dtype is None:
        return values
    wanted = column.dtype.type
    # as a column of scans is that nobody has
    becomes = values.dtype == object and (isinstance(wanted, pd.StringDtype) or not len(values))
    if becomes or (values.dtype == np.int64 and wanted == np.float64):
        return values.astype(wanted)
    return values


def fits_column(values: pd.Series, column: pa.Column) -> bool:
    """Return whether a column has its type and passes its checks; False if unsure.

    Examples
    --------
    >>> from cohorts.schema.columns import number
    >>> fits_column(pd.Series([0.5, 1.0]), number(0, 1))
    True
    >>> fits_column(pd.Series([0.5, None]), number(0, 1))
    False
    """
    if column.dtype is None or values.dtype != column.dtype.type:
        return False
    is_missing = values.isna()
    if is_missing.any():
        if not column.nullable:
            return False
        values = values[~is_missing]
    return all(
        check.name in _BREAKS
        and not _BREAKS[check.name](values, *(check.statistics or {}).values()).any()
        for check in column.checks
    )
