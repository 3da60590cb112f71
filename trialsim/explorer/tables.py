"""Tables and figures of the explorer, which every screen reader can read."""

import base64
from collections.abc import Iterable, Sequence
from typing import Final

import pandas as pd
from matplotlib.figure import Figure
from shiny import ui
from shiny.ui import Tag

from reports.figures.export import render_png
from reports.figures.labels import analysis_label, percent, strategy_label
from reports.page.formats import show_count, show_fraction
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
    head = ui.tags.tr(*(ui.tags.th(text, scope="col") for text in heads))
    body = [
        ui.tags.tr(ui.tags.th(first, scope="row"), *(ui.tags.td(text) for text in others))
        for first, *others in rows
    ]
    table = ui.tags.table(
        ui.tags.caption(caption), ui.tags.thead(head), ui.tags.tbody(*body), class_="table numbers"
    )
    return ui.div(table, class_="scrolls", tabindex="0", role="region", **{"aria-label": caption})


def show_choices(table: pd.DataFrame, simulated: pd.DataFrame | None, currency: str) -> Tag:
    """Return what every choice needs, with the simulated control arm beside the formula's."""
    has_costs = bool((table["cost"] > 0).any())
    heads = ["Choice", "Control", "Treatment", "Screened"]
    heads += [f"Cost, {currency}"] if has_costs else []
    heads += ["Control, simulated"] if simulated is not None else []
    rows = []
    for row in table.to_dict("records"):
        cells = [show_count(row[name]) for name in ("n_control", "n_treatment", "n_to_screen")]
        cells += [show_count(row["cost"])] if has_costs else []
        if simulated is not None:
            own = find_choice(simulated, str(row["strategy"]), float(row["fraction_enrolled"]))
            cells.append("" if own is None else show_count(own["n_control_whole"]))
        rows.append([_name(row["strategy"], row["fraction_enrolled"]), *cells])
    return make_table("What every choice needs", heads, rows)


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
