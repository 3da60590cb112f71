"""Cohort overview: who was screened, for how long they were followed."""

from collections.abc import Callable
from math import ceil
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cohorts.schema import order_diagnoses
from reports.figures.style import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    new_figure,
    shared_style,
)

_LOOKS: Final = {"CN": (GREEN, ""), "MCI": (ORANGE, "///"), "AD": (VERMILLION, "xxx")}
_OTHER_LOOKS: Final = ((SKY, ""), (PURPLE, "///"), (BLUE, "xxx"))
_SEXES: Final = {"F": "Women", "M": "Men"}
_PANELS: Final = {
    "age": "age",
    "sex": "sex and diagnosis at baseline",
    "follow_up": "follow-up",
    "interval": "interval between visits",
}
_AXES: Final = {
    "age": ("Age at baseline, years", "People"),
    "follow_up": ("Follow-up, months from baseline", "People"),
    "interval": ("Interval between visits, months", "Intervals"),
}
_AGE_WIDTHS: Final = (2.0, 5.0, 10.0, 20.0)
_MONTH_WIDTHS: Final = (3.0, 6.0, 12.0, 24.0)
_MOST_LEFT_OUT: Final = 0.2
"""The share of people in bars too small to be drawn from which wider bars are taken."""


def count_cohort(
    participants: pd.DataFrame,
    visits: pd.DataFrame,
    *,
    smallest: int = 1,
    hide: Callable[["pd.Series[float]"], "pd.Series[bool]"] | None = None,
) -> pd.DataFrame:
    """Count people by age, sex and diagnosis, follow-up and interval between visits.

    Parameters
    ----------
    participants, visits
        Tables of `cohorts.schema`; ages in years, times in months.
    smallest
        Groups of fewer people are left out; bars are made wider where that would lose many.
    hide
        Says which counts of one panel are left out besides, so that no total gives one away.

    Returns
    -------
    pandas.DataFrame
        `panel` (`age`, `sex`, `follow_up`, `interval`), `group`, `low`, `high` (the bar's ends,
        years or months; NaN where the group is a word), `count`.
    """
    followup = visits.groupby("participant_id")["months_from_baseline"].max()
    ordered = visits.sort_values(["participant_id", "months_from_baseline"])
    interval = ordered.groupby("participant_id")["months_from_baseline"].diff().dropna()
    sexes = count_sexes(participants)
    pairs = [(name, sex) for name in sexes.index for sex in sexes.columns]
    by_sex = pd.DataFrame(
        {
            "panel": "sex",
            "group": [name_sex(name, sex) for name, sex in pairs],
            "low": np.nan,
            "high": np.nan,
            "count": sexes.to_numpy().ravel(),
        }
    )
    counts = pd.concat(
        [
            _count_bars("age", participants["age_years"], _AGE_WIDTHS, smallest, hide),
            by_sex[by_sex["count"] >= smallest],
            _count_bars("follow_up", followup, _MONTH_WIDTHS, smallest, hide),
            _count_bars("interval", interval, _MONTH_WIDTHS, smallest, hide),
        ],
        ignore_index=True,
    )
    return counts.astype({"count": int})


def count_sexes(participants: pd.DataFrame) -> pd.DataFrame:
    """Return how many people there are of each diagnosis (rows) and sex (columns)."""
    return pd.crosstab(participants["diagnosis"], participants["sex"])


def name_sex(diagnosis: str, sex: str) -> str:
    """Return what the bar of a diagnosis and sex is called: `Women, MCI`."""
    return f"{_SEXES[sex]}, {diagnosis}"


def plot_cohort_overview(counts: pd.DataFrame) -> Figure:
    """Return the distributions of age, sex and diagnosis, follow-up and visit interval.

    A panel without bars is left out, and so are follow-up and interval where nobody was followed.

    Parameters
    ----------
    counts
        What `count_cohort` returns; at least one panel has bars.
    """
    shown = _fill_panels(counts)
    rows = ceil(len(shown) / 2)
    with shared_style():
        figure = new_figure(7.2, 2.5 * rows)
        panels = figure.subplots(rows, min(2, len(shown)), squeeze=False).ravel()
        for axes, name in zip(panels, shown, strict=False):
            bars = counts[counts["panel"] == name]
            if name == "sex":
                _plot_sexes(axes, bars)
            else:
                _plot_bars(axes, bars, *_AXES[name])
        for axes in panels[len(shown) :]:
            axes.set_visible(False)
    return figure


def list_panels(counts: pd.DataFrame) -> dict[str, bool]:
    """Say of each panel, named in words, whether there is something to show."""
    return {words: name in _fill_panels(counts) for name, words in _PANELS.items()}


def _fill_panels(counts: pd.DataFrame) -> list[str]:
    later = counts["panel"].eq("interval") | (counts["panel"].eq("follow_up") & counts["low"].gt(0))
    unseen = set() if later.any() else {"follow_up", "interval"}  # everybody has one visit
    return [name for name in _PANELS if name in set(counts["panel"]) - unseen]


def _count_bars(
    panel: str,
    values: "pd.Series[float]",
    widths: tuple[float, ...],
    smallest: int,
    hide: Callable[["pd.Series[float]"], "pd.Series[bool]"] | None,
) -> pd.DataFrame:
    bars = pd.DataFrame()
    for width in widths:
        # visits a few days off their month belong to it, so bars are centered on whole widths
        low = (values / width).round() * width - width / 2
        bars = low.value_counts().sort_index().rename_axis("low").reset_index(name="count")
        bars = bars.assign(panel=panel, group="", high=bars["low"] + width)
        if bars.loc[bars["count"] < smallest, "count"].sum() <= _MOST_LEFT_OUT * len(values):
            break
    shown = bars["count"] >= smallest
    return bars[shown if hide is None else shown & ~hide(bars["count"])]


def _plot_sexes(axes: Axes, counts: pd.DataFrame) -> None:
    known = dict(zip(counts["group"], counts["count"], strict=True))
    left = np.zeros(2)
    axes.set_title("Sex and diagnosis at baseline")
    names = order_diagnoses(group.rpartition(", ")[2] for group in known)
    for place, name in enumerate(names):
        color, hatch = _LOOKS.get(name, _OTHER_LOOKS[place % len(_OTHER_LOOKS)])
        width = np.array([known.get(f"{sex}, {name}", 0) for sex in _SEXES.values()])
        axes.barh(
            list(_SEXES.values()),
            width,
            left=left,
            color=color,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.4,
            height=0.6,
            label=name,
        )
        left = left + width
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("People")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.22), ncols=3, handlelength=1.2)


def _plot_bars(axes: Axes, bars: pd.DataFrame, label: str, counted: str) -> None:
    axes.bar(
        bars["low"],
        bars["count"],
        width=bars["high"] - bars["low"],
        align="edge",
        color=BLUE,
        edgecolor="white",
        linewidth=0.6,
    )
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    if len(bars) == 1:  # a single bar would fill the panel
        low, high = bars["low"].iloc[0], bars["high"].iloc[0]
        axes.set_xlim(low - 2 * (high - low), high + 2 * (high - low))
    axes.set(title=label.split(",")[0], xlabel=label, ylabel=counted)
