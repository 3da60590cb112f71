"""Analyses of simulated trials, each fitted to thousands of trials at once."""

from importlib import import_module
from typing import Any

_HOMES = {
    "FitResult": "trialsim.analysis.result",
    "fit_ancova": "trialsim.analysis.regression",
    "fit_change": "trialsim.analysis.regression",
    "fit_mmrm": "trialsim.analysis.mmrm",
    "fit_random_slope": "trialsim.analysis.random_slope",
}

__all__ = [*sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
