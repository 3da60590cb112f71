"""The simulation of one browser tab: started, followed, stopped; it ends with the tab."""

from collections.abc import Callable
from typing import Final

from shiny import Inputs, Session, reactive, render, ui
from shiny.ui import Tag

from reports.figures.labels import percent
from trialsim.explorer.contents import Contents
from trialsim.explorer.scenario import Scenario
from trialsim.explorer.simulated import Simulated
from trialsim.explorer.simulating import Simulating, state_settings

N_SIMULATIONS: Final = 500
"""Trials at each point of a simulation in the background."""


def serve_simulation(
    given: Inputs,
    session: Session,
    contents: Contents,
    ask: Callable[[], Scenario],
    simulated: "reactive.Value[list[Simulated]]",
) -> None:
    """Simulate what is asked where the button is pressed; the newest points come first."""
    work: reactive.Value[tuple[Scenario, Simulating] | None] = reactive.value(None)
    told: reactive.Value[str] = reactive.value("")

    def _end() -> None:
        with reactive.isolate():
            now = work()
        if now is not None:
            now[1].stop()

    session.on_ended(_end)

    @reactive.effect
    @reactive.event(given.simulate)
    def _start() -> None:
        _end()
        asked = ask()
        started = Simulating(contents.path.absolute(), state_settings(asked), N_SIMULATIONS)
        started.start()
        work.set((asked, started))

    @reactive.effect
    @reactive.event(given.stop)
    def _stop() -> None:
        if work() is not None:
            _end()
            work.set(None)
            told.set("The simulation was stopped.")

    @reactive.effect
    def _follow() -> None:
        now = work()
        if now is None:
            return
        asked, running = now
        if running.is_running:
            told.set(f"Simulating: {percent(running.share_done)} done.")
            reactive.invalidate_later(0.5)
            return
        if running.found is None:
            told.set(running.problem)
        else:
            with reactive.isolate():
                simulated.set([Simulated("your", asked, running.found), *simulated()])
            told.set(f"Simulated: {N_SIMULATIONS} trials at each point.")
        work.set(None)

    @render.ui
    def simulation() -> Tag:
        return ui.p(told(), role="status")
