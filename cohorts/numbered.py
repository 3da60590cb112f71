"""A long table of a cohort, in which every distinct name is held once.

A million people have some ten million volumes: written out, the names in their rows take six times
the memory of the volumes themselves.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pandera.errors
import pandera.pandas
import pyarrow as pa

from cohorts.keys import (
    are_repeated,
    combine_numbers,
    has_repeated,
    is_among,
    list_parts,
    locate_numbers,
    number_names,
    number_parts,
)
from cohorts.schema import TABLES, validate_table
from cohorts.schema.fitting import coerce_table, fits_column


@dataclass(frozen=True)
class NumberedTable:
    """A table whose columns of text are numbers of names.

    Parameters
    ----------
    numbers
        Column of text -> the place of each row's name among `names`; -1 where it is missing.
    names
        Column of text -> its distinct names.
    others
        The columns that are not text.
    columns
        All of them in their order.
    """

    numbers: Mapping[str, npt.NDArray[np.signedinteger]]
    names: Mapping[str, pa.Array]
    others: pd.DataFrame
    columns: tuple[str, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Self:
        """Return the same table with its names numbered.

        Examples
        --------
        >>> NumberedTable.of(pd.DataFrame({"region": ["csf", "csf"]}, dtype="str")).numbers
        {'region': array([0, 0], dtype=int8)}
        """
        texts = [str(n) for n, kind in frame.dtypes.items() if isinstance(kind, pd.StringDtype)]
        found = {name: number_names(frame[name]) for name in texts}
        return cls.build(found, frame.drop(columns=texts), tuple(map(str, frame.columns)))

    @classmethod
    def build(
        cls,
        found: Mapping[str, tuple[npt.NDArray[np.int32], pa.Array]],
        others: pd.DataFrame,
        columns: tuple[str, ...],
    ) -> Self:
        """Return the table of numbers as small as their names are few.

        Parameters
        ----------
        found
            Column of text -> what `number_names` gives.
        others, columns
            See the class.
        """
        numbers = {
            name: own.astype(np.min_scalar_type(-max(len(names), 1)))
            for name, (own, names) in found.items()
        }
        return cls(numbers, {name: names for name, (_, names) in found.items()}, others, columns)

    def validate(self, table: str) -> Self:
        """Return what `validate_table` would, asked of each name once.

        Parameters
        ----------
        table
            A name in `cohorts.schema.TABLES`.

        Raises
        ------
        CohortValidationError
            As `validate_table`.
        """
        schema, texts, without_text = _split(table)
        with suppress(pandera.errors.SchemaErrors):
            others = coerce_table(self.others, without_text)
            if all(self._has_sound(schema.columns[name]) for name in texts) and not (
                schema.unique and self._has_repeated_key(others, schema.unique)
            ):
                return replace(self, others=others)
        # what is not text where it should be is written as such, or the whole table tells
        return self.of(validate_table(self.to_frame(), table))

    def _has_sound(self, column: pandera.pandas.Column) -> bool:
        """Return whether a column of text holds what it may; False if unsure."""
        name = str(column.name)
        if name not in self.names or not (column.nullable or (self.numbers[name] >= 0).all()):
            return False
        return not column.checks or fits_column(_write(self.names[name]), column)

    def _has_repeated_key(self, others: pd.DataFrame, key: Sequence[str]) -> bool:
        if not set(key) <= set(self.names):
            columns = {name: self.numbers.get(name, others.get(name)) for name in key}
            return has_repeated(pd.DataFrame(columns), key)
        return self.has_repeated(key)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.others)

    def to_frame(self) -> pd.DataFrame:
        """Return the table with its names written out."""
        return pd.DataFrame({name: self.get(name) for name in self.columns})

    def get(self, column: str) -> pd.Series:
        """Return a column with its names written out."""
        if column not in self.names:
            return self.others[column]
        return _write(self.encode(column)).set_axis(self.others.index).rename(column)

    def encode(self, column: str) -> pa.DictionaryArray:
        """Return a column of text as Arrow has it where names are numbered."""
        numbers = pa.array(self.numbers[column], mask=self.numbers[column] < 0)
        return pa.DictionaryArray.from_arrays(numbers, self.names[column])

    def empty(self) -> pd.DataFrame:
        """Return the columns without rows."""
        return self.keep(np.zeros(len(self), dtype=bool)).to_frame()

    def keep(self, rows: npt.NDArray[np.bool_]) -> Self:
        """Return some of the rows."""
        numbers = {name: own[rows] for name, own in self.numbers.items()}
        return type(self)(numbers, self.names, self.others[rows], self.columns)

    def is_among(self, column: str, names: Collection[Hashable]) -> npt.NDArray[np.bool_]:
        """Return where a column of text holds one of `names`; a missing name is among none."""
        own = _write(self.names[column])
        return np.asarray(np.append(is_among(own, names), False)[self.numbers[column]])

    def has_repeated(self, key: Sequence[str]) -> bool:
        """Return whether two rows hold the same names in all columns of `key`."""
        columns = ((self.numbers[name] + np.int32(1), len(self.names[name]) + 1) for name in key)
        return are_repeated(combine_numbers(columns, len(self))[0])

    def locate(self, among: pd.DataFrame, key: Sequence[str]) -> npt.NDArray[np.intp]:
        """Return for each row the place of the row of `among` with its `key`; -1 for none."""
        columns = (self._number_with(among[name], name) for name in key)
        numbers, n_kinds = combine_numbers(columns, len(among) + len(self))
        return locate_numbers(numbers[len(among) :], numbers[: len(among)], n_kinds)

    def _number_with(self, others: pd.Series, name: str) -> tuple[npt.NDArray[np.integer], int]:
        """Return numbers of the names of others, then of its own column; 0 where one is missing."""
        own = self.names[name]
        codes, names = number_parts([own, *list_parts(others)])
        mine = np.append(codes[: len(own)], np.int32(-1))[self.numbers[name]]
        return np.concatenate([codes[len(own) :], mine]) + 1, len(names) + 1

    def find(self, column: str, name: str) -> npt.NDArray[np.bool_]:
        """Return which rows hold a name."""
        place = self.names[column].index(name).as_py()
        return np.asarray(self.numbers[column] == (place if place >= 0 else len(self)))

    def count_names(self, column: str) -> "pd.Series[int]":
        """Return how many rows hold each name of a column, in order of its first row."""
        counts = pd.Series(self.numbers[column]).value_counts(sort=False)
        counts = counts[counts.index >= 0]
        names = self.names[column].take(pa.array(counts.index)).to_pylist()
        return pd.Series(counts.to_numpy(), index=pd.Index(names, dtype="str", name=column))


@cache
def _split(
    table: str,
) -> tuple[pandera.pandas.DataFrameSchema, list[str], pandera.pandas.DataFrameSchema]:
    """Return a table's schema, its columns of text, and the schema of the others, without key."""
    schema = TABLES[table]
    texts = [name for name, column in schema.columns.items() if str(column.dtype).startswith("str")]
    without_key = copy(schema)
    without_key.unique = None
    return schema, texts, without_key.remove_columns(texts)


def _write(names: pa.Array) -> pd.Series:
    return pd.Series(names.cast(pa.large_string()).to_pandas())
