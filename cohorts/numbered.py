"""A long table of a cohort, in which every distinct name is held once.

A million people have some ten million volumes: written out, the names in their rows take six times
the memory of the volumes themselves.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from cohorts.keys import has_repeated, is_among, locate_rows, number_names


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
        numbers, names = {}, {}
        for name in texts:
            found, names[name] = number_names(frame[name])
            numbers[name] = found.astype(np.min_scalar_type(-max(len(names[name]), 1)))
        others = frame.drop(columns=texts)
        return cls(numbers, names, others, tuple(map(str, frame.columns)))

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
        numbers = pa.array(self.numbers[column], mask=self.numbers[column] < 0)
        text = pa.DictionaryArray.from_arrays(numbers, self.names[column])
        return _write(text).set_axis(self.others.index).rename(column)

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
        return has_repeated(pd.DataFrame({name: self.numbers[name] for name in key}), key)

    def locate(self, among: pd.DataFrame, key: Sequence[str]) -> npt.NDArray[np.intp]:
        """Return for each row the place of the row of `among` with its `key`; -1 for none."""
        rows, others = pd.DataFrame(index=self.others.index), pd.DataFrame(index=among.index)
        for name in key:
            own = _write(self.names[name])
            codes, _ = number_names(pd.concat([own, among[name]], ignore_index=True))
            rows[name] = np.append(codes[: len(own)], -1)[self.numbers[name]]
            others[name] = codes[len(own) :]
        return locate_rows(rows, others, key)

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


def _write(names: pa.Array) -> pd.Series:
    return pd.Series(names.cast(pa.large_string()).to_pandas())
