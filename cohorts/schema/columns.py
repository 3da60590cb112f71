"""Kinds of columns, with what must hold of them."""

from typing import Final

import pandera.pandas as pa


def text(*, nullable: bool = False, values: tuple[str, ...] | None = None) -> pa.Column:
    """Return a column of text, of `values` alone where they are given."""
    return pa.Column(str, pa.Check.isin(values) if values else None, nullable=nullable, coerce=True)


def number(
    low: float | None = None, high: float | None = None, *, nullable: bool = False
) -> pa.Column:
    """Return a column of numbers from `low` to `high`."""
    checks = [pa.Check.ge(low)] if low is not None else []
    checks += [pa.Check.le(high)] if high is not None else []
    return pa.Column(float, checks, nullable=nullable, coerce=True)


def factor() -> pa.Column:
    """Return a column of positive numbers that a table may lack, in whole or in a row."""
    checks = [pa.Check.gt(0), pa.Check.lt(float("inf"))]
    return pa.Column(float, checks, nullable=True, required=False, coerce=True)


def count(low: int = 0) -> pa.Column:
    """Return a column of whole numbers."""
    return pa.Column("int64", pa.Check.ge(low), coerce=True)


def flag() -> pa.Column:
    """Return a column of yes and no."""
    return pa.Column(bool, coerce=True)


def table(
    name: str, command: str, key: list[str], columns: dict[str, pa.Column]
) -> pa.DataFrameSchema:
    """Return a table's schema; `command` is the one that fills it first."""
    return pa.DataFrameSchema(
        columns, name=name, unique=key, strict=False, metadata={"command": command}
    )


SHARE: Final = (0.0, 1.0)
"""The range of a share."""
