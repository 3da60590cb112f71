"""The designs that nothing beats: what one aim costs in the others."""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from reports.figures.labels import label_text, strategy_label
from reports.figures.style import (
    INK,
    add_legend_below,
    new_figure,
    shared_style,
    strategy_styles,
    use_percent,
    use_thousands,
)

_PANELS: Final = (
    ("months_to_last_visit", "Months to the last visit"),
    ("n_to_screen", "People screened"),
    ("share_left_out", "Left out, of those screened"),
)


def plot_front(front: pd.DataFrame, *, currency: str = "") -> Figure:
    """Return cost against months, people screened and share left out, one point a design.

    Where nothing costs, people enrolled take the place of the cost.

    Parameters
    ----------
    front
        Table `design_front` of `cohorts.schema`. Large marks: the best in an aim.
    currency
        Shown with the axis.
    """
    styles = strategy_styles(list(front["strategy"]))
    is_priced = front["cost"].notna().any()
    amount = front["cost"] if is_priced else front["n_control"] + front["n_treatment"]
    unit, words = (1e6, "million ") if is_priced and amount.max() >= 1e6 else (1.0, "")
    is_best = front["best_in"] != ""
    with shared_style():
        figure = new_figure(8.6, 3.4)
        panels = figure.subplots(1, len(_PANELS), sharey=True)
        for axes, (column, title) in zip(panels, _PANELS, strict=True):
            for name, look in styles.items():
                rows = front[front["strategy"] == name]
                axes.scatter(
                    rows[column],
                    amount[rows.index] / unit,
                    s=[70 if best else 14 for best in is_best[rows.index]],
                    marker=look.marker,
                    color=look.color,
                    edgecolors=[INK if best else look.color for best in is_best[rows.index]],
                    alpha=0.8,
                    linewidth=0.8,
                    label=strategy_label(name, limit=24),
                )
            axes.set_xlabel(title, fontsize=9)
            axes.locator_params(axis="x", nbins=5)
        use_percent(panels[-1].xaxis)
        use_thousands(panels[1].xaxis)
        title = f"Cost, {words}{label_text(currency, limit=12)}".rstrip(", ")
        panels[0].set_ylabel(title if is_priced else "People enrolled", fontsize=9)
        add_legend_below(figure, panels[0])
    return figure
