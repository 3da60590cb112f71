"""Names in long tables are looked up as pandas does it, whatever they are."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cohorts.errors import CohortValidationError
from cohorts.keys import (
    combine_numbers,
    has_repeated,
    is_among,
    locate_numbers,
    locate_rows,
    map_kinds,
    number_parts,
)
from cohorts.schema import validate_table
from cohorts.sources.values import is_missing, parse_block, says_nothing

NAMES = st.lists(st.sampled_from(["a", "b", "", "ä", "sub-01", None]), max_size=12)
CELLS = st.one_of(st.none(), st.floats(), st.integers(-3, 3), st.sampled_from(["-", "n/a", " x "]))


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES, st.sampled_from(["str", "object", "category"]))
def test_names_are_found_among_others_as_pandas_finds_them(
    column: list[str | None], names: list[str | None], dtype: str
) -> None:
    known = {name for name in names if name is not None}
    found = is_among(pd.Series(column, dtype=dtype), known)
    assert found.tolist() == [name in known for name in column]
    as_series = is_among(pd.Series(column, dtype=dtype), pd.Series(list(known), dtype="str"))
    assert as_series.tolist() == found.tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([0.0, np.nan]))))
def test_a_repeated_key_is_found_as_pandas_finds_it(rows: list[tuple[str | None, float]]) -> None:
    frame = pd.DataFrame(rows, columns=["name", "month"]).astype({"name": "str", "month": float})
    assert has_repeated(frame, ["name", "month"]) == frame.duplicated(["name", "month"]).any()


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES, st.booleans())
def test_a_repeated_key_of_names_is_found_in_whatever_order_its_parts_come(
    people: list[str | None], parts: list[str | None], is_by_part: bool
) -> None:
    pairs = [(one, part) for part in parts for one in people]
    pairs = pairs if is_by_part else sorted(pairs, key=str)
    frame = pd.DataFrame(pairs, columns=["person", "part"]).astype("str")
    assert has_repeated(frame, ["person", "part"]) == frame.duplicated().any()


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES)
def test_a_name_is_placed_where_it_first_stands(
    column: list[str | None], names: list[str | None]
) -> None:
    assume(column != names or len(set(names)) == len(names))  # equal tables are not looked up in
    rows, among = (pd.DataFrame({"name": own}, dtype="str") for own in (column, names))
    expected = [names.index(one) if one in names else -1 for one in column]
    assert locate_rows(rows, among, ["name"]).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(CELLS, max_size=8))
def test_cells_that_say_nothing_are_found_whatever_the_column(cells: list[object]) -> None:
    own = pd.Series(cells, dtype=object)
    assert is_missing(own).tolist() == [bool(says_nothing(cell)) for cell in cells]
    text = pd.Series([cell if isinstance(cell, str) else None for cell in cells], dtype="str")
    assert is_missing(text).tolist() == [bool(says_nothing(cell)) for cell in text]


def test_each_distinct_value_is_asked_once() -> None:
    asked: list[object] = []
    found = map_kinds(pd.Series(["b", "a", None, "b"], index=[3, 1, 2, 0]), asked.append)
    assert asked == ["b", "a"]
    assert found.index.tolist() == [3, 1, 2, 0]
    lengths = map_kinds(pd.Series(["bb", None, "a"]), lambda name: len(str(name)))
    assert lengths.tolist()[::2] == [2, 1]
    assert np.isnan(lengths[1])


def test_a_long_table_gives_the_numbers_of_a_short_one() -> None:
    rng = np.random.default_rng(1)
    cells = np.array(["1", "2.5", "site-1", None, "-", 3, True, np.nan], dtype=object)
    columns = {name: cells[rng.integers(n, size=10_001)] for name, n in (("a", 8), ("b", 5))}
    table = pd.DataFrame(columns | {"c": np.arange(10_001)})
    numbers, wrong = parse_block(table)
    short = [parse_block(table.iloc[start : start + 5_000]) for start in range(0, 10_001, 5_000)]
    np.testing.assert_array_equal(numbers, np.concatenate([part[0] for part in short]))
    np.testing.assert_array_equal(wrong, np.concatenate([part[1] for part in short]))
    assert wrong.any()


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_a_repeated_key_is_found_in_any_order(order: list[int]) -> None:
    rows = pd.DataFrame({"person": ["a", "a", "b", None], "visit": [1, 2, 1, 1]}).iloc[order]
    assert not has_repeated(rows, ["person", "visit"])
    assert has_repeated(rows, ["person"])
    assert has_repeated(pd.concat([rows, rows.iloc[-1:]]), ["person", "visit"])


def test_a_key_that_is_repeated_is_told_beside_everything_else() -> None:
    people = pd.DataFrame(
        {
            "participant_id": ["a", "a"],
            "sex": ["F", "F"],
            "age_years": [70.0, -1.0],
            "diagnosis": ["CN", "CN"],
        }
    )
    with pytest.raises(CohortValidationError) as refused:
        validate_table(people, "participants")
    told = str(refused.value)
    assert "participant_id" in told
    assert "age_years" in told
    with pytest.raises(CohortValidationError, match="unique"):
        validate_table(people.assign(age_years=70.0), "participants")


def encode_otherwise(part: pa.Array) -> pa.DictionaryArray:
    """Return names by a dictionary in another order, with one twice, one missing, one unused."""
    names = ["nobody", *sorted({name for name in part.to_pylist() if name is not None})[::-1]]
    names = [*names, names[-1], None]
    numbers = [len(names) - 1 if name is None else names.index(name) for name in part.to_pylist()]
    if len(numbers) > 1 and numbers[-1] == len(names) - 3:
        numbers[-1] += 1
    return pa.DictionaryArray.from_arrays(
        pa.array(numbers, pa.uint8()), pa.array(names, pa.string())
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(NAMES, st.sampled_from(["text", "long", "categories", "any order"])), max_size=4
    )
)
def test_names_in_parts_are_numbered_as_if_they_were_together(
    parts: list[tuple[list[str | None], str]],
) -> None:
    plain = [pa.array(names, pa.large_string() if way == "long" else pa.string())
             for names, way in parts]  # fmt: skip
    ways = {"categories": lambda part: part.dictionary_encode(), "any order": encode_otherwise}
    encoded = [ways.get(way, lambda part: part)(one)
               for one, (_, way) in zip(plain, parts, strict=True)]  # fmt: skip
    numbers, names = number_parts(encoded)
    together = pd.Series([name for own, _ in parts for name in own], dtype="str")
    expected, kinds = pd.factorize(together)
    assert numbers.tolist() == expected.tolist()
    assert names.to_pylist() == list(kinds)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)))
def test_numbers_are_placed_alike_with_and_without_a_place_for_each(
    numbers: list[int], among: list[int]
) -> None:
    expected = [among.index(one) if one in among else -1 for one in numbers]
    own, others = np.array(numbers, dtype=np.int64), np.array(among, dtype=np.int64)
    for n_kinds in (10, 10_000):  # the second is too many for that
        assert locate_numbers(own, others, n_kinds).tolist() == expected


def test_rows_are_told_apart_where_64_bits_cannot_hold_every_key() -> None:
    far = np.array([0, 0, 2**40 - 1, 2**40 - 1])
    own = np.array([0, 1, 0, 1])
    numbers, n_kinds = combine_numbers([(far, 2**40), (far, 2**40), (own, 2)], 4)
    assert len(set(numbers.tolist())) == 4
    assert numbers.max() < n_kinds


@pytest.mark.parametrize("kind", ["str", "object", "category"])
def test_rows_with_missing_names_are_placed(kind: str) -> None:
    visits = pd.DataFrame({"person": ["a", None, "a", "b"], "visit": ["x", "x", "y", "x"]})
    among = visits.astype({"person": kind, "visit": "str"})
    rows = among.iloc[[3, 1, 2, 0, 0]].reset_index(drop=True)
    assert locate_rows(rows, among, ["person", "visit"]).tolist() == [3, 1, 2, 0, 0]
    strangers = rows.assign(visit="z")
    assert locate_rows(strangers, among, ["person", "visit"]).tolist() == [-1] * 5
