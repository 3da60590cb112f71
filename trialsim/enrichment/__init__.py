"""Whom each strategy would enroll, how many fast progressors it finds, whom it leaves out."""

from typing import TYPE_CHECKING

from cohorts.lazy import attach

if TYPE_CHECKING:
    from trialsim.analytic.cutoffs import count_selected
    from trialsim.enrichment.definition import FastProgressorDefinition
    from trialsim.enrichment.evaluation.capture import capture_rate, compute_capture_rates
    from trialsim.enrichment.evaluation.predictor_performance import (
        compute_predicted_changes,
        compute_predictor_performance,
    )
    from trialsim.enrichment.generalizability import compute_group_differences
    from trialsim.enrichment.scoring import score_people
    from trialsim.enrichment.screening import build_screening_tables
    from trialsim.enrichment.selection import count_selections, rank_people
    from trialsim.enrichment.strategies.registry import STRATEGIES, build_strategies
    from trialsim.enrichment.strategies.score_file import read_score_strategies
    from trialsim.enrichment.strategies.strategy import ScreeningTables, Strategy
else:
    __getattr__, __dir__ = attach(__name__)

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
    "count_selections",
    "rank_people",
    "read_score_strategies",
    "score_people",
]
