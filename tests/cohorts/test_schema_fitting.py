"""A table that fits is seen to without pandera, and nothing else is."""

from typing import Any

import pandas as pd
import pandera.errors
import pandera.pandas as pa
import pytest

from cohorts.schema import TABLES
from cohorts.schema.columns import count, factor, flag, number, table, text
from cohorts.schema.fitting import coerce_table, fits_column

SCHEMA = table(
    "examples",
    "trialsim",
    [],
    {"name": text(values=("a", "b")), "share": number(0, 1), "n": count(1), "is_so": flag(),
     "note": text(nullable=True), "error": number(0, nullable=True), "scale": factor()},
)  # fmt: skip


def make_rows(**changes: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"name": ["a", "b"], "share": [0.0, 1.0], "n": [1, 2], "is_so": [True, False],
         "note": ["told", None], "error": [None, 0.5], "scale": [0.9, 1.1],
         "further": ["x", 1], **changes}
    )  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [
        make_rows(),
        make_rows().iloc[:0],
        make_rows(note="", error=0.0),
        make_rows(share=[0, 1], error=[1, 2]),
        make_rows().iloc[:0].astype({"name": object, "share": object, "n": object}),
        make_rows().drop(columns="scale"),
        make_rows().astype({"name": object, "note": object}),
        make_rows(note=pd.Series([None, None], dtype=object)),
    ],
)
def test_what_fits_is_given_back_as_pandera_would(
    rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = SCHEMA.validate(rows)
    monkeypatch.delattr(pa.DataFrameSchema, "validate")
    found = coerce_table(rows, SCHEMA)
    pd.testing.assert_frame_equal(found, expected)
    found["share"] = 0.5
    assert rows["share"].tolist() == expected["share"].tolist()


@pytest.mark.parametrize(
    "changes",
    [{"n": [1.0, 2.0]}, {"share": [0, 1]}, {"is_so": [1, 0]}, {"note": [1, 2]}],
)
def test_other_types_are_brought_to_those_of_the_table(changes: dict[str, Any]) -> None:
    found = coerce_table(make_rows(**changes), SCHEMA)
    assert found.dtypes.to_dict() == SCHEMA.validate(make_rows()).dtypes.to_dict()


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"name": ["a", "c"]}, "name"),
        ({"name": ["a", None]}, "name"),
        ({"share": [-0.01, 0.5]}, "share"),
        ({"share": [0.5, 1.01]}, "share"),
        ({"share": [0.5, None]}, "share"),
        ({"n": [0, 1]}, "n"),
        ({"error": [None, -1.0]}, "error"),
        ({"scale": [0.0, 1.0]}, "scale"),
        ({"scale": [1.0, float("inf")]}, "scale"),
    ],
)
def test_whatever_breaks_a_check_is_told_by_it(changes: dict[str, Any], column: str) -> None:
    with pytest.raises(pandera.errors.SchemaErrors) as refused:
        coerce_table(make_rows(**changes), SCHEMA)
    assert refused.value.failure_cases["column"].tolist() == [column]


def test_a_column_that_is_absent_is_told() -> None:
    with pytest.raises(pandera.errors.SchemaErrors, match="share"):
        coerce_table(make_rows().drop(columns="share"), SCHEMA)


def test_a_check_that_is_not_known_is_left_to_pandera() -> None:
    column = pa.Column(float, pa.Check(lambda values: values > 0))
    assert not fits_column(pd.Series([1.0]), column)


def test_no_column_of_ours_needs_pandera_to_see_that_it_fits() -> None:
    for schema in TABLES.values():
        for column in schema.columns.values():
            assert fits_column(pd.Series([], dtype=column.dtype.type), column), column
