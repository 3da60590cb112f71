"""The screened people: their scores, a threshold that moves every figure, one person's course."""

from typing import Any

import pandas as pd
from shiny import Inputs, Outputs, Session, module, reactive, render, ui
from shiny.ui import Tag, TagList

from cohorts.counting import tally
from reports.figures.labels import covariate_label, percent, strategy_label
from reports.figures.what_if import plot_course
from reports.page.formats import show_count, show_number
from trialsim.explorer.contents import Contents
from trialsim.explorer.drawing import Floats
from trialsim.explorer.moving_figures import draw_threshold, find_thresholds
from trialsim.explorer.paging import find_page, make_button, make_pager, take_page
from trialsim.explorer.tables import lay_beside, show_figure

_PLACE = "place"


def _varies(scores: "pd.Series[float]") -> bool:
    return bool(scores.max() > scores.min())


@module.ui
def people_ui(contents: Contents) -> Tag:
    """Return the threshold at the side; figures, table and the person beside it."""
    strategies = [name for name in contents.strategies if _varies(contents.people[name])]
    order = {name: _title_column(name) for name in ("score", "age_years", "predicted_percent")}
    controls = [
        ui.input_select(
            "strategy",
            "Score",
            {name: strategy_label(name) for name in strategies},
            selected=strategies[-1],
        ),
        ui.input_slider("selected", "Selected, % of the screened", 1, 100, 25, step=1),
        ui.input_select("among", "Show", {"": "Everyone", "yes": "Selected", "no": "Not selected"}),
        ui.input_text("find", "Show only rows with", placeholder="AD F"),
        ui.input_select("order", "Sort by", order),
        ui.input_checkbox("ascending", "Smallest first"),
    ]
    return lay_beside(
        "Threshold",
        controls,
        ui.output_ui("counted"),
        ui.output_ui("figure"),
        ui.output_ui("person"),
        ui.output_ui("people"),
    )


@module.server
def people_server(
    input: Inputs,  # noqa: A002 - the name that shiny gives
    output: Outputs,  # noqa: ARG001
    session: Session,
    contents: Contents,
) -> None:
    """Show the people of one browser tab; a move computes what follows from it alone."""
    volume = f"{contents.protocol.design.endpoint}_mm3"
    beside = volume if volume in contents.people else "age_years"

    @reactive.calc
    def scores() -> "pd.Series[float]":
        found: pd.Series[float] = contents.people[input.strategy()]
        return found

    @reactive.calc
    def thresholds() -> Floats:
        return find_thresholds(scores())

    @reactive.calc
    def threshold() -> float:
        return float(thresholds()[input.selected() - 1])

    @render.ui
    def counted() -> Tag:
        chosen = contents.people[scores() >= threshold()]
        return ui.p(describe_selected(chosen, contents.people, threshold()), class_="headline")

    @render.ui
    def figure() -> Tag:
        with reactive.isolate():
            selected = input.selected()
        return draw_threshold(
            scores(),
            selected,
            beside=contents.people[beside],
            titles=(f"Score: {strategy_label(input.strategy())}", covariate_label(beside)),
            moved_by=session.ns("selected"),
        )

    @reactive.calc
    def ordered() -> pd.DataFrame:
        """Return those who are searched for, sorted; the threshold does not move them."""
        table = contents.people.drop(columns=contents.strategies)
        table[_PLACE] = range(len(table))
        table["score"] = scores()
        # of a prediction by one sample nobody knows an interval
        table = table.join(contents.changes.dropna(axis="columns", how="all"))
        wanted = input.find().lower().split()
        if wanted:
            table = table[[all(one in own for one in wanted) for own in contents.searched]]
        name = input.order() if input.order() in table else "score"
        return table.sort_values(name, ascending=input.ascending(), kind="stable")

    @reactive.calc
    def listed() -> pd.DataFrame:
        if not input.among():
            return ordered()
        table: pd.DataFrame = ordered()
        is_listed: pd.Series[bool] = (table["score"] >= threshold()) == (input.among() == "yes")
        return table.loc[is_listed]

    @render.ui
    def people() -> Tag:
        page, last = find_page(input.page() if "page" in input else 0, len(listed()))
        rows = take_page(listed(), page)
        is_selected = (rows["score"] >= threshold()).map({True: "yes", False: "no"})
        rows.insert(list(rows).index("score") + 1, "selected", is_selected)
        caption = f"{tally(len(listed()), 'people')}, page {page + 1} of {last + 1}"
        table = _show_people(rows, caption, session.ns("who"))
        return ui.div(table, make_pager(page, last, session.ns("page")))

    @render.ui
    def person() -> Tag | TagList:
        who = input.who() if "who" in input else None
        if who is None or not 0 <= int(who) < len(contents.people):
            return TagList()
        return show_person(contents, str(contents.people.index[int(who)]))


