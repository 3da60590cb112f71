"""Names in long tables: who is among whom, what is there twice, what each distinct value says.

pandas asks text one value at a time where it looks names up; Arrow numbers them once.
"""

from collections.abc import Callable, Collection, Hashable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


def is_among(column: pd.Series, names: Collection[Hashable]) -> npt.NDArray[np.bool_]:
    """Return where a column of names holds one of `names`; a missing name is among none.

    Examples
    --------
    >>> is_among(pd.Series(["a", "b", None], dtype="str"), {"b", "c"})
    array([False,  True, False])
    """
    if not isinstance(column.dtype, pd.StringDtype):
        return column.isin(names).to_numpy(dtype=bool)
    names = pd.Series(names) if isinstance(names, pd.Index) else names
    if not (isinstance(names, pd.Series) and isinstance(names.dtype, pd.StringDtype)):
        names = pd.Series([name for name in names if isinstance(name, str)], dtype="str")
    found = pc.is_in(_as_text(column), value_set=_as_text(names.dropna()))
    return np.asarray(found, dtype=bool)


def _as_text(column: pd.Series) -> pa.Array:
    text = pa.array(column).cast(pa.large_string())
    return text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text


def number_names(column: pd.Series) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Return the place of each value of a column of text among its distinct ones, and those.

    They come in the order in which they first occur; a missing name has place -1.

    Examples
    --------
    >>> numbers, names = number_names(pd.Series(["b", "b", None, "a"], dtype="str"))
    >>> numbers, names.to_pylist()
    (array([ 0,  0, -1,  1], dtype=int32), ['b', 'a'])
    """
    text = _as_text(column)
    # a name mostly stands in several rows one after the other, and comparing is quicker than
    # looking up
    is_new = np.ones(len(text), dtype=bool)
    is_new[1:] = pc.not_equal(text[1:], text[:-1]).fill_null(True)
    starts = np.flatnonzero(is_new)
    encoded = text.take(pa.array(starts)).dictionary_encode()
    numbers = np.asarray(encoded.indices.fill_null(-1))
    return np.repeat(numbers, np.diff(starts, append=len(text))), encoded.dictionary


def is_in_order(frame: pd.DataFrame, key: Sequence[str]) -> bool:
    """Return whether rows are in order of `key`, whose last column may repeat; False if unsure.

    Examples
    --------
    >>> is_in_order(pd.DataFrame({"a": ["x", "x", "y"], "b": [1.0, 2.0, 0.0]}), ["a", "b"])
    True
    """
    if len(frame) < 2:
        return True
    is_before = np.zeros(len(frame) - 1, dtype=bool)
    is_same = ~is_before
    for name in key:
        values = pa.array(frame[name])
        earlier, later = values[:-1], values[1:]
        # what is missing is neither before nor the same
        is_before |= is_same & np.asarray(pc.less(earlier, later).fill_null(False))
        is_same &= np.asarray(pc.equal(earlier, later).fill_null(False))
    return bool((is_before | is_same).all())


def has_repeated(frame: pd.DataFrame, key: Sequence[str]) -> bool:
    """Return whether two rows have the same `key`; a missing value is a value like others.

    Examples
    --------
    >>> has_repeated(pd.DataFrame({"a": [1, 1], "b": ["x", "y"]}), ["a", "b"])
    False
    """
    numbers, n_kinds = np.zeros(len(frame), dtype=np.int64), 1
    for name in key:
        codes, kinds = pd.factorize(frame[name], use_na_sentinel=False)
        n_kinds *= max(len(kinds), 1)
        if n_kinds >= 2**63:
            return bool(frame.duplicated(list(key)).any())
        numbers = numbers * len(kinds) + codes
    if bool((numbers[1:] > numbers[:-1]).all()):
        return False  # in order, as tables mostly are
    numbers.sort()
    return bool((numbers[1:] == numbers[:-1]).any())


def locate_rows(
    frame: pd.DataFrame, among: pd.DataFrame, key: Sequence[str]
) -> npt.NDArray[np.intp]:
    """Return for each row of `frame` the place of the row of `among` with its `key`; -1 for none.

    Examples
    --------
    >>> visits = pd.DataFrame({"person": ["a", "b"], "visit": ["x", "x"]})
    >>> locate_rows(pd.DataFrame({"person": ["b", "c"], "visit": ["x", "x"]}), visits, list(visits))
    array([ 1, -1])
    """
    if all(frame[name].array.equals(among[name].array) for name in key):
        return np.arange(len(frame))
    # Numbering both tables at once, and looking up whole numbers, is several times as fast as
    # looking up text.
    numbers = np.zeros(len(among) + len(frame), dtype=np.int64)
    for column in key:
        codes, values = pd.factorize(pd.concat([among[column], frame[column]]))
        numbers = numbers * (len(values) + 1) + codes + 1
    first, known = np.unique(numbers[: len(among)], return_index=True)[::-1]
    found = pd.Index(known).get_indexer(pd.Index(numbers[len(among) :]))
    return np.where(found >= 0, first[found], -1) if len(among) else found


def map_kinds(column: pd.Series, function: Callable[[object], object]) -> pd.Series:
    """Return `function` of each value, asked once for each distinct value; missing stays missing.

    Examples
    --------
    >>> map_kinds(pd.Series(["m06", "m06", "m12"]), lambda name: len(str(name))).tolist()
    [3, 3, 3]
    """
    codes, kinds = pd.factorize(column)
    found = pd.Series([function(kind) for kind in kinds], dtype=None if len(kinds) else object)
    return pd.Series(found.reindex(codes).array, index=column.index, name=column.name)
