"""The screened people: their scores, a threshold that moves every figure, one person's course."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from shiny import Inputs, Outputs, Session, module, reactive, render, ui
from shiny.ui import Tag, TagList

from reports.figures.labels import covariate_label, percent, strategy_label
from reports.figures.what_if import plot_course, plot_threshold
from reports.page.formats import show_count
from trialsim.explorer.contents import Contents
from trialsim.explorer.tables import lay_beside, show_figure

_ROWS = 15
_PLACE = "place"
_SEARCHED = ["person", "sex", "diagnosis", "selected"]


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
        ui.input_text("find", "Show only rows with", placeholder="AD F"),
        ui.input_select("order", "In the order of", order),
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
    """Show the people of one browser tab."""
    region = contents.protocol.design.endpoint

    @reactive.calc
    def threshold() -> float:
        scores = contents.people[input.strategy()].dropna()
        return float(scores.quantile(1 - input.selected() / 100, interpolation="higher"))

    @reactive.calc
    def shown() -> pd.DataFrame:
        table = contents.people
        found = table.drop(columns=contents.strategies)
        found[_PLACE] = range(len(found))
        found["score"] = table[input.strategy()]
        found["selected"] = (found["score"] >= threshold()).map({True: "yes", False: "no"})
        return found.join(_describe_change(contents))

    @render.ui
    def counted() -> Tag:
        chosen = shown()[shown()["selected"] == "yes"]
        text = f"{len(chosen):,} of {len(shown()):,} people lie at or above {threshold():.4g}"
        told = [
            f"mean {covariate_label(name).lower()} {chosen[name].mean():,.1f} "
            f"(everyone {shown()[name].mean():,.1f})"
            for name in ("age_years",)
            if name in chosen
        ]
        women = [
            f"{percent((chosen['sex'] == 'F').mean())} women "
            f"(everyone {percent((shown()['sex'] == 'F').mean())})"
        ]
        return ui.p("; ".join([text, *told, *women]) + ".", class_="headline")

    @render.ui
    def figure() -> Tag:
        volume = f"{region}_mm3"
        beside = volume if volume in contents.people else "age_years"
        drawn = plot_threshold(
            contents.people[input.strategy()],
            threshold(),
            beside=contents.people[beside],
            beside_title=covariate_label(beside),
            score_title=f"Score: {strategy_label(input.strategy())}",
        )
        return show_figure(drawn, "Distribution of the score; the score by the volume at baseline")

    @reactive.calc
    def listed() -> pd.DataFrame:
        wanted = input.find().lower().split()
        text = shown()[_SEARCHED].astype("str").agg(" ".join, axis=1).str.lower().str.split()
        kept = shown()[[all(word in cells for word in wanted) for cells in text]]
        name = input.order() if input.order() in kept else "score"
        return kept.sort_values(name, ascending=input.ascending(), kind="stable")

    @reactive.calc
    def page() -> int:
        last = max(0, (len(listed()) - 1) // _ROWS)
        return min(input.page() if "page" in input else 0, last)

    @render.ui
    def people() -> Tag:
        rows = listed().iloc[page() * _ROWS : (page() + 1) * _ROWS]
        return _show_people(rows, page(), len(listed()), session.ns)

    @render.ui
    def person() -> Tag | TagList:
        who = input.who() if "who" in input else None
        if who is None or not 0 <= int(who) < len(contents.people):
            return TagList()
        return show_person(contents, str(contents.people.index[int(who)]))


def _show_people(rows: pd.DataFrame, page: int, total: int, name: Callable[[str], str]) -> Tag:
    """Return one page of people; a person's name opens the person."""
    titles = [_title_column(str(column)) for column in rows.columns if column != _PLACE]
    body = [
        ui.tags.tr(
            ui.tags.th(_button(str(who), name("who"), place), scope="row"),
            *(ui.tags.td(_show(value)) for value in values),
        )
        for place, who, *values in rows[[_PLACE, *rows.columns.drop(_PLACE)]].to_numpy()
    ]
    last = max(0, (total - 1) // _ROWS)
    turns = [("First", 0), ("Previous", page - 1), ("Next", page + 1), ("Last", last)]
    pager = [_button(text, name("page"), min(max(to, 0), last)) for text, to in turns]
    caption = f"{total:,} people, page {page + 1} of {last + 1}"
    head = ui.tags.tr(*(ui.tags.th(title, scope="col") for title in titles))
    table = ui.tags.table(
        ui.tags.caption(caption), ui.tags.thead(head), ui.tags.tbody(*body), class_="table people"
    )
    scrolls = ui.div(table, class_="scrolls", tabindex="0", role="region", aria_label=caption)
    return ui.div(scrolls, ui.div(*pager, class_="pager"))


def _button(text: str, name: str, value: int) -> Tag:
    send = f"Shiny.setInputValue('{name}', {int(value)}, {{priority: 'event'}})"
    return ui.tags.button(text, type="button", onclick=send, class_="btn btn-link")


def _describe_change(contents: Contents) -> pd.DataFrame:
    """Return the predicted change to the last horizon in percent, with its interval."""
    table = contents.predictions
    if table.empty:
        return pd.DataFrame(index=contents.people.index)
    last = table[table["horizon_months"] == table["horizon_months"].max()]
    last = last.drop_duplicates("participant_id").set_index("participant_id")
    start = last["baseline_volume_mm3"]
    half = 196 * last["volume_sd_mm3"] / start
    change = 100 * (last["volume_mm3"] / start - 1)
    return pd.DataFrame(
        {"predicted_percent": change, "lower": change - half, "upper": change + half}
    )


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
    facts = [f"{_title_column(str(name))}: {_show(value)}" for name, value in row.items()]
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


def _show(value: Any) -> str:
    if isinstance(value, float):
        return show_count(value) if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
