"""What each choice would need at one state of a design, by formula."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.labels import strategy_label
from reports.figures.style import (
    INK,
    MUTED,
    StrategyStyle,
    add_legend_below,
    new_figure,
    shared_style,
    strategy_styles,
    use_percent,
    use_thousands,
)

_EVERYONE = "random"


def plot_what_if(
    choices: pd.DataFrame,
    *,
    looked_at: tuple[str, float] | None = None,
    currency: str = "",
) -> Figure:
    """Return the control arm (and the cost) against the fraction enrolled, a line a strategy.

    Parameters
    ----------
    choices
        Columns `strategy`, `fraction_enrolled`, `n_control`, `cost`; NaN where no trial reaches
        the power.
    looked_at
        Strategy and fraction that are marked.
    currency
        Of the cost, whose panel is left out where nothing costs.
    """
    has_costs = bool((choices["cost"] > 0).any())
    unit, words = (1e6, "million ") if choices["cost"].max() >= 1e6 else (1.0, "")
    columns = [("n_control", "Control arm, people", 1.0)]
    columns += [("cost", f"Cost, {words}{currency}".rstrip(), unit)] if has_costs else []
    styles = strategy_styles(list(dict.fromkeys(choices["strategy"])))
    with shared_style():
        figure = new_figure(7.2, 3.0)
        panels = figure.subplots(1, len(columns), squeeze=False)[0]
        for axes, (column, title, scale) in zip(panels, columns, strict=True):
            for strategy, look in styles.items():
                own = choices[choices["strategy"] == strategy]
                _draw(axes, own["fraction_enrolled"], own[column] / scale, strategy, look)
            if looked_at is not None:
                _mark(axes, choices, looked_at, column, scale)
            axes.set(xlabel="Fraction of the screened enrolled", ylabel=title, xlim=(0, 1.04))
            axes.set_ylim(bottom=0)
            use_percent(axes.xaxis)
            use_thousands(axes.yaxis)
        add_legend_below(figure, panels[0], columns=4)
    return figure


def _draw(
    axes: Axes,
    fractions: "pd.Series[float]",
    values: "pd.Series[float]",
    strategy: str,
    look: StrategyStyle,
) -> None:
    if strategy == _EVERYONE:
        axes.axhline(float(values.iloc[-1]), color=look.color, ls=look.line, label="Everyone")
        return
    axes.plot(
        fractions, values, color=look.color, ls=look.line, marker=look.marker, ms=3.5,
        label=strategy_label(strategy),
    )  # fmt: skip


def _mark(
    axes: Axes, choices: pd.DataFrame, looked_at: tuple[str, float], column: str, scale: float
) -> None:
    strategy, fraction = looked_at
    row = choices[
        (choices["strategy"] == strategy) & ((choices["fraction_enrolled"] - fraction).abs() < 1e-9)
    ]
    if not row.empty:
        axes.axvline(fraction, color=MUTED, lw=0.9, ls=(0, (4, 2)), zorder=0)
        axes.plot(fraction, row[column].iloc[0] / scale, "o", ms=13, mfc="none", mec=INK, mew=1.4)


def plot_course(course: pd.DataFrame, *, region: str) -> Figure:
    """Return one person's predicted volumes over months, with 95 % intervals.

    Parameters
    ----------
    course
        Columns `horizon_months`, `volume_mm3`, `volume_sd_mm3`, `baseline_volume_mm3`.
    region
        What stands at the axis.
    """
    rows = course.sort_values("horizon_months")
    months = [0.0, *rows["horizon_months"]]
    volumes = [float(rows["baseline_volume_mm3"].iloc[0]), *rows["volume_mm3"]]
    half = [0.0, *(1.96 * rows["volume_sd_mm3"].fillna(0.0))]
    look = strategy_styles(["brlp"])["brlp"]
    with shared_style():
        figure = new_figure(4.8, 2.9)
        axes = figure.add_subplot()
        axes.errorbar(months, volumes, yerr=half, color=look.color, marker=look.marker, capsize=3)
        axes.set(xlabel="Months from baseline", ylabel=f"{region.replace('_', ' ').title()}, mm3")
        use_thousands(axes.yaxis)
    return figure
