"""Tables and figures of `trialsim power`, as files."""

from pathlib import Path

import pandas as pd

from cohorts.atomic import write_folder
from cohorts.table_files import write_table
from reports.figures.error_rates import plot_error_rates
from reports.figures.export import write_figure
from reports.figures.fractions import plot_costs, plot_sample_sizes
from reports.figures.power import plot_power_curves
from reports.figures.sensitivity import plot_sensitivity
from trialsim.design import TrialDesign
from trialsim.simulation.comparison import Comparison


def write_power(found: Comparison, folder: Path, design: TrialDesign, currency: str) -> None:
    """Write every table as CSV, the figures of each analysis as SVG and PNG."""
    with write_folder(folder) as partial:
        _write_files(found, partial, design, currency)


def _write_files(found: Comparison, folder: Path, design: TrialDesign, currency: str) -> None:
    for name, table in found.tables.items():
        write_table(table, folder / f"{name}.csv")
    for analysis in design.analyses:
        tables = {
            name: table[table["analysis"] == analysis] for name, table in found.tables.items()
        }
        _write_power_curves(tables["operating_characteristics"], folder, analysis, design)
        _write_figures_of_sizes(tables, folder, analysis, currency)
    if not found.tables["sensitivity"].empty:
        write_figure(plot_sensitivity(found.tables["sensitivity"]), folder, "sensitivity", {})


def _write_power_curves(
    table: pd.DataFrame, folder: Path, analysis: str, design: TrialDesign
) -> None:
    """Write one figure for each fraction, with random enrollment in all of them."""
    for fraction in dict.fromkeys(table["fraction_enrolled"]):
        shown = table[(table["fraction_enrolled"] == fraction) | (table["strategy"] == "random")]
        if set(shown["strategy"]) == {"random"} and len(set(table["strategy"])) > 1:
            continue
        figure = plot_power_curves(shown, target_power=design.target_power)
        write_figure(figure, folder, f"power_{analysis}_{fraction * 100:.0f}_percent", {})
    figure = plot_error_rates(table, alpha=design.alpha)
    write_figure(figure, folder, f"error_rates_{analysis}", {})


def _write_figures_of_sizes(
    tables: dict[str, pd.DataFrame], folder: Path, analysis: str, currency: str
) -> None:
    sizes, cheapest = tables["sample_sizes"], tables["cheapest_fractions"]
    write_figure(plot_sample_sizes(sizes), folder, f"sample_sizes_{analysis}", {})
    best = cheapest[cheapest["choice"] == "fraction"]
    if not best.empty:
        figure = plot_costs(sizes, best, currency=currency)
        write_figure(figure, folder, f"costs_{analysis}", {})
