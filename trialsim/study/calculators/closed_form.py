"""Sample sizes by closed forms, as tables and figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reports.figures import plot_costs, plot_power_curves, plot_sample_sizes
from reports.figures.export import write_figure
from trialsim import analytic
from trialsim.analytic.point import DesignPoint, FloatArray
from trialsim.errors import DesignError
from trialsim.whole_people import count_entering


def calculate(form: str, given: Mapping[str, Any], plot: Path | None = None) -> pd.DataFrame:
    """Return what a closed form gives, one row, with whole people and the rule that made them.

    Parameters
    ----------
    form
        Name of a function of `trialsim.analytic` with `delta`, `n_control` and `power`.
    given
        Its arguments.
    plot
        Where power against sample size is drawn, without ending; nowhere when None.

    Raises
    ------
    DesignError
        Where the form cannot be computed.
    """
    point = getattr(analytic, form)(**given)
    if plot is not None:
        _plot_power(form, {**given, "delta": point.delta}, point, plot)
    return _tabulate([point])


def calculate_enrichment(
    fractions: Sequence[float], people: Mapping[str, Any], plot: Path | None = None
) -> pd.DataFrame:
    """Return size, number to screen and cost of each fraction enrolled, one row a fraction.

    People to screen and cost are those of whole arms.

    Parameters
    ----------
    fractions
        Shares enrolled, above 0 and at most 1.
    people
        Arguments of `trialsim.analytic.prognostic_enrichment`. With a price of screening, power and
        slowing the cheapest fraction is added, and marked `is_cheapest`.
    plot
        As in `calculate`.

    Raises
    ------
    DesignError
        Where a fraction cannot be computed.
    """
    points: list[Any] = [
        analytic.prognostic_enrichment(fraction_enrolled=fraction, **people)
        for fraction in fractions
    ]
    # where screening is free the cheapest is the smallest of all that are looked at
    if (
        people["screening_cost"] > 0
        and people["slowing"] is not None
        and people["power"] is not None
    ):
        asked = {key: value for key, value in people.items() if key != "n_control"}
        points.append(analytic.optimal_fraction(**asked))
    table = _tabulate(points).sort_values("fraction_enrolled", ignore_index=True)
    enrolled = table["n_control_rounded"] + table["n_treatment_rounded"]
    table["n_to_screen"] = [
        count_entering(float(n), float(share))
        for n, share in zip(enrolled, table["fraction_enrolled"], strict=True)
    ]
    table["cost"] = (
        enrolled * people["participant_cost"] + table["n_to_screen"] * people["screening_cost"]
    )
    if len(points) > len(fractions):
        table["is_cheapest"] = table["cost"] == table["cost"].min()
    if plot is not None:
        _plot_costs(table, plot)
    return table


def build_correlation(named: str, rho: float, n_visits: int) -> FloatArray:
    """Return a correlation matrix by its name, or from a file.

    Parameters
    ----------
    named
        "ar1", "exchangeable", or the path of a CSV file with the matrix.
    rho, n_visits
        Of a matrix by name.

    Raises
    ------
    DesignError
        Where the file cannot be read.
    """
    if named == "ar1":
        return analytic.ar1(rho, n_visits)
    if named == "exchangeable":
        return analytic.exchangeable(rho, n_visits)
    try:
        return np.loadtxt(named, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise DesignError(
            f'--correlation is "ar1", "exchangeable" or a CSV file of numbers; {named} cannot be '
            f"read: {error}."
        ) from error


def _tabulate(points: Sequence[Any]) -> pd.DataFrame:
    table = pd.concat([point.to_frame() for point in points], ignore_index=True)
    sizes = [point.rounded() for point in points]
    whole = pd.DataFrame(
        {
            "n_control_rounded": [size.n_control for size in sizes],
            "n_treatment_rounded": [size.n_treatment for size in sizes],
            "n_total_rounded": [size.n_total for size in sizes],
            "rounding": [size.rule for size in sizes],
        }
    )
    joined: pd.DataFrame = pd.concat([table, whole], axis=1)
    return joined


def _plot_power(form: str, given: Mapping[str, Any], point: DesignPoint, plot: Path) -> None:
    """Write power against sample size around `point`."""
    sizes = np.linspace(0.25, 2, 22) * float(point.n_control)
    sizes = sizes[sizes * min(1, given["allocation_ratio"]) >= 3 + given.get("n_covariates", 0)]
    curve = getattr(analytic, form)(**{**given, "n_control": sizes, "power": None}).to_frame()
    table = curve.assign(
        strategy="closed form",
        fraction_enrolled=1.0,
        analysis=form,
        power_lower=np.nan,
        power_upper=np.nan,
        closed_form_power=np.nan,
    )
    figure = plot_power_curves(table, target_power=float(point.power))
    write_figure(figure, plot.parent, plot.stem, {plot.stem: curve})


def _plot_costs(table: pd.DataFrame, plot: Path) -> None:
    """Write cost against the fraction enrolled, or sample size where nothing costs."""
    # A closed form has no error to draw.
    bands = [
        f"{column}_{bound}{suffix}"
        for column, suffix in (("cost", ""), ("n_control", ""), ("n_control", "_cohort"))
        for bound in ("lower", "upper")
    ]
    drawn = table.assign(strategy="closed form", **dict.fromkeys(bands, float("nan")))
    if table["cost"].max() == 0:
        figure = plot_sample_sizes(drawn)
    else:
        best = drawn.loc[[drawn["cost"].idxmin()]]
        flat = table.loc[table["cost"] <= 1.05 * best["cost"].iloc[0], "fraction_enrolled"]
        best = best.assign(flat_from=flat.min(), flat_to=flat.max())
        figure = plot_costs(drawn, best)
    write_figure(figure, plot.parent, plot.stem, {plot.stem: table})
