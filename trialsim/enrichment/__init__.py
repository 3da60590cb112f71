"""Whom each strategy would enroll, how many of the fast progressors it finds, whom it leaves out.

Each public name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialsim.enrichment.capture import capture_rate, compute_capture_rates
    from trialsim.enrichment.definition import FastProgressorDefinition
    from trialsim.enrichment.generalizability import compute_group_differences
    from trialsim.enrichment.performance import (
        compute_predicted_changes,
        compute_predictor_performance,
    )
    from trialsim.enrichment.registry import STRATEGIES, build_strategies
    from trialsim.enrichment.score_file import read_score_strategies
    from trialsim.enrichment.scoring import score_people
    from trialsim.enrichment.screening import build_screening_tables
    from trialsim.enrichment.selection import count_selected, select_people
    from trialsim.enrichment.strategy import ScreeningTables, Strategy

_HOMES = {
    "capture_rate": "capture",
    "compute_capture_rates": "capture",
    "FastProgressorDefinition": "definition",
    "compute_group_differences": "generalizability",
    "compute_predicted_changes": "performance",
    "compute_predictor_performance": "performance",
    "STRATEGIES": "registry",
    "build_strategies": "registry",
    "read_score_strategies": "score_file",
    "score_people": "scoring",
    "build_screening_tables": "screening",
    "count_selected": "selection",
    "select_people": "selection",
    "ScreeningTables": "strategy",
    "Strategy": "strategy",
}

__all__ = [
    "STRATEGIES",
    "FastProgressorDefinition",
    "ScreeningTables",
    "Strategy",
    "build_screening_tables",
    "build_strategies",
    "capture_rate",
    "compute_capture_rates",
    "compute_group_differences",
    "compute_predicted_changes",
    "compute_predictor_performance",
    "count_selected",
    "read_score_strategies",
    "score_people",
    "select_people",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
