"""Type I error, coverage of the confidence interval."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.labels import percent, strategy_label
from reports.figures.style import (
    INK,
    RULE,
    add_legend_below,
    new_figure,
    shared_style,
    strategy_styles,
)

Z_95 = 1.959964


def plot_error_rates(
    operating_characteristics: pd.DataFrame, *, alpha: float = 0.05, sides: int = 2
) -> Figure:
    """Return simulated type I error, then coverage, of every design point with 95 % intervals.

    Parameters
    ----------
    operating_characteristics
        Table of `cohorts.schema`. The gray band holds 95 % of the estimates that a correct
        test would give with the smallest number of simulations in the table.
    alpha, sides
        Total type I error that the test should have, 0 to 1, and its sides.
    """
    level = compute_interval_level(alpha, sides)
    trials = int(operating_characteristics["n_simulations"].min())
    with shared_style():
        figure = new_figure(7.2, 3.7)
        error, coverage = figure.subplots(1, 2)
        for axes, column, expected, title in (
            (error, "type_one_error", alpha, "Type I error (no effect)"),
            (coverage, "coverage", level, f"Coverage of the {percent(level)} interval"),
        ):
            _draw_expected(axes, expected, trials)
            _draw_points(axes, operating_characteristics, column)
            axes.set(title=title, xlabel="Participants in total, both arms")
            axes.yaxis.set_major_formatter(lambda value, _place: percent(value, 1))
        add_legend_below(figure, error)
    return figure


def compute_interval_level(alpha: float, sides: int) -> float:
    """Return what an interval covers whose ends are each a test of one side at its share of alpha.

    Examples
    --------
    >>> compute_interval_level(0.025, 1), compute_interval_level(0.05, 2)
    (0.95, 0.95)
    """
    return 1 - 2 * alpha / sides


def _draw_expected(axes: Axes, expected: float, trials: int) -> None:
    half = Z_95 * np.sqrt(expected * (1 - expected) / trials)
    axes.axhspan(
        expected - half,
        expected + half,
        color=RULE,
        alpha=0.55,
        linewidth=0,
        label="95 % Monte Carlo range of a correct test",
    )
    axes.axhline(expected, color=INK, lw=1)


def _draw_points(axes: Axes, table: pd.DataFrame, column: str) -> None:
    styles = strategy_styles(list(table["strategy"]))
    total = table["n_control"] + table["n_treatment"]
    width = float(total.max() - total.min() or total.max()) * 0.012
    for place, (strategy, look) in enumerate(styles.items()):
        rows = table["strategy"] == strategy
        # beside one another, so that strategies of one size can be told apart
        shift = (place - (len(styles) - 1) / 2) * width
        axes.errorbar(
            total[rows] + shift,
            table.loc[rows, column],
            yerr=Z_95 * table.loc[rows, f"{column}_mcse"],
            fmt=look.marker,
            color=look.color,
            elinewidth=0.6,
            ms=3.4,
            alpha=0.85,
            label=strategy_label(strategy),
        )
