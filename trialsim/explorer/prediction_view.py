"""How good the prediction is: calibration, capture rate, subgroups."""

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure
from shiny import Inputs, Outputs, Session, module, render, ui
from shiny.ui import Tag

from reports.figures.capture import plot_capture_rates
from reports.figures.prediction import plot_predicted_versus_observed
from reports.figures.selection import plot_group_differences
from trialsim.explorer.contents import Contents
from trialsim.explorer.tables import show_figure


def list_figures(contents: Contents) -> list[tuple[str, str, Callable[[], Figure]]]:
    """Return title, description and figure of everything that the study can show of it."""
    found: list[tuple[str, str, Callable[[], Figure]]] = []
    if contents.has("capture_rates"):
        table = _first(contents.read("capture_rates"), "definition", "truth")
        about = "Share of the fast progressors found, against the number of people selected."
        found.append(("Capture rate", about, lambda: plot_capture_rates(table)))
    if contents.has("predicted_changes"):
        changes = contents.read("predicted_changes")
        about = "Observed against predicted change, a panel a strategy."
        found.append(("Calibration", about, lambda: plot_predicted_versus_observed(changes)))
    if contents.has("group_differences"):
        groups = contents.read("group_differences")
        smallest = groups[groups["fraction_enrolled"] == groups["fraction_enrolled"].min()]
        about = "Selected against not selected people, in standard deviations."
        found.append(("Who is selected", about, lambda: plot_group_differences(smallest)))
    return found


def _first(table: pd.DataFrame, *keys: str) -> pd.DataFrame:
    first = table.iloc[0]
    for key in keys:
        table = table[table[key] == first[key]]
    return table


@module.ui
def prediction_ui(contents: Contents) -> Tag:
    """Return the figures below each other, each with what it shows."""
    parts: list[Tag] = []
    for place, (title, about, _) in enumerate(list_figures(contents)):
        parts += [ui.h2(title), ui.p(about), ui.output_ui(f"figure{place}")]
    return ui.div(*(parts or [ui.p("This study has not compared strategies yet.")]))


@module.server
def prediction_server(
    input: Inputs,  # noqa: A002, ARG001 - the name that shiny gives
    output: Outputs,
    session: Session,  # noqa: ARG001
    contents: Contents,
) -> None:
    """Draw the figures of one browser tab."""

    def show(place: int, about: str, draw: Callable[[], Figure]) -> None:
        @render.ui
        def figure() -> Tag:
            return show_figure(draw(), about)

        output(id=f"figure{place}")(figure)

    for place, (_, about, draw) in enumerate(list_figures(contents)):
        show(place, about, draw)
