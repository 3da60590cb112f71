"""CONSORT-like flow of screening."""

from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.labels import label_text
from reports.figures.style import BLUE, INK, MUTED, new_figure, shared_style

_ROW = 1.0


def plot_screening_flow(
    screening_flow: pd.DataFrame,
    *,
    enrolled: tuple[str, int] | None = None,
    smallest: int = 1,
) -> Figure:
    """Return the flow from everyone screened, over each criterion, to the eligible and enrolled.

    Parameters
    ----------
    screening_flow
        Table of `cohorts.schema`, one row a criterion.
    enrolled
        The last box: what it is called, and how many people it holds.
    smallest
        Counts of people who do not meet a criterion are not told where they are smaller.
    """
    steps = screening_flow.sort_values("step").to_dict("records")
    boxes = [("Screened", int(steps[0]["n_entering"]))]
    boxes += [("Remaining", int(step["n_remaining"])) for step in steps[:-1]]
    boxes += [("Eligible", int(steps[-1]["n_remaining"]))]
    boxes += [enrolled] if enrolled else []
    with shared_style():
        figure = new_figure(7.2, 0.72 * len(boxes) + 0.2)
        axes = figure.add_subplot()
        axes.set(xlim=(0, 10), ylim=(-_ROW * (len(boxes) - 0.4), 0.6 * _ROW))
        axes.axis("off")
        for place, (name, count) in enumerate(boxes):
            _draw_box(axes, 2.4, -place, f"{label_text(name, limit=44)}\nn = {count:,}", BLUE)
            if place:
                _draw_arrow(axes, (2.4, -place + 0.72), (2.4, -place + 0.3))
        for place, step in enumerate(steps):
            criterion = fill(label_text(step["criterion"], limit=70), 40)
            failed = int(step["n_failed"])
            told = f"fewer than {smallest}" if 0 < failed < smallest else f"{failed:,}"
            text = f"{criterion}\nnot met: {told}"
            _draw_arrow(axes, (2.4, -place - 0.5), (4.6, -place - 0.5))
            _draw_box(axes, 4.75, -place - 0.5, text, MUTED, align="left")
    return figure


def _draw_box(
    axes: Axes, x: float, y: float, text: str, color: str, *, align: str = "center"
) -> None:
    axes.text(
        x,
        y,
        text,
        ha=align,
        va="center",
        fontsize=9,
        color=INK,
        linespacing=1.35,
        bbox={"boxstyle": "round,pad=0.42", "facecolor": "white", "edgecolor": color},
    )


def _draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": MUTED, "lw": 1.0}
    )
