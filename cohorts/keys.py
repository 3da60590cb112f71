"""Names in long tables: who is among whom, what is there twice, what each distinct value says.

pandas asks text one value at a time where it looks names up; Arrow numbers them once.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

T = TypeVar("T", pd.DataFrame, "pd.Series[Any]")


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
    return np.asarray(_locate_names(column, names.dropna()) >= 0)


def _to_arrow(column: pd.Series) -> pa.Array | pa.ChunkedArray:
    # Arrow asks for attributes, which pandas would look up among the names of an index of names
    return pa.array(column.reset_index(drop=True))


def as_text(column: pd.Series) -> pa.Array:
    """Return a column of text, or of nothing, as Arrow holds it.

    Examples
    --------
    >>> as_text(pd.Series(["a", None, float("nan")], dtype=object)).to_pylist()
    ['a', None, None]
    """
    text = _to_arrow(column).cast(pa.large_string())
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
    return number_parts(list_parts(column))


def number_parts(parts: Iterable[pa.Array]) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Return what `number_names` does of text that comes in parts.

    Parameters
    ----------
    parts
        Text of any of Arrow's types, plain or encoded already, one part after the other.

    Examples
    --------
    >>> numbers, names = number_parts([pa.array(["b", "a"]), pa.array(["a", None, "c"])])
    >>> numbers, names.to_pylist()
    (array([ 0,  1,  1, -1,  2], dtype=int32), ['b', 'a', 'c'])
    """
    found = [_encode_names(part) for part in parts]
    if not found:
        return np.empty(0, dtype=np.int32), pa.array([], pa.large_string())
    places, names = _encode_names(pa.concat_arrays([kinds for _, kinds in found]))
    begin, numbers = 0, []
    for own, kinds in found:
        mine = np.append(places[begin : begin + len(kinds)], np.int32(-1))
        numbers.append(mine[own])
        begin += len(kinds)
    return np.concatenate(numbers), names


def _encode_names(part: pa.Array) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Return the numbers of text in the order in which names first occur, and the names."""
    if pa.types.is_dictionary(part.type):
        return _renumber(part)
    text = part.cast(pa.large_string())
    starts = _find_starts(text)
    numbers, names = _number_heads(text.take(pa.array(starts)))
    return np.repeat(numbers, np.diff(starts, append=len(text))), names


def _renumber(part: pa.DictionaryArray) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Return what `_encode_names` does of names that are numbered in another order."""
    own, kinds = _encode_names(part.dictionary)
    codes = np.append(own, np.int32(-1))[np.asarray(part.indices.cast(pa.int32()).fill_null(-1))]
    is_known = codes >= 0
    numbers = np.full(len(codes), -1, dtype=np.int32)
    numbers[is_known], used = pd.factorize(codes[is_known])
    return numbers, kinds.take(pa.array(used))


def _number_heads(heads: pa.Array) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Return what `_encode_names` does; names in order, once or round by round, are not looked up.

    Looking a name up takes fifty times what comparing it with the next one does.
    """
    rises = np.asarray(pc.less(heads[:-1], heads[1:]).fill_null(False))
    n = len(heads) if rises.all() else int(rises.argmin()) + 1
    if not heads[:n].null_count and heads[n:].equals(heads[: len(heads) - n]):
        return np.arange(len(heads), dtype=np.int32) % np.int32(max(n, 1)), heads[:n]
    encoded = heads.dictionary_encode()
    return np.asarray(encoded.indices.fill_null(-1)), encoded.dictionary


def list_parts(column: pd.Series) -> list[pa.Array]:
    """Return a column of text as the parts in which it is held."""
    text = _to_arrow(column)
    return text.chunks if isinstance(text, pa.ChunkedArray) else [text]


def is_in_order(frame: pd.DataFrame, key: Sequence[str]) -> bool:
    """Return whether rows are in order of `key`, whose last column may repeat; False if unsure.

    Examples
    --------
    >>> is_in_order(pd.DataFrame({"a": ["x", "x", "y"], "b": [1.0, 2.0, 0.0]}), ["a", "b"])
    True
    """
    if len(frame) < 2:
        return True
    is_before, is_same = _compare_with_next(_to_arrow(frame[name]) for name in key)
    return bool((is_before | is_same).all())


def _compare_with_next(
    columns: Iterable[pa.Array],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which rows are before the next one by several columns, and which are the same."""
    whole: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None = None
    for values in columns:
        earlier, later = values[:-1], values[1:]
        # what is missing is neither before nor the same
        is_before = np.asarray(pc.less(earlier, later).fill_null(False))
        is_same = np.asarray(pc.equal(earlier, later).fill_null(False))
        if whole is not None:
            is_before, is_same = whole[0] | (whole[1] & is_before), whole[1] & is_same
        whole = is_before, is_same
    if whole is None:
        raise AssertionError("a key has a column")
    return whole


