"""What the fraction enrolled changes: sample size, cost."""

from typing import Any, Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.labels import label_text
from reports.figures.multiples import draw_multiples
from reports.figures.style import (
    INK,
    add_legend_below,
    new_figure,
    shared_style,
    use_percent,
    use_thousands,
)

_EVERYONE: Final = "random"


def plot_sample_sizes(sample_sizes: pd.DataFrame) -> Figure:
    """Return the sample size of the control arm against the fraction, a panel a strategy.

    Parameters
    ----------
    sample_sizes
        Table of `cohorts.schema`, one analysis and one target power. The bands include the error
        of cohort and prediction model where it is known.
    """
    table = sample_sizes.assign(
        lower=sample_sizes["n_control_lower_cohort"].fillna(sample_sizes["n_control_lower"]),
        upper=sample_sizes["n_control_upper_cohort"].fillna(sample_sizes["n_control_upper"]),
    )
    with shared_style():
        return _draw(table, "n_control", ("lower", "upper"), "Control arm, people")


def plot_costs(sample_sizes: pd.DataFrame, cheapest: pd.DataFrame, *, currency: str = "") -> Figure:
    """Return cost against the fraction enrolled, a panel a strategy, with its cheapest point.

    Parameters
    ----------
    sample_sizes
        Table of `cohorts.schema`, one analysis and one target power.
    cheapest
        One row a strategy: `strategy`, `fraction_enrolled`, `cost`.
    currency
        Shown with the axis.
    """
    top = float(sample_sizes["cost"].max())
    unit, words = (1e6, "million ") if top >= 1e6 else (1.0, "")
    amounts = ["cost", "cost_lower", "cost_upper"]
    table = sample_sizes.assign(**{name: sample_sizes[name] / unit for name in amounts})
    stars = cheapest.assign(cost=cheapest["cost"] / unit)
    title = f"Cost, {words}{label_text(currency, limit=12)}".strip(" ,")
    with shared_style():
        return _draw(table, "cost", ("cost_lower", "cost_upper"), title, stars)


def _draw(
    table: pd.DataFrame,
    column: str,
    band: tuple[str, str],
    title: str,
    stars: pd.DataFrame | None = None,
) -> Figure:
    everyone = table[table["strategy"] == _EVERYONE]
    # who is drawn at one fraction has no curve: enrolling everyone is the line to compare with
    curved = table.groupby("strategy", sort=False)["fraction_enrolled"].transform("nunique") > 1
    strategies = list(dict.fromkeys(table.loc[curved, "strategy"]))
    if not strategies:
        figure = new_figure(7.2, 1.0)
        figure.text(0.02, 0.5, "One fraction enrolled: see the table of choices.", color=INK)
        return figure
    figure, panels = draw_multiples(
        table,
        x="fraction_enrolled",
        y=column,
        band=band,
        strategies=strategies,
        titles=("Fraction enrolled", title),
    )
    for name, axes in panels.items():
        if len(everyone):
            axes.axhline(
                everyone[column].iloc[-1], color=INK, lw=1, ls=(0, (4, 2)), label="Enrolling all"
            )
        if stars is not None:
            _draw_star(axes, stars[stars["strategy"] == name].to_dict("records"))
        use_percent(axes.xaxis)
        use_thousands(axes.yaxis)
    add_legend_below(figure, next(iter(panels.values())))
    return figure


def _draw_star(axes: Axes, cheapest: list[dict[Any, Any]]) -> None:
    for row in cheapest:
        axes.plot(
            row["fraction_enrolled"],
            row["cost"],
            ls="",
            marker="*",
            ms=12,
            mfc="white",
            mec=INK,
            mew=1.2,
            zorder=5,
            label="Cheapest fraction",
        )
