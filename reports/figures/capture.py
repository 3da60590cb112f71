"""Capture rate of the fastest progressors."""

import pandas as pd
from matplotlib.figure import Figure

from reports.figures.multiples import draw_multiples
from reports.figures.style import INK, add_legend_below, shared_style, use_percent


def plot_capture_rates(capture_rates: pd.DataFrame) -> Figure:
    """Return capture rate against the number selected, a panel a strategy, with the chance line.

    Parameters
    ----------
    capture_rates
        Table of `cohorts.schema`, one `definition` and one `truth`. `chance_rate` is the
        expectation of the hypergeometric distribution (drawing without replacement).
    """
    chance = capture_rates.drop_duplicates("n_selected").sort_values("n_selected")
    with shared_style():
        figure, panels = draw_multiples(
            capture_rates,
            x="n_selected",
            y="capture_rate",
            band=("capture_rate_lower", "capture_rate_upper"),
            strategies=list(dict.fromkeys(capture_rates["strategy"])),
            titles=("People selected", "Share captured"),
        )
        for axes in panels.values():
            axes.plot(
                chance["n_selected"],
                chance["chance_rate"],
                color=INK,
                lw=1,
                ls=(0, (4, 2)),
                label="Chance (without replacement)",
            )
            axes.set_ylim(0, 1.02)
            use_percent(axes.yaxis)
        add_legend_below(figure, next(iter(panels.values())))
    return figure
