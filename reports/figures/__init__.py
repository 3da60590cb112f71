"""Figures of a study: one function each, tables in, a matplotlib `Figure` out.

The functions neither save nor show; `reports.figures.export` writes SVG, PNG and CSV.
"""

from typing import TYPE_CHECKING

from cohorts.lazy import attach

if TYPE_CHECKING:
    from reports.figures.bounds import plot_bounds
    from reports.figures.capture import plot_capture_rates
    from reports.figures.choices import plot_choices
    from reports.figures.cohort import count_cohort, plot_cohort_overview
    from reports.figures.error_rates import plot_error_rates
    from reports.figures.fractions import plot_costs, plot_sample_sizes
    from reports.figures.front import plot_front
    from reports.figures.power import plot_power_curves
    from reports.figures.prediction import plot_predicted_versus_observed
    from reports.figures.scan_panels import plot_scan_panel
    from reports.figures.screening import plot_screening_flow
    from reports.figures.selection import plot_group_differences
    from reports.figures.sensitivity import plot_sensitivity
else:
    __getattr__, __dir__ = attach(__name__)

__all__ = [
    "count_cohort",
    "plot_bounds",
    "plot_capture_rates",
    "plot_choices",
    "plot_cohort_overview",
    "plot_costs",
    "plot_error_rates",
    "plot_front",
    "plot_group_differences",
    "plot_power_curves",
    "plot_predicted_versus_observed",
    "plot_sample_sizes",
    "plot_scan_panel",
    "plot_screening_flow",
    "plot_sensitivity",
]
