"""What the fraction enrolled changes: sample size, number to screen, cost."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.labels import label_text, percent, strategy_label
from reports.figures.style import (
    INK,
    StrategyStyle,
    add_legend_below,
    new_figure,
    shared_style,
    strategy_styles,
    use_percent,
    use_thousands,
)


def plot_sample_sizes(sample_sizes: pd.DataFrame) -> Figure:
    """Return the sample size of the control arm, then the number to screen, against the fraction.

    Parameters
    ----------
    sample_sizes
        Table of `cohorts.schema`, one analysis and one target power. The bands of the sample
        size include the error of cohort and prediction model where it is known.
    """
    table = sample_sizes.assign(
        lower=sample_sizes["n_control_lower_cohort"].fillna(sample_sizes["n_control_lower"]),
        upper=sample_sizes["n_control_upper_cohort"].fillna(sample_sizes["n_control_upper"]),
    )
    with shared_style():
        figure = new_figure(7.2, 3.7)
        sizes, screens = figure.subplots(1, 2)
        _draw_strategies(sizes, table, "n_control", ("lower", "upper"))
        _draw_strategies(screens, table, "n_to_screen", None)
        sizes.set(title="Sample size", ylabel="Participants in the control arm")
        screens.set(title="Number to screen", ylabel="People to screen")
        for axes in (sizes, screens):
            use_thousands(axes.yaxis)
        add_legend_below(figure, sizes)
    return figure


def plot_costs(
    sample_sizes: pd.DataFrame,
    cheapest: pd.DataFrame,
    *,
    currency: str = "",
    flatness: float = 0.05,
) -> Figure:
    """Return cost against the fraction enrolled, the cheapest point, and how flat it is there.

    Parameters
    ----------
    sample_sizes
        Table of `cohorts.schema`, one analysis and one target power.
    cheapest
        One row a strategy: `strategy`, `fraction_enrolled`, `cost`, and the fractions
        `flat_from`, `flat_to` between which the cost stays within `flatness` of the cheapest.
    currency
        Shown with the axis.
    flatness
        Relative cost above the cheapest that counts as equal; 0.05 is five percent.
    """
    styles = strategy_styles(list(sample_sizes["strategy"]))
    with shared_style():
        figure = new_figure(7.2, 4.0)
        axes = figure.add_subplot()
        _draw_strategies(axes, sample_sizes, "cost", ("cost_lower", "cost_upper"))
        for row in cheapest.to_dict("records"):
            _draw_cheapest(axes, row, styles[row["strategy"]])
        axes.plot([], [], ls="", marker="*", ms=11, mfc="white", mec=INK, label="Cheapest fraction")
        axes.plot([], [], color=INK, lw=5, alpha=0.35, label=f"Within {percent(flatness)} of it")
        use_thousands(axes.yaxis)
        axes.set(
            ylabel=f"Cost of the trial{', ' if currency else ''}{label_text(currency, limit=12)}",
            ylim=(0, None),
        )
        add_legend_below(figure, axes)
    return figure


def _draw_cheapest(axes: Axes, row: Mapping[Any, Any], look: StrategyStyle) -> None:
    axes.plot(
        [row["flat_from"], row["flat_to"]],
        [row["cost"]] * 2,
        color=look.color,
        lw=5,
        alpha=0.35,
        solid_capstyle="butt",
    )
    axes.plot(
        row["fraction_enrolled"],
        row["cost"],
        marker="*",
        ms=12,
        mfc="white",
        mec=look.color,
        mew=1.3,
        zorder=5,
    )


def _draw_strategies(
    axes: Axes, table: pd.DataFrame, column: str, band: tuple[str, str] | None
) -> None:
    for strategy, look in strategy_styles(list(table["strategy"])).items():
        rows = table[table["strategy"] == strategy].sort_values("fraction_enrolled")
        label = strategy_label(strategy)
        if len(rows) == 1 and rows["fraction_enrolled"].iloc[0] == 1:
            _draw_reference(axes, rows, column, band, look, label)
            continue
        x = rows["fraction_enrolled"]
        axes.plot(x, rows[column], color=look.color, marker=look.marker, ls=look.line, label=label)
        if band:
            axes.fill_between(
                x, rows[band[0]], rows[band[1]], color=look.color, alpha=0.13, linewidth=0
            )
    use_percent(axes.xaxis)
    axes.set(xlabel="Fraction enrolled", xlim=(0, 1.04))


def _draw_reference(
    axes: Axes,
    rows: pd.DataFrame,
    column: str,
    band: tuple[str, str] | None,
    look: StrategyStyle,
    label: str,
) -> None:
    axes.axhline(rows[column].iloc[0], color=look.color, ls=look.line, label=label)
    if band and rows[list(band)].notna().all(axis=None):
        axes.axhspan(
            rows[band[0]].iloc[0], rows[band[1]].iloc[0], color=look.color, alpha=0.13, linewidth=0
        )
