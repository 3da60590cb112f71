"""Cohort overview: who was screened, for how long they were followed."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cohorts.schema import DIAGNOSES
from reports.figures.style import GREEN, ORANGE, VERMILLION, new_figure, shared_style

_COLORS = dict(zip(DIAGNOSES, (GREEN, ORANGE, VERMILLION), strict=True))
_HATCHES = dict(zip(DIAGNOSES, ("", "///", "xxx"), strict=True))


def plot_cohort_overview(participants: pd.DataFrame, visits: pd.DataFrame) -> Figure:
    """Return the distributions of age, sex and diagnosis, follow-up and visit interval.

    Parameters
    ----------
    participants, visits
        Tables of `cohorts.schema`; ages in years, times in months.
    """
    followup = visits.groupby("participant_id")["months_from_baseline"].max()
    ordered = visits.sort_values(["participant_id", "months_from_baseline"])
    interval = ordered.groupby("participant_id")["months_from_baseline"].diff().dropna()
    with shared_style():
        figure = new_figure(7.2, 5.0)
        age, sex, follow, gap = figure.subplots(2, 2).ravel()
        _plot_ages(age, participants)
        _plot_sexes(sex, participants)
        _plot_months(follow, followup, "Follow-up, months from baseline", "People")
        _plot_months(gap, interval, "Interval between visits, months", "Intervals")
    return figure


def _plot_ages(axes: Axes, people: pd.DataFrame) -> None:
    present = [name for name in DIAGNOSES if (people["diagnosis"] == name).any()]
    ages = [people.loc[people["diagnosis"] == name, "age_years"].to_numpy() for name in present]
    edges = np.histogram_bin_edges(people["age_years"], bins=24)
    below = np.zeros(len(edges) - 1)
    for name, age in zip(present, ages, strict=True):
        counts = np.histogram(age, bins=edges)[0]
        axes.bar(
            edges[:-1],
            counts,
            width=np.diff(edges),
            align="edge",
            bottom=below,
            color=_COLORS[name],
            hatch=_HATCHES[name],
            edgecolor="white",
            linewidth=0.4,
            label=f"{name} (n = {len(age):,})",
        )
        below = below + counts
    axes.set(title="Age at baseline", xlabel="Age, years", ylabel="People")
    axes.legend(handlelength=1.2)


def _plot_sexes(axes: Axes, people: pd.DataFrame) -> None:
    counts = pd.crosstab(people["sex"], people["diagnosis"]).reindex(
        index=["F", "M"], columns=list(DIAGNOSES), fill_value=0
    )
    left = np.zeros(2)
    for name in DIAGNOSES:
        width = counts[name].to_numpy()
        axes.barh(
            ["Women", "Men"],
            width,
            left=left,
            color=_COLORS[name],
            hatch=_HATCHES[name],
            edgecolor="white",
            linewidth=0.4,
            height=0.6,
        )
        left = left + width
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set(title="Sex and diagnosis at baseline", xlabel="People")


def _plot_months(axes: Axes, months: pd.Series, label: str, counted: str) -> None:
    if len(months):
        axes.hist(months, bins=24, color="#4C6A85", edgecolor="white", linewidth=0.4)
    else:
        axes.text(0.5, 0.5, "one visit each", ha="center", transform=axes.transAxes)
    axes.set(title=label.split(",")[0], xlabel=label, ylabel=counted)
