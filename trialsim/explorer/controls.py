"""Sliders beside numbers and lists: a slider is quick, a number exact, each follows the other."""

from math import floor, log10

from shiny import ui
from shiny.ui import Tag


def slide(control: Tag, name: str, title: str, *, ends: tuple[float, float], at: float,
          step: float) -> Tag:  # fmt: skip
    """Return a number's field, or a list, with a slider under it that moves it in the browser.

    Only the control speaks to the server, so that a number beyond the slider's ends stays as it was
    typed.

    Parameters
    ----------
    control
        The field or the list.
    name
        Of the control, in the namespace of the view.
    title
        Of the slider, read to those who do not see what it stands under.
    ends, at, step
        The slider's ends, where it begins, and how far it moves; of a list places from 1.
    """
    low, high = ends
    slider = ui.input_slider(
        f"{name}_slider", title, low, high, min(max(at, low), high), step=step, ticks=False
    )
    return ui.div(control, slider, class_="moves")


def find_reach(value: float) -> float:
    """Return a round number about four times as large, at which a slider for a price ends.

    Examples
    --------
    >>> find_reach(1500.0), find_reach(25_000.0), find_reach(0.0)
    (10000.0, 100000.0, 10000.0)
    """
    wanted = 4 * value if value > 0 else 10_000.0
    power = 10.0 ** floor(log10(wanted))
    return next(power * part for part in (1, 2, 5, 10) if power * part >= wanted)
