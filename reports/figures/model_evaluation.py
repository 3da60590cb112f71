"""How well a model predicts: the figures of `trialsim evaluate`."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cohorts.files.atomic import write_folder
from reports.figures.export import write_figure
from reports.figures.style import (
    INK,
    MUTED,
    StrategyStyle,
    add_legend_below,
    mark_synthetic,
    new_figure,
    shared_style,
    strategy_styles,
    use_percent,
)

_STRATEGIES: Final = {
    "carry forward": "baseline_volume",
    "BrLP": "brlp",
    "auxiliary model alone": "auxiliary",
    "baseline table alone": "regression",
}
"""The methods look as the strategies do that are made from them."""

_MARKERS: Final = "os^Dv"
"""Of the horizons."""

_OF_BRAIN: Final = "MAE (% of brain)"
_MEASURES: Final = {
    "accuracy": _OF_BRAIN,
    "sexes": _OF_BRAIN,
    "ranking": "Spearman",
    "comparisons": "endpoint_error_percent_of_brain",
}
"""What the figure of a table of several measures shows."""

_OF_IMAGES: Final = ["mse", "voxel_spearman"]


def write_evaluation_figures(
    tables: Mapping[str, pd.DataFrame],
    folder: Path,
    *,
    is_synthetic: bool,
    region: str = "hippocampus",
) -> list[Path]:
    """Write every figure of an evaluation whose tables there are, with its data.

    Parameters
    ----------
    tables
        `accuracy`, `predicted`, `ranking`, `calibration`, `images`, `comparisons`,
        `wrong_diagnosis`, `sexes`; what is absent or empty is left out.
    folder
        Made when absent.
    is_synthetic
        Written on each figure.
    region
        The model's endpoint.
    """
    plots: dict[str, tuple[Callable[[pd.DataFrame], Figure], str]] = {
        "accuracy": (plot_model_accuracy, "accuracy"),
        "change": (partial(plot_model_changes, region=region), "predicted"),
        "ranking": (partial(plot_model_ranking, region=region), "ranking"),
        "calibration": (plot_interval_coverage, "calibration"),
        "uncertainty": (plot_uncertainty, "images"),
        "comparisons": (partial(plot_model_variants, region=region), "comparisons"),
        "wrong_diagnosis": (plot_wrong_diagnosis, "wrong_diagnosis"),
        "sexes": (partial(plot_model_sexes, region=region), "sexes"),
    }
    written = []
    with write_folder(folder) as target:
        for name, (plot, source) in plots.items():
            table = tables.get(source)
            if table is None or _take_shown(table, source, region).empty:
                continue
            figure = plot(table)
            if is_synthetic:
                mark_synthetic(figure)
            written += write_figure(figure, target, name, {name: table})
    return [folder / path.name for path in written]


def _take_shown(table: pd.DataFrame, source: str, region: str) -> pd.DataFrame:
    """Return the rows of a table that a figure shows: not everything is known of few people."""
    if table.empty:
        return table
    match source:
        case "predicted":
            return _take_changing(table, region)
        case "images":
            return table[table["method"] == "BrLP"].dropna(subset=_OF_IMAGES, how="all")
        case "calibration":
            return table.dropna(subset=["coverage", "recalibrated"], how="all")
    known = table.dropna(subset="value")
    if source == "sexes":
        known = known[known["region"] == region]
    measure = _MEASURES.get(source)
    return known if measure is None else known[known["measure"] == measure]


def _take_changing(predicted: pd.DataFrame, region: str) -> pd.DataFrame:
    return predicted[(predicted["region"] == region) & (predicted["method"] != "carry forward")]


def plot_model_accuracy(accuracy: pd.DataFrame) -> Figure:
    """Return the mean absolute error of each method by region, one panel a horizon.

    Parameters
    ----------
    accuracy
        `horizon_months`, `region`, `measure`, `method`, `value`, `lower`, `upper`.
    """
    errors = _take_shown(accuracy, "accuracy", "")
    with shared_style():
        figure, panels = _new_panels(errors["horizon_months"].nunique())
        for panel, (horizon, own) in zip(panels, errors.groupby("horizon_months"), strict=True):
            _plot_estimates(panel, own, "region")
            panel.set(title=f"{horizon:g} months", yscale="log")
            # the style draws no formulas, as the powers of ten would be
            panel.yaxis.set_major_formatter(lambda value, _place: f"{value:g}")
        panels[0].set_ylabel("Mean absolute error, % of brain")
        add_legend_below(figure, panels[0], columns=4)
    return figure


def plot_model_ranking(ranking: pd.DataFrame, *, region: str = "hippocampus") -> Figure:
    """Return the rank correlation of each method in all and by diagnosis, one panel a horizon.

    Parameters
    ----------
    ranking
        `horizon_months`, `subgroup`, `method`, `measure`, `value`, `lower`, `upper`.
    region
        Whose change.
    """
    found = _take_shown(ranking, "ranking", region)
    with shared_style():
        figure, panels = _new_panels(found["horizon_months"].nunique())
        for panel, (horizon, own) in zip(panels, found.groupby("horizon_months"), strict=True):
            _plot_estimates(panel, own, "subgroup")
            panel.axhline(0, color=MUTED, lw=0.8)
            panel.set(title=f"{horizon:g} months", ylim=(-1, 1))
        panels[0].set_ylabel(f"Spearman, change of {region.replace('_', ' ')}")
        add_legend_below(figure, panels[0], columns=4)
    return figure


def plot_model_sexes(sexes: pd.DataFrame, *, region: str = "hippocampus") -> Figure:
    """Return the error of a region among women and among men, one panel a horizon.

    Parameters
    ----------
    sexes
        As `accuracy` in `plot_model_accuracy`, with `sex`.
    region
        Whose.
    """
    own = _take_shown(sexes, "sexes", region)
    with shared_style():
        figure, panels = _new_panels(own["horizon_months"].nunique())
        for panel, (horizon, table) in zip(panels, own.groupby("horizon_months"), strict=True):
            _plot_estimates(panel, table.replace({"sex": {"F": "women", "M": "men"}}), "sex")
            panel.set(title=f"{horizon:g} months")
        panels[0].set_ylabel(f"{region.replace('_', ' ').capitalize()}, MAE in % of brain")
        add_legend_below(figure, panels[0], columns=4)
    return figure


def plot_model_changes(predicted: pd.DataFrame, *, region: str = "hippocampus") -> Figure:
    """Return predicted against true change, one panel a method that predicts any.

    Parameters
    ----------
    predicted
        `method`, `horizon_months`, `region`, `predicted_mm3`, `start_mm3`, `true_mm3`,
        `baseline_mm3`.
    region
        Whose change.
    """
    own = _take_changing(predicted, region)
    own = own.assign(
        true=100 * (own["true_mm3"] / own["baseline_mm3"] - 1),
        found=100 * (own["predicted_mm3"] / own["start_mm3"] - 1),
    )
    changes = own[["true", "found"]].to_numpy()
    margin = 0.04 * float(np.ptp(changes))
    # one scale for all: a narrow spread of predictions has to look narrow
    span = (float(changes.min()) - margin, float(changes.max()) + margin)
    horizons = own["horizon_months"].unique()
    # one horizon is said once: a legend would have the color of the first method alone
    when = f" by month {horizons[0]:g}" if len(horizons) == 1 else ""
    with shared_style():
        figure, panels = _new_panels(own["method"].nunique())
        for panel, (method, table) in zip(panels, own.groupby("method", sort=False), strict=True):
            for place, (horizon, mine) in enumerate(table.groupby("horizon_months")):
                panel.scatter(
                    mine["true"], mine["found"], s=12, alpha=0.6, label=f"{horizon:g} months",
                    marker=_MARKERS[place % len(_MARKERS)], color=_style(str(method)).color,
                )  # fmt: skip
            panel.axline((0, 0), slope=1, color=INK, lw=1, ls=":")
            panel.set(title=str(method), xlim=span, ylim=span)
            panel.set_xlabel(f"True {region} change{when}, %")
        panels[0].set_ylabel("Predicted change, %")
        if not when:
            add_legend_below(figure, panels[0])
    return figure


def plot_interval_coverage(calibration: pd.DataFrame) -> Figure:
    """Return the coverage of intervals as predicted and recalibrated, one panel a level.

    Parameters
    ----------
    calibration
        `horizon_months`, `region`, `level`, `coverage` and `recalibrated` with `_lower`, `_upper`.
    """
    known = _take_shown(calibration, "calibration", "")
    table = known.assign(
        place=known["region"].str.replace("_", " ")
        + known["horizon_months"].map(lambda months: f", {months:g} m")
    )
    with shared_style():
        figure, panels = _new_panels(table["level"].nunique())
        for panel, (level, own) in zip(panels, table.groupby("level"), strict=True):
            for offset, name, marker in ((-0.15, "coverage", "o"), (0.15, "recalibrated", "D")):
                label = "as predicted" if name == "coverage" else name
                columns = [name, f"{name}_lower", f"{name}_upper"]
                bars = own[columns].set_axis(["value", "lower", "upper"], axis=1)
                _plot_bars(panel, np.arange(len(own)) + offset, bars, marker=marker, label=label)
            panel.axhline(float(str(level)), color=INK, lw=1, ls=":")
            panel.set_xticks(range(len(own)), own["place"], rotation=60, ha="right")
            panel.set(title=f"{100 * float(str(level)):g} % intervals", ylim=(0, 1.02))
            use_percent(panel.yaxis)
        panels[0].set_ylabel("Intervals that hold the truth")
        add_legend_below(figure, panels[0])
    return figure


def plot_uncertainty(images: pd.DataFrame) -> Figure:
    """Return scan error and horizon against global uncertainty, and voxel correlations.

    Parameters
    ----------
    images
        `method`, `horizon_months`, `mse`, `global_uncertainty`, `voxel_spearman`.
    """
    own = _take_shown(images, "images", "")
    related = own["voxel_spearman"].dropna()
    with shared_style():
        figure, (error, *others) = _new_panels(1 if related.empty else 2)
        for place, (horizon, mine) in enumerate(own.groupby("horizon_months")):
            error.scatter(
                mine["global_uncertainty"], mine["mse"], s=14, alpha=0.7,
                label=f"{horizon:g} months", marker=_MARKERS[place % len(_MARKERS)],
            )  # fmt: skip
        error.set(xlabel="Global uncertainty (mean sd of the latent)", ylabel="MSE in the brain")
        for voxels in others:
            voxels.hist(related, bins=12, color=_style("BrLP").color)
            voxels.set(xlabel="Spearman, voxel uncertainty and error", ylabel="Predictions")
        add_legend_below(figure, error)
    return figure


def plot_model_variants(comparisons: pd.DataFrame, *, region: str = "hippocampus") -> Figure:
    """Return the endpoint's error of each variant, one panel a comparison.

    Parameters
    ----------
    comparisons
        `comparison`, `variant`, `measure`, `value`, `lower`, `upper`.
    region
        The endpoint.
    """
    own = _take_shown(comparisons, "comparisons", region)
    seconds = comparisons[comparisons["measure"] == "seconds"]
    time = seconds.set_index(["comparison", "variant"])["value"]
    with shared_style():
        figure, panels = _new_panels(own["comparison"].nunique())
        groups = own.groupby("comparison", sort=False)
        for panel, (name, table) in zip(panels, groups, strict=True):
            _plot_bars(panel, np.arange(len(table)), table, marker="D")
            labels = [f"{variant} ({time[name, variant]:.1f} s)" for variant in table["variant"]]
            panel.set_xticks(range(len(table)), labels, rotation=60, ha="right")
            panel.set(title=str(name).capitalize())
        panels[0].set_ylabel(f"{region.replace('_', ' ').capitalize()}, MAE in % of brain")
    return figure


def plot_wrong_diagnosis(moves: pd.DataFrame) -> Figure:
    """Return how far the predicted change moves, one panel for each part that is told.

    Parameters
    ----------
    moves
        `diagnosis`, `told`, `told_to`, `value`, `lower`, `upper` (percentage points).
    """
    known = _take_shown(moves, "wrong_diagnosis", "")
    with shared_style():
        figure, panels = _new_panels(known["told_to"].nunique())
        for panel, (told_to, own) in zip(panels, known.groupby("told_to"), strict=True):
            _plot_bars(panel, np.arange(len(own)), own, marker="D")
            panel.axhline(0, color=MUTED, lw=0.8)
            names = own["diagnosis"] + " told as " + own["told"]
            panel.set_xticks(range(len(own)), names, rotation=60, ha="right")
            panel.set(title=str(told_to).capitalize())
        panels[0].set_ylabel("Move of the predicted change, points")
    return figure


def _new_panels(n: int) -> tuple[Figure, list[Axes]]:
    figure = new_figure(3.6 * max(2, n), 4.2)
    return figure, list(figure.subplots(1, n, squeeze=False)[0])


def _style(method: str) -> StrategyStyle:
    return strategy_styles([_STRATEGIES.get(method, method)])[_STRATEGIES.get(method, method)]


def _plot_estimates(panel: Axes, table: pd.DataFrame, column: str) -> None:
    """Plot each method's estimates side by side, by the values of a column."""
    places = list(dict.fromkeys(table[column]))
    methods = list(dict.fromkeys(table["method"]))
    for number, method in enumerate(methods):
        own = table[table["method"] == method].set_index(column).reindex(places)
        shift = 0.16 * (number - (len(methods) - 1) / 2)
        look = _style(str(method))
        _plot_bars(
            panel, np.arange(len(places)) + shift, own, marker=look.marker, color=look.color,
            label=str(method),
        )  # fmt: skip
    names = [str(place).replace("_", " ") for place in places]
    panel.set_xticks(range(len(places)), names, rotation=30, ha="right")
    panel.set_xlim(-0.5, len(places) - 0.5)


def _plot_bars(
    panel: Axes,
    x: npt.NDArray[Any],
    table: pd.DataFrame,
    *,
    marker: str,
    color: str | None = None,
    label: str | None = None,
) -> None:
    value = table["value"].to_numpy(float)
    below = (value - table["lower"].to_numpy(float)).clip(0)
    above = (table["upper"].to_numpy(float) - value).clip(0)
    panel.errorbar(
        x, value, yerr=[below, above], fmt=marker, color=color, label=label, elinewidth=1
    )
