"""Figures of a study: one function each, tables in, a matplotlib `Figure` out.

The functions neither save nor show; `reports.figures.export` writes SVG, PNG and CSV.
"""

from importlib import import_module
from typing import Any, Final

_HOMES: Final = {
    "count_cohort": "cohort",
    "plot_cohort_overview": "cohort",
    "plot_screening_flow": "screening",
    "plot_predicted_versus_observed": "prediction",
    "plot_capture_rates": "capture",
    "plot_power_curves": "power",
    "plot_sample_sizes": "fractions",
    "plot_choices": "choices",
    "plot_costs": "fractions",
    "plot_error_rates": "error_rates",
    "plot_group_differences": "selection",
    "plot_sensitivity": "sensitivity",
    "plot_scan_panel": "scans",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
