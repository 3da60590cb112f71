"""The analyses of a design, applied to simulated trials."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from trialsim.analysis.inputs import Trials
from trialsim.analysis.mmrm import fit_mmrm_statistics
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.random_slope import fit_random_slope_statistics
from trialsim.analysis.regression import fit_ancova_statistics, fit_change_statistics
from trialsim.analysis.result import FitResult, join_results
from trialsim.design import ANALYSES, Analysis, TrialDesign

PREDICTORS = 3
"""Intercept, treatment, prognostic score: the columns that the statistics are made of."""


@dataclass(frozen=True)
class Observed:
    """Simulated trials as their analyses see them.

    Attributes
    ----------
    statistics
        Of intercept, treatment, score; then the outcomes at the visits of the design; by arm where
        the design's covariance is.
    people
        Those that the statistics were made of, in consecutive groups of trials; none are kept where
        no analysis asks for clustered standard errors.
    """

    statistics: PatternStatistics
    people: Sequence[Trials] = ()


def fit_analysis(name: str, observed: Observed, design: TrialDesign) -> FitResult:
    """Return one analysis of every trial.

    Parameters
    ----------
    name
        A name in `trialsim.design.ANALYSES`.
    observed
        What was seen of each trial.
    design
        The trial's design.
    """
    kind = ANALYSES[name]
    if not (kind.is_mixed and observed.people):
        return _fit(kind, observed.statistics, design, None)
    ends = accumulate((len(group.outcome) for group in observed.people), initial=0)
    return join_results(
        [
            _fit(kind, observed.statistics.select(slice(first, last)), design, group)
            for (first, last), group in zip(pairwise(ends), observed.people, strict=True)
        ]
    )


def _fit(
    kind: Analysis, statistics: PatternStatistics, design: TrialDesign, people: Trials | None
) -> FitResult:
    if not kind.uses_score:
        statistics = statistics.keep_predictors([0, 1])
        people = None if people is None else people.keep_predictors([0, 1])
    match kind.model:
        case "change":
            return fit_change_statistics(statistics)
        case "ancova":
            return fit_ancova_statistics(statistics)
        case "random_slope":
            return fit_random_slope_statistics(
                statistics,
                design.times,
                common_baseline=design.common_baseline,
                covariate_slopes=True,
                inference=design.inference,
                people=people,
            )
        case "mmrm":
            return fit_mmrm_statistics(
                statistics.use_baseline_as_predictor(),
                inference=design.inference,
                people=None if people is None else people.use_baseline_as_predictor(),
            )


def get_monotone_patterns(n_visits: int) -> np.ndarray:
    """Return the patterns of people who leave for good, (n_visits, n_visits)."""
    return np.tri(n_visits, dtype=bool)