def describe_selected(chosen: pd.DataFrame, everyone: pd.DataFrame, threshold: float) -> str:
    """Return how many people are selected, and in what they differ from everyone screened."""
    told = [f"{len(chosen):,} of {tally(len(everyone), 'people')} lie at or above {threshold:.4g}"]
    if "age_years" in everyone:
        ages = chosen["age_years"].mean(), everyone["age_years"].mean()
        told.append(f"mean age {ages[0]:.1f} years (everyone {ages[1]:.1f})")
    if "sex" in everyone:
        women = [percent((people["sex"] == "F").mean()) for people in (chosen, everyone)]
        told.append(f"{women[0]} women (everyone {women[1]})")
    return "; ".join(told) + "."


def _show_people(rows: pd.DataFrame, caption: str, name: str) -> Tag:
    """Return one page of people; a person's name opens the person."""
    titles = [_title_column(str(column)) for column in rows.columns if column != _PLACE]
    body = [
        ui.tags.tr(
            ui.tags.th(make_button(str(who), name, place), scope="row"),
            *(ui.tags.td(show_value(value)) for value in values),
        )
        for place, who, *values in rows[[_PLACE, *rows.columns.drop(_PLACE)]].to_numpy()
    ]
    head = ui.tags.tr(*(ui.tags.th(title, scope="col") for title in titles))
    table = ui.tags.table(
        ui.tags.caption(caption), ui.tags.thead(head), ui.tags.tbody(*body), class_="table people"
    )
    return ui.div(table, class_="scrolls", tabindex="0", role="region", aria_label=caption)


def _title_column(name: str) -> str:
    titles = {
        "person": "Person",
        "sex": "Sex",
        "diagnosis": "Diagnosis",
        "score": "Score",
        "selected": "Selected",
        "predicted_percent": "Predicted change, %",
        "lower": "95 % from",
        "upper": "to",
    }
    return titles.get(name) or covariate_label(name)


def show_person(contents: Contents, who: str) -> Tag:
    """Return what is known of one person, and the way to the scans where there are any."""
    row = contents.people.loc[who]
    facts = [f"{_title_column(str(name))}: {show_value(value)}" for name, value in row.items()]
    place = contents.people.index.get_loc(who)
    parts = [ui.h2(str(row["person"])), ui.p("; ".join(facts) + ".")]
    own = contents.predictions
    own = own if own.empty else own[own["participant_id"] == who]
    if not own.empty:
        drawn = plot_course(own, region=contents.protocol.design.endpoint)
        parts.append(show_figure(drawn, "Predicted volumes over months, with 95 % intervals"))
    if who in contents.seen:
        link = ui.a("Open the scans of this person", href=f"view/{place}", target="_blank")
        parts.append(ui.p(link))
    return ui.div(*parts, class_="person")


def show_value(value: Any) -> str:
    """Return a cell of the table of people; what nobody knows is a dash."""
    if isinstance(value, float):
        return show_count(value) if abs(value) >= 100 else show_number(value)
    return str(value)