def order_by_name(table: T) -> T:
    """Return a table of people in the order of its index, as `Cohort` holds people.

    What is drawn for people goes by their places: in this order it is theirs in any table.

    Examples
    --------
    >>> order_by_name(pd.Series([1, 2, 3], index=["c", "a", "b"])).tolist()
    [2, 3, 1]
    """
    if is_in_order(table.index.to_frame(name="name"), ["name"]):
        return table
    return table.sort_index(kind="stable")


def has_repeated(frame: pd.DataFrame, key: Sequence[str]) -> bool:
    """Return whether two rows have the same `key`; a missing value is a value like others.

    Examples
    --------
    >>> has_repeated(pd.DataFrame({"a": [1, 1], "b": ["x", "y"]}), ["a", "b"])
    False
    """
    return not _is_rising(frame, key) and are_repeated(number_rows(frame, key))


def _is_rising(frame: pd.DataFrame, key: Sequence[str]) -> bool:
    """Return whether each row is after the one before, so that none is repeated; False if unsure.

    Long tables mostly come in the order of their key, or part by part by its last column, in
    whatever order the parts are. Their names need then not be looked up.
    """
    kinds = [frame[name].dtype for name in key]
    if len(frame) < 2 or not all(isinstance(k, pd.StringDtype) or k.kind in "iuf" for k in kinds):
        return False
    first, *others = (_to_arrow(frame[name]) for name in key)
    if _compare_with_next([first, *others])[0].all():
        return True
    if len(others) != 1 or not isinstance(kinds[1], pd.StringDtype):
        return False
    parts = pa.array(number_names(frame[key[1]])[0])
    return bool(_compare_with_next([parts, first])[0].all())


