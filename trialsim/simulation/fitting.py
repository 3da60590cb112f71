"""The analyses of a design, applied to sufficient statistics of simulated trials."""

import numpy as np

from trialsim.analysis.mmrm import fit_mmrm_statistics
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.random_slope import fit_random_slope_statistics
from trialsim.analysis.regression import fit_ancova_statistics, fit_change_statistics
from trialsim.analysis.result import FitResult
from trialsim.design import TrialDesign

PREDICTORS = 3
"""Intercept, treatment, prognostic score: the columns that the statistics are made of."""


def fit_analysis(name: str, statistics: PatternStatistics, design: TrialDesign) -> FitResult:
    """Return one analysis of every trial.

    Parameters
    ----------
    name
        A name in `trialsim.design.ANALYSES`.
    statistics
        Of intercept, treatment, score; then the outcomes at the visits of the design. The score is
        used by "ancova_score" alone.
    """
    if name == "ancova_score":
        return fit_ancova_statistics(statistics)
    plain = statistics.keep_predictors([0, 1])
    if name == "change":
        return fit_change_statistics(plain)
    if name == "ancova":
        return fit_ancova_statistics(plain)
    if name == "random_slope":
        return fit_random_slope_statistics(
            plain, design.times, common_baseline=design.common_baseline
        )
    return fit_mmrm_statistics(plain.use_baseline_as_predictor())


def get_monotone_patterns(n_visits: int) -> np.ndarray:
    """Return the patterns of people who leave for good, (n_visits, n_visits)."""
    return np.tri(n_visits, dtype=bool)
