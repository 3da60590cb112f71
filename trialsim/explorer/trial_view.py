"""The trial under way or done: its interim looks, its twins, its effects."""

from collections.abc import Callable
from typing import Final

import pandas as pd
from matplotlib.figure import Figure
from shiny import Inputs, Outputs, Session, module, render, ui
from shiny.ui import Tag, TagList

from reports.figures.bounds import plot_bounds
from reports.figures.labels import percent
from reports.figures.trial import plot_individual_effects, plot_trial_effects, plot_twins
from reports.page.formats import show_count, show_number
from reports.page.size_words import describe_group
from reports.page.units import show_unit
from trialsim.explorer.contents import Contents
from trialsim.explorer.tables import make_table, show_figure

_TRIAL: Final = ["strategy", "fraction_enrolled", "analysis"]


@module.ui
def trial_ui(contents: Contents) -> Tag:
    """Return the looks of the trial that is chosen, then what a finished trial found."""
    parts: list[Tag] = []
    if contents.has("looks"):
        trials = contents.read("looks")[_TRIAL].drop_duplicates().to_dict("records")
        names = {str(place): describe_group(trial) for place, trial in enumerate(trials)}
        choice = ui.input_select("looked_at", "Trial that enrolls", names)
        parts += [ui.h2("Interim looks"), choice, ui.output_ui("looks")]
    for place, (title, about, _) in enumerate(list_findings(contents)):
        parts += [ui.h2(title), ui.p(about), ui.output_ui(f"finding{place}")]
    return ui.div(*parts)


@module.server
def trial_server(
    input: Inputs,  # noqa: A002 - the name that shiny gives
    output: Outputs,
    session: Session,  # noqa: ARG001
    contents: Contents,
) -> None:
    """Show the trial in one browser tab."""

    @render.ui
    def looks() -> TagList:
        table = contents.read("looks")
        trials = list(table.groupby(_TRIAL, sort=False))
        _, rows = trials[int(input.looked_at())]
        unit = show_unit(contents.protocol.design.unit)
        about = "Bounds against information: z, the difference of the arms, the p value."
        return ui.TagList(show_figure(plot_bounds(rows, unit=unit), about), show_stopping(rows))

    def show(place: int, about: str, draw: Callable[[], Figure]) -> None:
        @render.ui
        def finding() -> Tag:
            return show_figure(draw(), about)

        output(id=f"finding{place}")(finding)

    for place, (_, about, draw) in enumerate(list_findings(contents)):
        show(place, about, draw)


def show_stopping(looks: pd.DataFrame) -> Tag:
    """Return when each look comes, on how many people, and how likely it ends the trial."""
    heads = ["Look", "Month", "People seen", "Information", "Efficacy, no effect",
             "Efficacy, whole effect", "Futility, no effect", "Futility, whole effect"]  # fmt: skip
    chances = ("stop_efficacy_none", "stop_efficacy_whole", "stop_futility_none",
               "stop_futility_whole")  # fmt: skip
    rows = [
        [
            show_count(row["look"]),
            show_number(row["calendar_months"]),
            show_count(row["n_completers"]),
            percent(row["information_rate"]),
            *(percent(row[name], 1) for name in chances),
        ]
        for row in looks.to_dict("records")
    ]
    return make_table("Chances to stop at each look", heads, rows)


def list_findings(contents: Contents) -> list[tuple[str, str, Callable[[], Figure]]]:
    """Return title, description and figure of what a finished trial's tables show."""
    found: list[tuple[str, str, Callable[[], Figure]]] = []
    effects = contents.read("trial_effects") if contents.has("trial_effects") else None
    named = contents.protocol.design.unit if effects is None else str(effects["unit"].iloc[0])
    # figures leave slopes out, of which the first row may be one
    unit = show_unit(named.removesuffix(" a year"))
    if effects is not None:
        about = (
            "The effect at the last visit by each estimator; that of the primary analysis on top."
        )
        found.append(("Effects", about, lambda: plot_trial_effects(effects, unit=unit)))
    if contents.has("twin_outcomes"):
        twins = contents.read("twin_outcomes")
        about = "Observed against twin at the last visit, a panel an arm."
        found.append(("Twins", about, lambda: plot_twins(twins, unit=unit)))
    if contents.has("individual_effects"):
        own = contents.read("individual_effects")
        about = "Each treated person's observed outcome minus the twin's, with its interval."
        found.append(("Single people", about, lambda: plot_individual_effects(own, unit=unit)))
    return found