def number_rows(frame: pd.DataFrame, key: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return a number for each row, the same for rows with the same `key`.

    Examples
    --------
    >>> number_rows(pd.DataFrame({"a": ["x", "y", "x"]}), ["a"])
    array([1, 2, 1])
    """
    columns = (_number_kinds([frame[name]]) for name in key)
    return combine_numbers(columns, len(frame))[0]


def are_repeated(numbers: npt.NDArray[np.int64]) -> bool:
    """Return whether a number occurs twice; puts the numbers in order.

    Examples
    --------
    >>> are_repeated(np.array([3, 1, 3]))
    True
    """
    if bool((numbers[1:] > numbers[:-1]).all()):
        return False  # in order, as tables mostly are
    numbers.sort()
    return bool((numbers[1:] == numbers[:-1]).any())


def combine_numbers(
    columns: Iterable[tuple[npt.NDArray[np.integer], int]], n_rows: int
) -> tuple[npt.NDArray[np.int64], int]:
    """Return one number for each row that tells rows apart as those of all columns do together.

    Parameters
    ----------
    columns
        The number of each row, 0 or more, and how many numbers there may be; looked at one after
        the other.
    n_rows
        How many rows there are.

    Returns
    -------
    ndarray
        (n_rows,).
    int
        How many such numbers there may be.

    Examples
    --------
    >>> combine_numbers([(np.array([0, 1]), 2), (np.array([2, 0]), 3)], 2)
    (array([2, 3]), 6)
    """
    numbers, n_kinds = np.zeros(n_rows, dtype=np.int64), 1
    for own, n_own in columns:
        if n_kinds * n_own >= _TOO_MANY:
            codes, kinds = pd.factorize(numbers)
            numbers, n_kinds = codes.astype(np.int64), len(kinds)
        n_kinds *= n_own
        numbers *= n_own
        numbers += own
    return numbers, n_kinds


_TOO_MANY: Final = 2**63
"""Numbers that 64 bits cannot tell apart."""


def _number_kinds(columns: Sequence[pd.Series]) -> tuple[npt.NDArray[np.integer], int]:
    """Return a number for each value of columns one below the other, and how many there are.

    A missing value has a number as well.
    """
    if all(isinstance(column.dtype, pd.StringDtype) for column in columns):
        numbers, names = number_parts(part for column in columns for part in list_parts(column))
        return numbers + 1, len(names) + 1
    codes, kinds = pd.factorize(pd.concat(columns), use_na_sentinel=False)
    return codes, max(len(kinds), 1)


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
    if len(key) == 1 and all(
        isinstance(one[key[0]].dtype, pd.StringDtype) for one in (frame, among)
    ):
        return _locate_names(frame[key[0]], among[key[0]])
    columns = (_number_kinds([among[name], frame[name]]) for name in key)
    numbers, n_kinds = combine_numbers(columns, len(among) + len(frame))
    return locate_numbers(numbers[len(among) :], numbers[: len(among)], n_kinds)


def _locate_names(column: pd.Series, among: pd.Series) -> npt.NDArray[np.intp]:
    """Return what `locate_rows` does of one column of names."""
    numbers, names = _encode_names(as_text(column))
    theirs, known = _encode_names(as_text(among))
    first = np.full(len(known) + 1, -1, dtype=np.intp)
    first[theirs[::-1]] = np.arange(len(theirs))[::-1]  # what is missing has the last place
    if names.equals(known):
        return np.asarray(first[numbers])
    places = np.asarray(pc.index_in(names, value_set=known).fill_null(-1))
    found = np.where(places >= 0, first[places], -1)
    return np.asarray(np.append(found, first[-1])[numbers])


def _find_starts(text: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.intp]:
    """Return the rows whose name is not that of the row before.

    A name mostly stands in several rows one after the other, and comparing is quicker than
    looking up.
    """
    is_new = np.ones(len(text), dtype=bool)
    is_new[1:] = pc.not_equal(text[1:], text[:-1]).fill_null(True)
    return np.flatnonzero(is_new)


def locate_numbers(
    numbers: npt.NDArray[np.int64], among: npt.NDArray[np.int64], n_kinds: int
) -> npt.NDArray[np.intp]:
    """Return the place of each number among others, the first where it is there twice; -1 for none.

    Parameters
    ----------
    numbers, among
        From 0 to below `n_kinds`.
    n_kinds
        As in `combine_numbers`.

    Examples
    --------
    >>> locate_numbers(np.array([2, 0, 1]), np.array([1, 2, 1]), 3)
    array([ 1, -1,  0])
    """
    if n_kinds <= _DENSE * (len(numbers) + len(among)):
        # a place for every number that may be: nothing is put in order or looked up
        places = np.full(n_kinds, -1, dtype=np.int32)
        places[among[::-1]] = np.arange(len(among), dtype=np.int32)[::-1]
        return places[numbers].astype(np.intp)
    first, known = np.unique(among, return_index=True)[::-1]
    found = pd.Index(known).get_indexer(pd.Index(numbers))
    return np.where(found >= 0, first[found], -1) if len(among) else found


_DENSE: Final = 4
"""Times as many numbers as rows that there may be for a place to be kept for each."""


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
