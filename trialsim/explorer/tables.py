"""Tables and figures of the explorer, which every screen reader can read."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from shiny import ui
from shiny.ui import Tag

from reports.figures.export import render_png
from reports.figures.labels import analysis_label, percent, strategy_label
from reports.page.formats import show_count, show_fraction
from trialsim.explorer.paging import ROWS, find_page, make_pager, take_page
from trialsim.explorer.scenario import Scenario
from trialsim.explorer.wording import find_choice

_DPI: Final = 130


def lay_beside(title: str, controls: Sequence[Tag], *content: Tag) -> Tag:
    """Return controls at the side, above on a narrow screen, and what they change beside them."""
    form = ui.tags.aside(ui.h2(title), *controls, **{"aria-label": title})
    return ui.div(form, ui.tags.section(*content), class_="beside")


def show_figure(figure: Figure, description: str) -> Tag:
    """Return a figure as a picture that is never wider than its place."""
    data = base64.b64encode(render_png(figure, dpi=_DPI)).decode()
    picture = ui.img(src=f"data:image/png;base64,{data}", alt=description)
    return ui.div(picture, class_="drawing", tabindex="0", role="group", aria_label=description)


def make_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Tag:
    """Return a table; its first column names the rows."""
    # text, since a tag for each cell takes longer than all that it shows
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(text)}</td>" for text in others)
        + "</tr>"
        for first, *others in rows
    )
    inner = f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
    table = ui.tags.table(ui.HTML(f"{inner}<tbody>{body}</tbody>"), class_="table numbers")
    return ui.div(table, class_="scrolls", tabindex="0", role="region", **{"aria-label": caption})


def find_own_page(table: pd.DataFrame, looked_at: tuple[str, float]) -> int:
    """Return the page on which a choice stands; the first where there is none."""
    strategy, fraction = looked_at
    near = np.abs(table["fraction_enrolled"].to_numpy() - fraction) < 1e-9
    places = np.flatnonzero((table["strategy"].to_numpy() == strategy) & near)
    return int(places[0]) // ROWS if places.size else 0


def show_choices(
    table: pd.DataFrame, simulated: pd.DataFrame | None, currency: str, *, page: int, turns: str
) -> Tag:
    """Return a page of what every choice needs, the simulated control arm beside the formula's.

    Parameters
    ----------
    table
        Rows of `trialsim.explorer.scenario.COLUMNS`.
    simulated
        Rows of `sample_sizes` of the same design; none when None.
    currency
        Of the costs.
    page, turns
        The page, from 0; the input that takes another.
    """
    has_costs = bool((table["cost"] > 0).any())
    heads = ["Choice", "Control", "Treatment", "Screened"]
    heads += [f"Cost, {currency}"] if has_costs else []
    heads += ["Control, simulated"] if simulated is not None else []
    page, last = find_page(page, len(table))
    rows, known = [], {} if simulated is None else _list_sizes(simulated)
    for row in take_page(table, page).to_dict("records"):
        cells = [show_count(row[name]) for name in ("n_control", "n_treatment", "n_to_screen")]
        cells += [show_count(row["cost"])] if has_costs else []
        if simulated is not None:
            choice = str(row["strategy"]), round(float(row["fraction_enrolled"]), 9)
            cells.append(show_count(known[choice]) if choice in known else "")
        rows.append([_name(row["strategy"], row["fraction_enrolled"]), *cells])
    caption = "What every choice needs, by closed form"
    caption += f", page {page + 1} of {last + 1}" if last else ""
    return ui.div(make_table(caption, heads, rows), make_pager(page, last, turns))


def _list_sizes(simulated: pd.DataFrame) -> dict[tuple[str, float], float]:
    fractions = simulated["fraction_enrolled"].round(9)
    choices = zip(simulated["strategy"], fractions, strict=True)
    return dict(zip(choices, simulated["n_control_whole"], strict=True))


def show_pinned(scenarios: Sequence[tuple[Scenario, pd.DataFrame]]) -> Tag:
    """Return scenarios beside each other, the present one last, each against the first."""
    heads = ["Scenario", "Choice", "Slowing", "Power", "Drop-out", "Analysis", "Control",
             "Screened", "Cost", "Cost against the first"]  # fmt: skip
    rows, first = [], None
    for place, (asked, table) in enumerate(scenarios):
        own = find_choice(table, asked.strategy, asked.fraction_enrolled) or find_choice(
            table, "random", 1.0
        )
        if own is None:
            continue
        first = own["cost"] if first is None else first
        design = asked.design
        rows.append(
            [
                "Now" if place == len(scenarios) - 1 else f"Pin {place + 1}",
                _name(own["strategy"], own["fraction_enrolled"]),
                percent(design.slowing),
                percent(design.target_power),
                percent(design.compute_share_left(0)),
                analysis_label(asked.analysis),
                show_count(own["n_control"]),
                show_count(own["n_to_screen"]),
                show_count(own["cost"]),
                show_count(own["cost"] - first),
            ]
        )
    return make_table("Scenarios beside each other", heads, rows)


def _name(strategy: object, fraction: float) -> str:
    if strategy == "random" and fraction >= 1:
        return "Everyone"
    return f"{strategy_label(str(strategy))}, top {show_fraction(fraction)}"
