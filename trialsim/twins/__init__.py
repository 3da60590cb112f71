"""Trials planned with digital twins: predicted untreated outcomes as covariates."""

from typing import TYPE_CHECKING

from cohorts.lazy import attach

if TYPE_CHECKING:
    from trialsim.twins.borrowing import measure_borrowing
    from trialsim.twins.missing_data import measure_strategies
    from trialsim.twins.operating import measure_estimators
    from trialsim.twins.plan_simulation import simulate_plan
    from trialsim.twins.planning import plan_with_twins
    from trialsim.twins.scenario import TwinScenario
    from trialsim.twins.selection import restrict_to_selected
    from trialsim.twins.simulation import simulate_twin_trials
    from trialsim.twins.slopes import plan_slopes_with_twins
else:
    __getattr__, __dir__ = attach(__name__)

__all__ = [
    "TwinScenario",
    "measure_borrowing",
    "measure_estimators",
    "measure_strategies",
    "plan_slopes_with_twins",
    "plan_with_twins",
    "restrict_to_selected",
    "simulate_plan",
    "simulate_twin_trials",
]
