"""Figures of an evaluation."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure


def write_figures(tables: Mapping[str, pd.DataFrame], out: Path, *, is_synthetic: bool) -> None:
    """Write every figure of an evaluation as PNG."""
    note = "synthetic people" if is_synthetic else ""
    figures = {
        "accuracy": plot_accuracy(tables["accuracy"], note=note),
        "change": plot_change(tables["predicted"], note=note),
    }
    for name, figure in figures.items():
        figure.savefig(out / f"{name}.png", dpi=120)


def plot_accuracy(accuracy: pd.DataFrame, *, note: str = "") -> Figure:
    """Return the error of each method by region, one panel a horizon."""
    errors = accuracy[accuracy["measure"] == "MAE (% of brain)"]
    horizons = sorted(errors["horizon_months"].unique())
    figure = Figure(figsize=(4.8 * len(horizons), 3.8), layout="constrained")
    axes = figure.subplots(1, len(horizons), squeeze=False)[0]
    for panel, horizon in zip(axes, horizons, strict=True):
        own = errors[errors["horizon_months"] == horizon]
        regions = list(dict.fromkeys(own["region"]))
        methods = list(dict.fromkeys(own["method"]))
        for number, method in enumerate(methods):
            mine = own[own["method"] == method].set_index("region").reindex(regions)
            x = [k + 0.16 * (number - (len(methods) - 1) / 2) for k in range(len(regions))]
            low, high = mine["value"] - mine["lower"], mine["upper"] - mine["value"]
            panel.errorbar(
                x, mine["value"], yerr=[low.clip(0), high.clip(0)], fmt="o", ms=4, label=method
            )
        panel.set_xticks(range(len(regions)), [r.replace("_", " ") for r in regions], rotation=30)
        panel.set(title=f"{horizon:g} months", ylabel="mean absolute error (% of brain)")
        panel.set_yscale("log")
    axes[0].legend(fontsize=7)
    figure.suptitle(note, fontsize=9)
    return figure


def plot_change(predicted: pd.DataFrame, *, region: str = "hippocampus", note: str = "") -> Figure:
    """Return predicted against true change, one panel a method that predicts any."""
    own = predicted[(predicted["region"] == region) & (predicted["method"] != "carry forward")]
    methods = list(dict.fromkeys(own["method"]))
    figure = Figure(figsize=(3.6 * len(methods), 3.8), layout="constrained")
    axes = figure.subplots(1, len(methods), squeeze=False, sharex=True, sharey=True)[0]
    for panel, method in zip(axes, methods, strict=True):
        for horizon, mine in own[own["method"] == method].groupby("horizon_months"):
            true = 100 * (mine["true_mm3"] / mine["baseline_mm3"] - 1)
            found = 100 * (mine["predicted_mm3"] / mine["start_mm3"] - 1)
            panel.scatter(true, found, s=14, alpha=0.7, label=f"{horizon:g} months")
        panel.axline((0, 0), slope=1, color="0.6", lw=0.8)
        panel.set(title=method, xlabel=f"true {region} change (%)")
    axes[0].set_ylabel("predicted change (%)")
    axes[0].legend(fontsize=7)
    figure.suptitle(note, fontsize=9)
    return figure
