"""Predicted versus observed change."""

from collections.abc import Sequence
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.labels import strategy_label
from reports.figures.style import (
    INK,
    MUTED,
    add_legend_below,
    new_figure,
    shared_style,
    strategy_styles,
)

_RASTER_FROM = 400


def plot_predicted_versus_observed(
    predicted_changes: pd.DataFrame, calibration: pd.DataFrame | None = None
) -> Figure:
    """Return one panel a strategy: observed against predicted change, identity, calibration line.

    Parameters
    ----------
    predicted_changes
        Table of `cohorts.schema`; changes in percent of the baseline volume, losses negative.
    calibration
        Columns `strategy`, `slope`, `intercept` (percent): observed on predicted change.
    """
    strategies = list(dict.fromkeys(predicted_changes["strategy"]))
    styles = strategy_styles(strategies)
    lines = {} if calibration is None else calibration.set_index("strategy").to_dict("index")
    low, high = _shared_limits(predicted_changes)
    columns = min(3, len(strategies))
    rows = ceil(len(strategies) / columns)
    with shared_style():
        figure = new_figure(7.2, 2.5 * rows + 0.5)
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, strategy in zip(panels, strategies, strict=False):
            people = predicted_changes[predicted_changes["strategy"] == strategy]
            _plot_people(axes, people, styles[strategy].color)
            axes.axline((0, 0), slope=1, color=INK, lw=1, ls=":", label="Predicted = observed")
            if strategy in lines:
                line = lines[strategy]
                axes.axline(
                    (0, line["intercept"]), slope=line["slope"], color=INK, label="Calibration line"
                )
            axes.set_title(strategy_label(strategy, limit=26).replace(" (", "\n("))
            axes.set(xlim=(low, high), ylim=(low, high))
        for axes in panels[len(strategies) :]:
            axes.set_visible(False)
        _label_outer(list(panels[: len(strategies)]), columns)
        calibrated = [name for name in strategies if name in lines] or strategies
        add_legend_below(figure, panels[strategies.index(calibrated[0])])
    return figure


def _label_outer(panels: Sequence[Axes], columns: int) -> None:
    for place, axes in enumerate(panels):
        if place + columns >= len(panels):
            axes.set_xlabel("Predicted change, %")
            axes.tick_params(labelbottom=True)
        if place % columns == 0:
            axes.set_ylabel("Observed change, %")


def _plot_people(axes: Axes, people: pd.DataFrame, color: str) -> None:
    axes.scatter(
        people["predicted_change_percent"],
        people["observed_change_percent"],
        s=7 if len(people) < _RASTER_FROM else 3,
        color=color,
        alpha=0.45,
        linewidths=0,
        rasterized=len(people) >= _RASTER_FROM,
    )
    axes.axhline(0, color=MUTED, lw=0.6)


def _shared_limits(changes: pd.DataFrame) -> tuple[float, float]:
    values = changes[["predicted_change_percent", "observed_change_percent"]].to_numpy()
    low, high = np.nanpercentile(values, [0.1, 99.9])
    margin = 0.05 * (high - low) or 1.0
    return float(low - margin), float(high + margin)
