"""Figures of a finished trial: its effects, its twins, what the missing may change."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.figures.labels import estimator_label
from reports.figures.style import (
    BLUE,
    INK,
    MUTED,
    RULE,
    VERMILLION,
    add_legend_below,
    new_figure,
    shared_style,
)

_ARMS = {"control": (BLUE, "o"), "treatment": (VERMILLION, "^")}


def plot_trial_effects(effects: pd.DataFrame, *, unit: str) -> Figure:
    """Return the effect at the last visit by each estimator, with its interval, the primary on top.

    Parameters
    ----------
    effects
        Table `trial_effects`; rows of the slope are left out, theirs is another unit.
    unit
        Of the estimates.
    """
    rows = effects[(effects["effect"] == "last visit") & effects["estimate"].notna()]
    places = np.arange(len(rows))[::-1]
    with shared_style():
        figure = new_figure(7.2, 1.2 + 0.3 * len(rows))
        axes = figure.add_subplot()
        axes.axvline(0, color=MUTED, lw=0.8)
        for place, row in zip(places, rows.to_dict("records"), strict=True):
            color = VERMILLION if row["is_primary"] else INK
            axes.plot([row["lower"], row["upper"]], [place, place], color=color, lw=1.6)
            marker = "D" if row["is_primary"] else "o"
            axes.plot(row["estimate"], place, marker=marker, color=color, ls="none")
        labels = [estimator_label(name) for name in rows["estimator"]]
        axes.set_yticks(places, labels)
        axes.grid(visible=False, axis="y")
        axes.set(xlabel=f"Treatment minus control at the last visit, {unit}", ylim=(-0.7, None))
    return figure


def plot_twins(twin_outcomes: pd.DataFrame, *, unit: str) -> Figure:
    """Return observed against twin at the last visit, one panel an arm; the line is "as predicted".

    A panel's title tells the mean of observed minus twin.

    Parameters
    ----------
    twin_outcomes
        Table `twin_outcomes`.
    unit
        Of both.
    """
    last = twin_outcomes[twin_outcomes["months"] == twin_outcomes["months"].max()].dropna()
    ends = [last[["observed", "twin"]].min().min(), last[["observed", "twin"]].max().max()]
    with shared_style():
        figure = new_figure(7.2, 3.6)
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, (arm, (color, marker)) in zip(panels, _ARMS.items(), strict=True):
            rows = last[last["arm"] == arm]
            axes.plot(ends, ends, color=MUTED, lw=0.9, ls=(0, (4, 2)))
            axes.plot(rows["twin"], rows["observed"], ls="none", marker=marker, ms=3.5,
                      color=color, alpha=0.7)  # fmt: skip
            mean = (rows["observed"] - rows["twin"]).mean()
            axes.set_title(f"{arm.capitalize()}: {mean:+.3g} on average".replace("-", "\u2212"))
            axes.set_xlabel(f"Twin (untreated), {unit}")
        panels[0].set_ylabel(f"Observed, {unit}")
    return figure


def plot_tipping_point(
    curve: pd.DataFrame, *, tips_at: float, unit: str, level: str = "95 %"
) -> Figure:
    """Return the effect as treated people who left are taken to have fared otherwise.

    Parameters
    ----------
    curve
        Table `trial_tipping_point`.
    tips_at
        The delta at which the interval reaches 0; infinite where none does.
    unit
        Of delta and effect.
    level
        What the intervals cover.
    """
    rows = curve.sort_values("delta")
    with shared_style():
        figure = new_figure(7.2, 3.2)
        axes = figure.add_subplot()
        axes.axhline(0, color=MUTED, lw=0.8)
        axes.fill_between(rows["delta"], rows["lower"], rows["upper"], color=BLUE, alpha=0.18, lw=0)
        axes.plot(rows["delta"], rows["estimate"], color=BLUE, label=f"Effect, {level} interval")
        if np.isfinite(tips_at) and tips_at != 0:
            axes.axvline(tips_at, color=VERMILLION, lw=1.2, ls=(0, (4, 2)),
                         label=f"Tips at {tips_at:.3g} {unit}".replace("-", "\u2212"))  # fmt: skip
        axes.set(
            xlabel=f"Added to imputed outcomes of treated people who left, {unit}",
            ylabel=f"Effect, {unit}",
        )
        add_legend_below(figure, axes)
    return figure


def plot_individual_effects(individual_effects: pd.DataFrame, *, unit: str) -> Figure:
    """Return observed minus twin of treated people, sorted, with conformal intervals.

    Parameters
    ----------
    individual_effects
        Table `individual_effects`.
    unit
        Of the differences.
    """
    rows = individual_effects.sort_values("difference").reset_index(drop=True)
    with shared_style():
        figure = new_figure(7.2, 3.2)
        axes = figure.add_subplot()
        axes.axhline(0, color=MUTED, lw=0.8)
        for says, color, label in (
            (False, RULE, "Interval holds 0: says nothing of this person"),
            (True, VERMILLION, "Interval leaves out 0"),
        ):
            own = rows[rows["says_something"] == says]
            axes.vlines(own.index, own["lower"], own["upper"], color=color, lw=1.2, label=label)
            axes.plot(own.index, own["difference"], ls="none", marker="o", ms=2.5, color=INK)
        axes.set(xlabel="Treated people, sorted", ylabel=f"Observed minus twin, {unit}", xticks=[])
        add_legend_below(figure, axes, columns=2)
    return figure
