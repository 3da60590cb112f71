"""Simulated trials: power, type I error, sample size of each way to choose people."""

from importlib import import_module
from typing import Any

_HOMES = {
    "Comparison": "comparison",
    "Estimand": "effects",
    "GrowthModel": "outcomes",
    "Pool": "pool",
    "ResamplingModel": "outcomes",
    "SimulatedTrials": "trials",
    "build_pool": "pool",
    "build_trajectories": "trajectories",
    "compare_strategies": "comparison",
    "estimate_normal_change": "trajectories",
    "fit_growth_model": "outcomes",
    "simulate_trials": "trials",
}

__all__ = [*sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
