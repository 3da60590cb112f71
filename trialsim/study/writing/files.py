"""Tables and figures of a study, as files that other programs read."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from cohorts.cohort import Cohort
from cohorts.demographics import name_cohort
from cohorts.files.table_files import write_table
from reports.figures.capture import plot_capture_rates
from reports.figures.cohort import count_cohort, plot_cohort_overview
from reports.figures.error_rates import plot_error_rates
from reports.figures.export import write_figure
from reports.figures.fractions import plot_costs, plot_sample_sizes
from reports.figures.front import plot_front
from reports.figures.power import plot_power_curves
from reports.figures.prediction import plot_predicted_versus_observed
from reports.figures.selection import plot_group_differences
from reports.figures.sensitivity import plot_sensitivity
from trialsim.study.protocol import Protocol
from trialsim.study.result import StudyResult
from trialsim.study.summaries import COMPARISON_TABLES, POWER_TABLES, RANKING_TABLES

_WriteFigure = Callable[[Figure, str], None]


def write_csv_tables(result: StudyResult, names: Iterable[str], folder: Path) -> None:
    """Write each table as CSV."""
    with result.study.snapshot():
        for name in names:
            write_table(result.table(name), folder / f"{name}.csv")


def write_ranking(result: StudyResult, folder: Path) -> None:
    """Write scores, selections, and who is left out, drawn for each fraction."""
    with result.study.snapshot():
        write_csv_tables(result, RANKING_TABLES, folder)
        write = _mark_figures(result, folder)
        for fraction, rows in result.table("group_differences").groupby("fraction_enrolled"):
            name = f"group_differences_{100 * float(str(fraction)):.3g}_percent".replace(".", "_")
            write(plot_group_differences(rows), name)


def write_comparison(result: StudyResult, folder: Path) -> None:
    """Write capture rates, and how well scores predict the decline, with their figures."""
    with result.study.snapshot():
        write_csv_tables(result, COMPARISON_TABLES, folder)
        write = _mark_figures(result, folder)
        groups = result.table("capture_rates").groupby(["definition", "truth"], sort=False)
        for place, (_, rows) in enumerate(groups):
            name = "capture_rates_figure" if not place else "capture_rates_later_figure"
            write(plot_capture_rates(rows), name)
        changes = result.table("predicted_changes")
        if not changes.empty:
            lines = result.table("predictor_performance").query("subgroup == 'all'")
            wide = lines.pivot_table(index="strategy", columns="metric", values="value")
            calibration = wide.reset_index().rename(
                columns={"calibration_slope": "slope", "calibration_intercept": "intercept"}
            )
            shown = calibration[["strategy", "slope", "intercept"]].dropna()
            write(plot_predicted_versus_observed(changes, shown), "predicted_versus_observed")


def write_power(result: StudyResult, folder: Path) -> None:
    """Write every table of the simulation as CSV, the figures of each analysis as SVG and PNG."""
    with result.study.snapshot():
        write_csv_tables(result, POWER_TABLES, folder)
        write, protocol = _mark_figures(result, folder), result.protocol
        names = ("operating_characteristics", "sample_sizes", "cheapest_fractions")
        whole = {name: result.table(name) for name in names}
        for analysis in protocol.design.analyses:
            tables = {name: table[table["analysis"] == analysis] for name, table in whole.items()}
            _write_power_curves(write, protocol, tables["operating_characteristics"], analysis)
            _write_figures_of_sizes(write, protocol, tables, analysis)
        sensitivity = result.table("sensitivity")
        if not sensitivity.empty:
            write(plot_sensitivity(sensitivity), "sensitivity")


def write_front(result: StudyResult, folder: Path) -> None:
    """Write the designs that nothing beats as CSV, with their figure."""
    with result.study.snapshot():
        write_csv_tables(result, ["design_front"], folder)
        currency = result.protocol.costs.currency
        figure = plot_front(result.table("design_front"), currency=currency)
        _mark_figures(result, folder)(figure, "design_front_figure")


def _write_power_curves(
    write: _WriteFigure, protocol: Protocol, table: pd.DataFrame, analysis: str
) -> None:
    """Write one figure for each fraction, with random enrollment in all of them."""
    design = protocol.design
    for fraction in dict.fromkeys(table["fraction_enrolled"]):
        shown = table[(table["fraction_enrolled"] == fraction) | (table["strategy"] == "random")]
        if set(shown["strategy"]) == {"random"} and len(set(table["strategy"])) > 1:
            continue
        figure = plot_power_curves(shown, target_power=design.target_power)
        write(figure, f"power_{analysis}_{fraction * 100:.0f}_percent")
    errors = plot_error_rates(table, alpha=design.alpha, sides=design.sides)
    write(errors, f"error_rates_{analysis}")


def _write_figures_of_sizes(
    write: _WriteFigure, protocol: Protocol, tables: dict[str, pd.DataFrame], analysis: str
) -> None:
    sizes, cheapest = tables["sample_sizes"], tables["cheapest_fractions"]
    write(plot_sample_sizes(sizes), f"sample_sizes_{analysis}")
    best = cheapest[cheapest["choice"] == "fraction"]
    if not best.empty:
        write(plot_costs(sizes, best, currency=protocol.costs.currency), f"costs_{analysis}")


def _mark_figures(result: StudyResult, folder: Path) -> _WriteFigure:
    """Return what writes a figure as SVG and PNG; one of synthetic people says so."""
    # asked once: that reads the whole study
    is_synthetic = result.is_synthetic

    def write(figure: Figure, name: str) -> None:
        if is_synthetic:
            figure.suptitle("Synthetic people", fontsize=9, x=0.99, ha="right")
        write_figure(figure, folder, name, {})

    return write


def write_cohort_overview(cohort: Cohort, path: Path) -> list[Path]:
    """Draw who the people of a cohort are; return the files written."""
    drawn = plot_cohort_overview(count_cohort(cohort.participants, cohort.visits))
    drawn.suptitle(name_cohort(cohort))
    return write_figure(drawn, path.parent, path.stem, {})
