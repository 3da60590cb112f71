"""Bounds of the looks of a trial, on three scales."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from reports.figures.labels import label_text
from reports.figures.style import (
    BLUE,
    INK,
    MUTED,
    VERMILLION,
    add_legend_below,
    new_figure,
    shared_style,
    use_percent,
)


def plot_bounds(looks: pd.DataFrame, *, unit: str = "") -> Figure:
    """Return the bounds against information: z, the difference of the arms, the p value.

    Parameters
    ----------
    looks
        Rows of one trial of the table `looks` of `cohorts.schema`, in the order of the looks.
    unit
        Of the endpoint.
    """
    rate = looks["information_rate"].to_numpy(dtype=float)
    difference = "Difference of the arms" + (f", {label_text(unit, limit=20)}" if unit else "")
    with shared_style():
        figure = new_figure(7.2, 3.0)
        axes = figure.subplots(1, 3)
        for place, (column, title) in enumerate((("z", "z"), ("effect", difference))):
            _draw(axes[place], rate, looks, column)
            axes[place].axhline(0, color=MUTED, lw=0.8)
            axes[place].set(ylabel=title)
        p = looks["efficacy_p"].to_numpy(dtype=float)
        axes[2].plot(rate, p, color=BLUE, marker="o")
        axes[2].set_yscale("log")
        # the usual labels of powers are mathematics, which texts of figures do not set
        axes[2].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes[2].yaxis.set_minor_formatter(NullFormatter())
        _label(axes[2], rate, p, ".2g")
        axes[2].margins(y=0.15)
        axes[2].set(ylabel="Nominal p value for efficacy")
        for axis in axes:
            use_percent(axis.xaxis)
            axis.set_xlim(0, 1.06)
            axis.set_xlabel("Information")
        add_legend_below(figure, axes[0])
    return figure


def _draw(axes: Axes, rate: np.ndarray, looks: pd.DataFrame, column: str) -> None:
    upper = looks[f"efficacy_{column}"].to_numpy(dtype=float)
    lower = looks[f"futility_{column}"].to_numpy(dtype=float)
    axes.plot(rate, upper, color=BLUE, marker="o", label="Stop for efficacy at or above")
    # the last futility bound is the efficacy bound
    stops = np.isfinite(lower[:-1])
    if stops.any():
        shown = np.append(stops, True)
        axes.plot(
            rate[shown],
            lower[shown],
            color=VERMILLION,
            marker="s",
            ls="--",
            label="Stop for futility below",
        )
    _label(axes, rate, upper, "#.3g")
    axes.margins(y=0.15)


def _label(axes: Axes, rate: np.ndarray, values: np.ndarray, kind: str) -> None:
    for x, value in zip(rate, values, strict=True):
        if np.isfinite(value):
            axes.annotate(
                f"{value:{kind}}".rstrip("."),
                (x, value),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=INK,
            )
