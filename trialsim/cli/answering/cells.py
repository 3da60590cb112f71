"""Columns of a table as text: people whole, money in thousands, fractions as given."""

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd


_TITLES: Final = {
    "n": "People",
    "participant_id": "participant_id",
    "ln": "ln",
    "mcse": "MC error",
    "sd": "SD",
}


def title_column(name: str) -> str:
    """Return a column's name in words: `n_control_lower` is "control lower"."""
    return _TITLES.get(name) or name.removeprefix("n_").replace("_", " ")


def show_column(name: str, values: "pd.Series[Any]", *, whole: bool) -> tuple[list[str], bool]:
    """Return a column as text: people whole, money in thousands, fractions as given."""
    known = values.notna()
    if values.dtype.kind == "M":
        # every moment in a study is in UTC
        moments = values.dt.strftime("%Y-%m-%d %H:%M:%S UTC")
        return [*moments.where(known, "")], False
    if values.dtype.kind not in "fiu":
        return [str(one) if there else "" for one, there in zip(values, known, strict=True)], False
    form: Callable[[float], str] = partial(_show_number, is_p=name.endswith("p_value"))
    if whole and (name.startswith("n_") or "_n_" in name):
        form = _show_people
    elif "cost" in name:
        form = "{:,.0f}".format
    return [
        form(float(one)) if there else "" for one, there in zip(values, known, strict=True)
    ], True


def _show_people(value: float) -> str:
    # a size that is whole but for its last digits stays
    return f"{math.ceil(value - 1e-9):,}"


def _show_number(value: float, *, is_p: bool) -> str:
    if is_p:
        return "<0.001" if value < 0.001 else f"{value:.3f}"
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.6g}"
