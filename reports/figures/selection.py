"""Selected against screened-out people: standardized differences."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.figures.labels import covariate_label, strategy_label
from reports.figures.style import (
    INK,
    MUTED,
    add_legend_below,
    new_figure,
    shared_style,
    strategy_styles,
)


def plot_group_differences(group_differences: pd.DataFrame) -> Figure:
    """Return a love plot: one row a covariate, one mark a strategy, guides at +/- 0.1.

    Parameters
    ----------
    group_differences
        Table of `cohorts.schema`, one fraction enrolled for each strategy. Differences are
        selected minus not selected, in pooled standard deviations.
    """
    table = group_differences.dropna(subset=["standardized_difference"])
    reach = table.groupby("covariate")["standardized_difference"].agg(lambda d: d.abs().max())
    covariates = list(reach.sort_values().index)
    place = {name: row for row, name in enumerate(covariates)}
    limit = max(0.25, 1.12 * float(reach.max()))
    with shared_style():
        figure = new_figure(7.2, 0.36 * len(covariates) + 1.2)
        axes = figure.add_subplot()
        axes.axvline(0, color=INK, lw=1)
        for guide in (-0.1, 0.1):
            axes.axvline(guide, color=MUTED, lw=0.9, ls=(0, (3, 3)))
        styles = strategy_styles(list(table["strategy"]))
        spread = np.linspace(0.18, -0.18, len(styles)) if len(styles) > 1 else [0.0]
        for offset, (strategy, look) in zip(spread, styles.items(), strict=True):
            rows = table[table["strategy"] == strategy]
            axes.plot(
                rows["standardized_difference"],
                rows["covariate"].map(place) + offset,
                ls="",
                color=look.color,
                marker=look.marker,
                ms=5.5,
                label=strategy_label(strategy),
            )
        axes.set_yticks(
            range(len(covariates)), [covariate_label(name, limit=30) for name in covariates]
        )
        axes.set(
            xlabel="Standardized difference, selected minus not selected (SD)",
            xlim=(-limit, limit),
            ylim=(-0.6, len(covariates) - 0.4),
        )
        add_legend_below(figure, axes)
    return figure
