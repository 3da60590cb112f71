"""Capture rate of the fastest progressors."""

import pandas as pd
from matplotlib.figure import Figure

from reports.figures.labels import strategy_label
from reports.figures.style import (
    INK,
    add_legend_below,
    new_figure,
    shared_style,
    strategy_styles,
    use_percent,
)


def plot_capture_rates(capture_rates: pd.DataFrame) -> Figure:
    """Return capture rate against the number selected, with intervals and the chance line.

    Parameters
    ----------
    capture_rates
        Table of `cohorts.schema`, one `definition` and one `truth`. `chance_rate` is the
        expectation of the hypergeometric distribution (drawing without replacement).
    """
    strategies = list(dict.fromkeys(capture_rates["strategy"]))
    styles = strategy_styles(strategies)
    with shared_style():
        figure = new_figure(7.2, 3.9)
        axes = figure.add_subplot()
        chance = capture_rates.drop_duplicates("n_selected").sort_values("n_selected")
        axes.plot(
            chance["n_selected"],
            chance["chance_rate"],
            color=INK,
            lw=1,
            ls=(0, (4, 2)),
            label="Chance (without replacement)",
        )
        for strategy in strategies:
            rows = capture_rates[capture_rates["strategy"] == strategy].sort_values("n_selected")
            look = styles[strategy]
            axes.plot(
                rows["n_selected"],
                rows["capture_rate"],
                color=look.color,
                marker=look.marker,
                ls=look.line,
                label=strategy_label(strategy),
            )
            axes.fill_between(
                rows["n_selected"],
                rows["capture_rate_lower"],
                rows["capture_rate_upper"],
                color=look.color,
                alpha=0.13,
                linewidth=0,
            )
        use_percent(axes.yaxis)
        axes.set(
            xlabel="People selected",
            ylabel="Share of the fastest progressors captured",
            ylim=(0, 1.02),
        )
        add_legend_below(figure, axes)
    return figure
