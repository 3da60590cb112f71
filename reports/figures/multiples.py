"""Small multiples: one panel a strategy, the others in gray behind it."""

from math import ceil
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.figures.labels import strategy_label
from reports.figures.style import RULE, StrategyStyle, new_figure, strategy_styles

_COLUMNS: Final = 3
_ROW_INCHES: Final = 2.1


def draw_multiples(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    band: tuple[str, str],
    strategies: list[str],
    titles: tuple[str, str],
) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with a panel for each strategy: its curve with its band, the others gray.

    Six bands in one panel hide each other; side by side on one scale each can be read.

    Parameters
    ----------
    table
        One row a point: `strategy` and the columns that `x`, `y` and `band` name.
    x, y, band
        The columns that are drawn; `band` holds the lower and the upper end of an interval.
    strategies
        Which strategies have a panel, in this order.
    titles
        Of the horizontal and of the vertical axis.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    dict of str to matplotlib.axes.Axes
        The panel of each strategy.
    """
    styles = strategy_styles(list(table["strategy"]))
    # four in two columns leave no place empty
    n_columns = 2 if len(strategies) == 4 else min(_COLUMNS, len(strategies))
    n_rows = ceil(len(strategies) / n_columns)
    figure = new_figure(7.2, _ROW_INCHES * n_rows + 0.6)
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    panels = dict(zip(strategies, grid.ravel(), strict=False))
    curves = {name: table[table["strategy"] == name].sort_values(x) for name in strategies}
    for name, axes in panels.items():
        for other in strategies:
            if other != name:
                axes.plot(curves[other][x], curves[other][y], color=RULE, lw=1)
        _draw_curve(axes, curves[name], x, y, band, styles[name])
        axes.set_title(strategy_label(name, limit=26), color=styles[name].color, fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    for axes in grid.ravel()[len(strategies) :]:
        axes.set_visible(False)
    # the last panel of each column tells what is on its axis
    for place in range(max(0, len(strategies) - n_columns), len(strategies)):
        panels[strategies[place]].tick_params(labelbottom=True)
        panels[strategies[place]].set_xlabel(titles[0])
    for axes in grid[:, 0]:
        axes.set_ylabel(titles[1])
    return figure, panels


def _draw_curve(
    axes: Axes, rows: pd.DataFrame, x: str, y: str, band: tuple[str, str], look: StrategyStyle
) -> None:
    axes.fill_between(
        rows[x], rows[band[0]], rows[band[1]], color=look.color, alpha=0.2, linewidth=0
    )
    axes.plot(rows[x], rows[y], color=look.color, marker=look.marker, ls=look.line)
