"""Simulated trials: power, type I error, sample size of each way to choose people."""

from typing import TYPE_CHECKING

from cohorts.lazy import attach

if TYPE_CHECKING:
    from trialsim.simulation.effects import Estimand
    from trialsim.simulation.outcomes import GrowthModel, ResamplingModel, fit_growth_model
    from trialsim.simulation.pool import Pool, build_pool
    from trialsim.simulation.trajectories import build_trajectories
    from trialsim.simulation.trials import SimulatedTrials, simulate_trials
else:
    __getattr__, __dir__ = attach(__name__)

__all__ = [
    "Estimand",
    "GrowthModel",
    "Pool",
    "ResamplingModel",
    "SimulatedTrials",
    "build_pool",
    "build_trajectories",
    "fit_growth_model",
    "simulate_trials",
]
