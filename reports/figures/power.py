"""Power curves."""

from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.labels import analysis_label, fraction_label, percent, strategy_label
from reports.figures.multiples import draw_multiples
from reports.figures.style import (
    INK,
    MUTED,
    StrategyStyle,
    add_legend_below,
    new_figure,
    shared_style,
    strategy_styles,
    use_percent,
)

_MOST_TOGETHER: Final = 3
"""Curves with bands that can be told apart in one panel."""


def plot_power_curves(
    operating_characteristics: pd.DataFrame, *, target_power: float | None = None
) -> Figure:
    """Return power against the total sample size: simulated points, bands, closed form, target.

    Bands of more than three strategies would hide each other: each then has a panel of its own.

    Parameters
    ----------
    operating_characteristics
        Table of `cohorts.schema`; one curve for each strategy, fraction and analysis in it.
    target_power
        Drawn as a horizontal line, 0 to 1.
    """
    table = operating_characteristics.assign(
        n_total=lambda rows: rows["n_control"] + rows["n_treatment"]
    )
    styles = strategy_styles(list(table["strategy"]))
    many_analyses = len(table["analysis"].unique()) > 1
    n_curves = len(table[["strategy", "fraction_enrolled", "analysis"]].drop_duplicates())
    if _MOST_TOGETHER < n_curves == len(styles):
        with shared_style():
            return _draw_apart(table, target_power)
    with shared_style():
        figure = new_figure(7.2, 4.1)
        axes = figure.add_subplot()
        if target_power is not None:
            axes.axhline(
                target_power,
                color=INK,
                lw=1,
                ls=(0, (4, 2)),
                label=f"Target {percent(target_power)}",
            )
        for _, rows in table.groupby(["strategy", "fraction_enrolled", "analysis"], sort=False):
            label = _curve_label(rows.iloc[0], name_analysis=many_analyses)
            look = styles[rows["strategy"].iloc[0]]
            _draw_curve(axes, rows.sort_values("n_total"), look, label)
        if table["closed_form_power"].notna().any():
            axes.plot([], [], color=MUTED, lw=0.9, label="Closed form (thin line)")
        use_percent(axes.yaxis)
        axes.set(xlabel="Participants in total, both arms", ylabel="Power", ylim=(0, 1.02))
        add_legend_below(figure, axes)
    return figure


def _draw_apart(table: pd.DataFrame, target_power: float | None) -> Figure:
    strategies = list(dict.fromkeys(table["strategy"]))
    figure, panels = draw_multiples(
        table,
        x="n_total",
        y="power",
        band=("power_lower", "power_upper"),
        strategies=strategies,
        titles=("Participants, both arms", "Power"),
    )
    for name, axes in panels.items():
        own = table[table["strategy"] == name].sort_values("n_total")
        axes.set_title(_curve_label(own.iloc[0], name_analysis=False))
        if target_power is not None:
            label = f"Target {percent(target_power)}"
            axes.axhline(target_power, color=INK, lw=1, ls=(0, (4, 2)), label=label)
        if own["closed_form_power"].notna().any():
            form = own["n_total"], own["closed_form_power"]
            axes.plot(*form, color=INK, lw=0.7, label="Closed form")
        axes.set_ylim(0, 1.02)
        use_percent(axes.yaxis)
    add_legend_below(figure, panels[strategies[0]])
    return figure


def _draw_curve(axes: Axes, rows: pd.DataFrame, look: StrategyStyle, label: str) -> None:
    axes.plot(
        rows["n_total"],
        rows["power"],
        color=look.color,
        marker=look.marker,
        ls=look.line,
        label=label,
    )
    axes.fill_between(
        rows["n_total"],
        rows["power_lower"],
        rows["power_upper"],
        color=look.color,
        alpha=0.18,
        linewidth=0,
    )
    axes.plot(rows["n_total"], rows["closed_form_power"], color=look.color, lw=0.7, alpha=0.8)


def _curve_label(row: pd.Series, *, name_analysis: bool) -> str:
    parts = [strategy_label(row["strategy"], limit=30)]
    parts += (
        [f"top {fraction_label(row['fraction_enrolled'])}"] if row["fraction_enrolled"] < 1 else []
    )
    parts += [analysis_label(row["analysis"])] if name_analysis else []
    return ", ".join(parts)
