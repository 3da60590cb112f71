"""Trials planned with digital twins: predicted untreated outcomes as covariates."""

from importlib import import_module
from typing import Any

_HOMES = {
    "TwinScenario": "trialsim.twins.scenario",
    "measure_borrowing": "trialsim.twins.borrowing",
    "measure_estimators": "trialsim.twins.operating",
    "plan_with_twins": "trialsim.twins.planning",
    "restrict_to_selected": "trialsim.twins.selection",
    "simulate_plan": "trialsim.twins.plan_simulation",
    "simulate_twin_trials": "trialsim.twins.simulation",
}

__all__ = [*sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
