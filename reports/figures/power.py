"""Power curves."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.labels import analysis_label, fraction_label, percent, strategy_label
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


def plot_power_curves(
    operating_characteristics: pd.DataFrame, *, target_power: float | None = None
) -> Figure:
    """Return power against the total sample size: simulated points, bands, closed form, target.

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
