"""The figure that decides: what each choice needs and costs, beside enrolling everyone."""

from typing import Final, NamedTuple

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.figures.labels import fraction_label, label_text, percent, strategy_label
from reports.figures.style import INK, MUTED, new_figure, shared_style, strategy_styles

_EVERYONE: Final = "random"
_ROW_INCHES: Final = 0.34


class Quantity(NamedTuple):
    """One panel: a column with its interval, and what stands under the axis."""

    column: str
    low: str
    high: str
    title: str
    unit: float = 1.0


def plot_choices(choices: pd.DataFrame, *, currency: str = "", power: bool = False) -> Figure:
    """Return one row a choice, with its interval, and a line where enrolling everyone stands.

    Parameters
    ----------
    choices
        Rows of `sample_sizes`, one a strategy, in the order of the figure; where `power` is asked
        for, also `power`, `power_lower`, `power_upper`, `power_at` (people in the control arm).
    currency
        Shown under the costs.
    power
        Whether the power at one sample size for all is a panel.
    """
    quantities = _list_quantities(choices, currency, power=power)
    styles = strategy_styles(list(choices["strategy"]))
    rows = choices.to_dict("records")
    with shared_style():
        figure = new_figure(6.4, _ROW_INCHES * len(rows) + 1.2)
        panels = figure.subplots(1, len(quantities), sharey=True, squeeze=False)[0]
        for axes, quantity in zip(panels, quantities, strict=True):
            for place, row in enumerate(rows):
                look = styles[row["strategy"]]
                value, low, high = (
                    row[name] / quantity.unit for name in (quantity.column, *quantity[1:3])
                )
                axes.plot([low, high], [place, place], color=look.color, lw=2.2)
                axes.plot(value, place, marker=look.marker, color=look.color, ms=6, mec="white")
                if row["strategy"] == _EVERYONE:
                    axes.axvline(value, color=MUTED, lw=0.9, ls=(0, (4, 2)), zorder=0)
            axes.set_xlabel(quantity.title, fontsize=9)
            is_share = quantity.column == "power"
            # shares are written with a percent sign each, and would touch
            axes.xaxis.set_major_locator(MaxNLocator(3 if is_share else 4))
            if is_share:
                axes.xaxis.set_major_formatter(lambda share, _place: percent(share))
            axes.grid(visible=False, axis="y")
        panels[0].set_yticks(range(len(rows)), [_choice_label(row) for row in rows], color=INK)
        panels[0].set_ylim(len(rows) - 0.5, -0.5)
    return figure


def _list_quantities(choices: pd.DataFrame, currency: str, *, power: bool) -> list[Quantity]:
    found = []
    if power:
        at = f"{choices['power_at'].iloc[0]:,.0f}"
        title = f"Power with {at}\nin the control arm"
        found.append(Quantity("power", "power_lower", "power_upper", title))
    found.append(
        Quantity(
            "n_control",
            "n_control_lower_cohort",
            "n_control_upper_cohort",
            "Control arm needed,\npeople",
        )
    )
    if (choices["cost"] > 0).any():
        unit, words = (1e6, "million ") if choices["cost"].max() >= 1e6 else (1.0, "")
        title = f"Cost of the trial,\n{words}{label_text(currency, limit=12)}".rstrip(",\n ")
        found.append(Quantity("cost", "cost_lower", "cost_upper", title, unit))
    return found


def _choice_label(row: dict[object, object]) -> str:
    name = strategy_label(str(row["strategy"]), limit=22)
    fraction = float(str(row["fraction_enrolled"]))
    if row["strategy"] == _EVERYONE:
        return "Everyone (random)"
    return f"{name.split(' (')[0]}, top {fraction_label(fraction)}"
