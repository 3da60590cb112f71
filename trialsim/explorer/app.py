"""The explorer's page, assembled from its views."""

from contextlib import nullcontext
from importlib.resources import files

from shiny import App, Inputs, Outputs, Session, ui
from shiny.ui import Tag

from trialsim.explorer.contents import Contents
from trialsim.explorer.design_view import design_server, design_ui
from trialsim.explorer.people_view import people_server, people_ui
from trialsim.explorer.prediction_view import prediction_server, prediction_ui
from trialsim.explorer.trial_view import trial_server, trial_ui


def build_app(contents: Contents | None) -> App:
    """Return the application of a study; the calculator alone for None."""
    explored = _with_choices(contents)

    def serve(_input: Inputs, _output: Outputs, _session: Session) -> None:
        design_server("design", explored)
        if explored is not None:
            people_server("people", explored)
            prediction_server("prediction", explored)
        if contents is not None and contents.has_trial:
            trial_server("trial", contents)

    with nullcontext() if contents is None else contents.study.snapshot():
        return App(_lay_out(contents), serve)


def _with_choices(contents: Contents | None) -> Contents | None:
    """Return the study where it holds choices; a finished trial alone leaves the calculator."""
    return contents if contents is not None and contents.has_choices else None


def _lay_out(contents: Contents | None) -> Tag:
    explored = _with_choices(contents)
    panels = [ui.nav_panel("Design", design_ui("design", explored))]
    if explored is not None:
        panels.append(ui.nav_panel("People", people_ui("people", explored)))
        panels.append(ui.nav_panel("Prediction", prediction_ui("prediction", explored)))
    has_trial = contents is not None and contents.has_trial
    if contents is not None and has_trial:
        panels.append(ui.nav_panel("Trial", trial_ui("trial", contents)))
    own = files("trialsim.explorer")
    style = own.joinpath("explorer.css").read_text(encoding="utf-8")
    script = own.joinpath("explorer.js").read_text(encoding="utf-8")
    is_synthetic = contents is not None and contents.result.is_synthetic
    title = "trialsim explore" if contents is None else contents.title
    return ui.page_fillable(
        ui.tags.head(
            ui.tags.style(style),
            ui.tags.script(script),
            ui.tags.meta(name="robots", content="noindex"),
            # their animations paint the whole page at every frame while the server answers
            ui.busy_indicators.use(spinners=False, pulse=False, fade=False),
        ),
        ui.tags.main(
            ui.tags.h1(title),
            *([ui.p("SYNTHETIC people", class_="synthetic")] if is_synthetic else []),
            # without choices the design is the calculator's, not the study's
            ui.navset_tab(*panels, selected="Trial" if explored is None and has_trial else None),
        ),
        title=title,
        lang="en",
        fillable=False,
    )
