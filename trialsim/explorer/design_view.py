"""The design: sliders, what each choice would need, pinned scenarios, simulation."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pandas as pd
from shiny import Inputs, Outputs, Session, module, reactive, render, req, ui
from shiny.ui import Tag, TagList

from cohorts.errors import TrialsimError
from reports.figures.export import render_png
from reports.figures.labels import analysis_label, strategy_label
from reports.figures.what_if import plot_what_if
from reports.page.formats import show_fraction
from trialsim.costs import Costs
from trialsim.design import DropOut, TrialDesign
from trialsim.explorer.contents import Contents
from trialsim.explorer.controls import find_reach, slide
from trialsim.explorer.downloads import DOWNLOADS, build_page, describe_ways, render_as
from trialsim.explorer.moving_figures import draw_choices
from trialsim.explorer.scenario import ASSUMED, AssumedSource, Scenario
from trialsim.explorer.simulated import Simulated, describe_unlike, find_simulated, list_stored
from trialsim.explorer.simulation_view import serve_simulation
from trialsim.explorer.tables import find_own_page, lay_beside, show_choices, show_pinned
from trialsim.explorer.wording import describe_choice

_CALCULATED = ("change", "ancova_score")
"""The analyses of the calculator: of the change alone, or with the score besides."""


def list_shown_choices(contents: Contents | None) -> tuple[list[str], list[float]]:
    """Return the strategies and fractions that can be looked at."""
    if contents is None:
        return [ASSUMED], list(AssumedSource().fractions)
    pools = contents.source.pools
    strategies = list(dict.fromkeys(strategy for strategy, _ in pools))
    return strategies, sorted({fraction for _, fraction in pools})


def _choose_first(contents: Contents) -> tuple[str, float]:
    """Return what is looked at first: what the study proposes, else its last strategy."""
    choices = list(contents.source.pools)
    return contents.proposed if contents.proposed in choices else choices[-1]


@module.ui
def design_ui(contents: Contents | None) -> Tag:
    """Return the sliders at the side, the answer beside them."""
    design = TrialDesign(unit="log_percent") if contents is None else contents.protocol.design
    costs = (
        Costs(screening=1500, participant=25_000)
        if contents is None
        else contents.protocol.trial_costs
    )
    strategies, fractions = list_shown_choices(contents)
    first = (strategies[-1], fractions[0]) if contents is None else _choose_first(contents)
    analyses = list(_CALCULATED) if contents is None else contents.source.list_analyses()
    months = [] if contents is None else contents.source.months
    people = [
        ui.input_numeric("mean_decline", "Mean decline to the last visit", 4.0, min=0.01, step=0.1),
        ui.input_numeric("sd_decline", "SD of decline", 4.0, min=0.01, step=0.1),
        ui.input_slider("correlation", "Correlation of score and decline", 0, 0.95, 0.4, step=0.01),
    ]
    controls = [
        *([] if contents else people),
        ui.input_slider("slowing", "Slowing, %", 1, 95, round(100 * design.slowing), step=1),
        ui.input_slider("power", "Power, %", 50, 99, round(100 * design.target_power), step=1),
        slide(ui.input_numeric("alpha", "Type I error", design.alpha, min=1e-6, max=0.5,
                               step=0.005),
              "alpha", "Slider of alpha", ends=(0.005, 0.2), at=design.alpha, step=0.005),
        ui.input_slider("dropout", "Drop-out by the last visit, %", 0, 80,
                        round(100 * design.compute_share_left(0)), step=1),
        slide(ui.input_numeric("ratio", "Treatment : control", design.allocation_ratio, min=0.1,
                               max=10, step=0.5),
              "ratio", "Slider of the allocation", ends=(0.5, 4), at=design.allocation_ratio,
              step=0.5),
        ui.input_select("analysis", "Analysis", {name: analysis_label(name) for name in analyses},
                        selected=design.analyses[0] if design.analyses[0] in analyses else None),
        ui.input_select("strategy", "Strategy",
                        {name: strategy_label(name) for name in strategies},
                        selected=first[0]),
        _choose_fraction(fractions, first[1]),
        *([ui.input_checkbox_group("months", "Visits, months", [f"{m:g}" for m in months[1:]],
                                   selected=[f"{m:g}" for m in months[1:]], inline=True)]
          if months else []),
        _set_price("screening", f"A person screened, {costs.currency}", costs.screening),
        _set_price("participant", f"A person enrolled, {costs.currency}", costs.participant),
    ]  # fmt: skip
    where = ", from the study's folder" if contents else ""
    return lay_beside(
        "Design",
        controls,
        ui.output_ui("headline"),
        ui.output_ui("figure"),
        ui.output_ui("unlike"),
        ui.output_ui("choices"),
        *_list_actions(contents),
        ui.output_ui("pinned"),
        ui.h2(f"The same by command or in Python{where}"),
        ui.output_ui("ways"),
    )


def _choose_fraction(fractions: list[float], at: float) -> Tag:
    named = {f"{value:g}": show_fraction(value) for value in fractions}
    chosen = ui.input_select("fraction", "Fraction enrolled", named, selected=f"{at:g}")
    if len(fractions) == 1:
        return chosen
    ends, place = (1, len(fractions)), fractions.index(at) + 1
    return slide(chosen, "fraction", "Slider of the fraction", ends=ends, at=place, step=1)


def _set_price(name: str, title: str, price: float) -> Tag:
    # a whole number may come as an int, which has no is_integer before Python 3.12
    shown = int(price) if float(price).is_integer() else price
    field, reach = ui.input_numeric(name, title, shown, min=0), find_reach(price)
    title = f"Slider of the cost of {'screening' if name == 'screening' else 'enrollment'}"
    return slide(field, name, title, ends=(0, reach), at=price, step=reach / 100)


def _list_actions(contents: Contents | None) -> list[Tag]:
    buttons: list[Tag] = [ui.input_action_button("pin", "Pin this scenario")]
    buttons += [ui.input_action_button("unpin", "Remove the pins")]
    if contents is not None:
        buttons += [
            ui.input_action_button("simulate", "Simulate this"),
            ui.input_action_button("stop", "Stop the simulation"),
        ]
    buttons += [ui.download_button(f"as_{kind}", kind.upper()) for kind in DOWNLOADS]
    row = ui.div(*buttons, class_="actions")
    return [row, ui.output_ui("simulation")]


@module.server
def design_server(
    input: Inputs,  # noqa: A002 - the name that shiny gives
    output: Outputs,
    session: Session,
    contents: Contents | None,
) -> None:
    """Answer every move of the sliders of one browser tab."""
    pins: reactive.Value[list[tuple[Scenario, pd.DataFrame]]] = reactive.value([])
    simulated: reactive.Value[list[Simulated]] = reactive.value(list_stored(contents))
    base = TrialDesign(unit="log_percent") if contents is None else contents.protocol.design
    money = Costs() if contents is None else contents.protocol.trial_costs

    @reactive.calc
    def scenario() -> Scenario:
        numbers = ("alpha", "ratio", "screening", "participant")
        req(*(input[name]() is not None for name in numbers))
        months = base.visits_months
        if contents is not None:
            req(input.months())
            months = (0.0, *sorted(float(month) for month in input.months()))
        dropout = base.dropout
        if input.dropout() != round(100 * base.compute_share_left(0)):
            left = input.dropout() / 100
            dropout = replace(dropout, control=left, treatment=None) if contents else DropOut(left)
        design = replace(
            base,
            visits_months=months,
            slowing=_read_share(input.slowing(), base.slowing),
            target_power=_read_share(input.power(), base.target_power),
            alpha=input.alpha(),
            allocation_ratio=input.ratio(),
            dropout=dropout,
            analyses=(input.analysis(),),
        )
        costs = replace(money, screening=input.screening(), participant=input.participant())
        return Scenario(design, costs, input.strategy(), float(input.fraction()))

    @reactive.calc
    def answer() -> tuple[Scenario, pd.DataFrame] | str:
        try:
            asked = scenario()
            return asked, _ask(contents, asked, input)
        except TrialsimError as error:
            return " ".join(error.problems)

    def found() -> tuple[Scenario, pd.DataFrame]:
        given = answer()
        req(not isinstance(given, str))
        assert not isinstance(given, str)  # noqa: S101 - req has ended this call otherwise
        return given

    @reactive.calc
    def points() -> pd.DataFrame | None:
        asked, _ = found()
        return find_simulated(simulated(), asked)

    @render.ui
    def headline() -> Tag:
        given = answer()
        if isinstance(given, str):
            return ui.p(given, class_="problem", role="alert")
        asked, table = given
        return ui.p(describe_choice(asked, table), class_="headline", **{"aria-live": "polite"})

    @render.ui
    def figure() -> Tag:
        asked, table = found()
        at = (asked.strategy, asked.fraction_enrolled)
        return draw_choices(table, simulated=points(), looked_at=at, currency=money.currency)

    @render.ui
    def unlike() -> TagList:
        asked, _ = found()
        notes = [] if points() is not None else describe_unlike(simulated(), asked)
        return TagList(*(ui.p(note, class_="note") for note in notes))

    @reactive.calc
    def turned() -> tuple[tuple[str, float], int] | None:
        """Return the page turned to, which holds until another choice is looked at."""
        if "page" not in input:
            return None
        page = int(input.page())
        with reactive.isolate():
            return (input.strategy(), float(input.fraction())), page

    @render.ui
    def choices() -> Tag:
        asked, table = found()
        at = (asked.strategy, asked.fraction_enrolled)
        last = turned()
        wanted = last[1] if last is not None and last[0] == at else find_own_page(table, at)
        name = session.ns("page")
        return show_choices(table, points(), asked.costs.currency, page=wanted, turns=name)

    @reactive.effect
    @reactive.event(input.pin)
    def _pin() -> None:
        pins.set([*pins(), found()])

    @reactive.effect
    @reactive.event(input.unpin)
    def _unpin() -> None:
        pins.set([])

    @render.ui
    def pinned() -> TagList | Tag:
        return show_pinned([*pins(), found()]) if pins() else TagList()

    @render.ui
    def ways() -> TagList:
        asked, _ = found()
        assumed = _read_assumed(input) if contents is None else None
        return ui.TagList(
            *(ui.div(ui.h3(title), ui.pre(text)) for title, text in
              describe_ways(contents, asked, assumed))
        )  # fmt: skip

    if contents is not None:
        serve_simulation(input, session, contents, lambda: found()[0], simulated)
    _serve_downloads(input, output, contents, found)


def _read_share(percentage: float, own: float) -> float:
    """Return a slider's share; the study's own where the slider stands where it began."""
    return own if percentage == round(100 * own) else percentage / 100


def _ask(contents: Contents | None, asked: Scenario, given: Inputs) -> pd.DataFrame:
    if contents is not None:
        return contents.source.compute_choices(asked)
    return _read_assumed(given).compute_choices(asked)


def _read_assumed(given: Inputs) -> AssumedSource:
    req(given.mean_decline() is not None, given.sd_decline() is not None)
    return AssumedSource(given.mean_decline(), given.sd_decline(), given.correlation())


def _serve_downloads(
    given: Inputs,
    output: Outputs,
    contents: Contents | None,
    found: Callable[[], tuple[Scenario, pd.DataFrame]],
) -> None:
    """Serve the state as a file of each kind."""

    def write(kind: str) -> bytes:
        asked, table = found()
        if kind == "png":
            at = (asked.strategy, asked.fraction_enrolled)
            return render_png(plot_what_if(table, looked_at=at, currency=asked.costs.currency))
        assumed = _read_assumed(given) if contents is None else None
        return render_as(kind, build_page(contents, asked, table, assumed), table)

    def serve(kind: str) -> None:
        @render.download_button(filename=f"scenario.{kind}")
        def download() -> Iterator[bytes]:
            yield write(kind)

        output(id=f"as_{kind}")(download)

    for kind in DOWNLOADS:
        serve(kind)
