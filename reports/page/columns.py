"""Columns of a page's tables: from a data frame's values to cells that can be read and sorted."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.figures.export import html_id
from reports.page.content import Cell, Column, RunReference, Table
from reports.page.formats import (
    MISSING,
    Format,
    is_blank,
    show_decimals,
    show_error,
    show_interval,
    show_text,
)

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class ColumnRule:
    """How one column of a page's table is made from a row of the data."""

    head: Column
    cell: Callable[[Row], Cell]


def words(name: str, title: str, form: Format = show_text) -> ColumnRule:
    """Return a column of text."""
    return ColumnRule(Column(title), lambda row: Cell(form(row[name]), show_text(row[name])))


def number(name: str, title: str, form: Format) -> ColumnRule:
    """Return a column of numbers."""
    return ColumnRule(
        Column(title, is_number=True), lambda row: Cell(form(row[name]), _sort(row[name]))
    )


def counted(name: str, title: str) -> ColumnRule:
    """Return a column of counts as text; hidden ones are no number, and sort as unknown."""

    def cell(row: Row) -> Cell:
        return Cell(show_text(row[name]), _sort_counted(row[name]))

    return ColumnRule(Column(title, is_number=True), cell)


def counted_beside(name: str, other: str, title: str) -> ColumnRule:
    """Return a column of two counts as text, such as `counted`, sorted by the first."""

    def cell(row: Row) -> Cell:
        text = f"{show_text(row[name])} / {show_text(row[other])}"
        return Cell(text, _sort_counted(row[name]))

    return ColumnRule(Column(title, is_number=True), cell)


def with_interval(name: str, low: str, high: str, title: str, form: Format) -> ColumnRule:
    """Return a column of estimates, each with its interval in brackets."""

    def cell(row: Row) -> Cell:
        interval = show_interval(row[low], row[high], form)
        shown = form(row[name])
        text = shown if interval == MISSING else f"{shown} ({interval})"
        return Cell(text, _sort(row[name]))

    return ColumnRule(Column(title, is_number=True), cell)


def simulated(name: str, error: str, title: str, form: Format) -> ColumnRule:
    """Return a column of simulated numbers, each plus or minus its Monte Carlo standard error.

    A number that is no share has as many decimals as its error, which says how many are known.
    """

    def cell(row: Row) -> Cell:
        shown, unit = form(row[name]), "\u00a0%"
        if is_blank(row[error]):
            return Cell(shown, _sort(row[name]))
        beside = show_error(row[error], form)
        if is_blank(row[name]) or shown.endswith(unit):
            text = f"{shown.removesuffix(unit)} ± {beside}"
        else:
            places = len(beside.partition(".")[2])
            text = f"{show_decimals(row[name], places=places)} ± {beside}"
        return Cell(text, _sort(row[name]))

    return ColumnRule(Column(title, is_number=True), cell)


def beside(name: str, other: str, title: str, form: Format) -> ColumnRule:
    """Return a column of two numbers that are compared, sorted by the first."""

    def cell(row: Row) -> Cell:
        return Cell(f"{form(row[name])} / {form(row[other])}", _sort(row[name]))

    return ColumnRule(Column(title, is_number=True), cell)


def build_table(
    frame: pd.DataFrame,
    rules: Iterable[ColumnRule],
    *,
    title: str,
    sources: tuple[RunReference, ...] = (),
    note: str = "",
    is_data: bool = True,
) -> Table:
    """Return `frame` as a table of the page, one column a rule.

    A column, but the first, that says the same in all of several rows becomes a line of the note.
    """
    rules = tuple(rules)
    rows = [tuple(rule.cell(row) for rule in rules) for row in frame.to_dict("records")]
    texts = [{row[place].text for row in rows} for place in range(len(rules))]
    same = [place for place, found in enumerate(texts) if place and len(rows) > 1 == len(found)]
    if len(same) == len(rules) - 1:  # a table of names alone would say nothing
        same = []
    kept = [place for place in range(len(rules)) if place not in same]
    said = [
        f"{rules[place].head.title}: {rows[0][place].text}"
        for place in same
        if rows[0][place].text != MISSING  # a column of dashes says nothing
    ]
    in_all = f"In all rows: {'; '.join(said)}." if said else ""
    return Table(
        html_id(title),
        title,
        tuple(rules[place].head for place in kept),
        tuple(tuple(row[place] for place in kept) for row in rows),
        sources,
        " ".join(filter(None, (in_all, note))),
        is_data,
    )


def build_facts(
    title: str,
    facts: Iterable[tuple[str, str]],
    *,
    sources: tuple[RunReference, ...] = (),
    note: str = "",
) -> Table:
    """Return pairs of a name and a value as a table."""
    frame = pd.DataFrame(list(facts), columns=["name", "value"])
    rules = [words("name", "What"), words("value", "Value", lambda v: show_text(v, limit=600))]
    return build_table(frame, rules, title=title, sources=sources, note=note, is_data=False)


def _sort_counted(value: Any) -> float | str:
    digits = show_text(value).replace(",", "")
    return float(digits) if digits.isdecimal() else ""


def _sort(value: Any) -> float | str:
    return "" if is_blank(value) else float(value)
