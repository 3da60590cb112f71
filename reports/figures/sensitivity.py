"""Sensitivity tornado."""

from textwrap import fill

import pandas as pd
from matplotlib.figure import Figure

from reports.figures.labels import assumption_label
from reports.figures.style import (
    BLUE,
    INK,
    ORANGE,
    add_legend_below,
    new_figure,
    shared_style,
)


def plot_sensitivity(sensitivity: pd.DataFrame) -> Figure:
    """Return a tornado: how far each assumption moves the sample size of the control arm.

    Parameters
    ----------
    sensitivity
        Table of `cohorts.schema`; the widest bar is drawn on top.
    """
    table = sensitivity.dropna(
        subset=["n_control_at_low", "n_control_at_high", "n_control_at_base"]
    )
    span = (table["n_control_at_high"] - table["n_control_at_low"]).abs()
    rows = table.loc[span.sort_values().index].to_dict("records")
    with shared_style():
        figure = new_figure(7.2, 0.5 * len(rows) + 1.1)
        axes = figure.add_subplot()
        for place, row in enumerate(rows):
            base = row["n_control_at_base"]
            for side, color, hatch in (("low", BLUE, ""), ("high", ORANGE, "///")):
                end = row[f"n_control_at_{side}"]
                axes.barh(
                    place,
                    end - base,
                    left=base,
                    color=color,
                    hatch=hatch,
                    edgecolor="white",
                    height=0.55,
                    label=f"At the {side} value" if place == 0 else None,
                )
                axes.annotate(
                    f"{row[f'{side}_value']:g}",
                    (end, place),
                    xytext=(4 if end >= base else -4, 0),
                    textcoords="offset points",
                    va="center",
                    ha="left" if end >= base else "right",
                    fontsize=8.5,
                    color=INK,
                    # both ends may lie on one side of the base: the nearer is written on a bar
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
                )
            axes.plot([base] * 2, [place - 0.36, place + 0.36], color=INK, lw=1.2)
        labels = [fill(assumption_label(row["parameter"]), 30) for row in rows]
        axes.set_yticks(range(len(rows)), labels)
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.12)
        axes.set(xlabel="Participants in the control arm (line: base case)")
        add_legend_below(figure, axes)
    return figure
