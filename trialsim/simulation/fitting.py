"""The analyses of a design, applied to simulated trials."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from trialsim.analyses import ANALYSES, Analysis
from trialsim.analysis.inference import Inference
from trialsim.analysis.inputs import Trials
from trialsim.analysis.mmrm import fit_mmrm_statistics
from trialsim.analysis.patterns import PatternStatistics, decode_patterns, encode_patterns
from trialsim.analysis.random_slope import fit_random_slope_statistics
from trialsim.analysis.regression import fit_ancova_statistics, fit_change_statistics
from trialsim.analysis.result import FitResult, Flags, Floats, join_results
from trialsim.analysis.site_effects import build_random_sites
from trialsim.design import TrialDesign
from trialsim.imputation.many_trials import fit_imputed_statistics


@dataclass(frozen=True)
class Observed:
    """Simulated trials as their analyses see them.

    Attributes
    ----------
    statistics
        Of intercept, treatment, score, sites; then the outcomes at the visits of the design; by arm
        where the design's covariance is.
    people
        Those that the statistics were made of, in consecutive groups of trials; none are kept where
        no analysis asks for clustered standard errors.
    """

    statistics: PatternStatistics
    people: Sequence[Trials] = ()


def fit_analysis(
    name: str, observed: Observed, design: TrialDesign, inference: Inference | None = None
) -> FitResult:
    """Return one analysis of every trial.

    Parameters
    ----------
    name
        A name in `trialsim.analyses.ANALYSES`.
    observed
        What was seen of each trial.
    design
        The trial's design.
    inference
        How mixed models judge the effect; as the design says when None.
    """
    kind, judged = ANALYSES[name], inference or design.inference
    if not (kind.takes_inference and observed.people):
        return _fit(kind, observed.statistics, design, judged, None)
    ends = accumulate((len(group.outcome) for group in observed.people), initial=0)
    return join_results(
        [
            _fit(kind, observed.statistics.select(slice(first, last)), design, judged, group)
            for (first, last), group in zip(pairwise(ends), observed.people, strict=True)
        ]
    )


def _fit(
    kind: Analysis,
    statistics: PatternStatistics,
    design: TrialDesign,
    inference: Inference,
    people: Trials | None,
) -> FitResult:
    if not kind.uses_score:
        used = [0, 1, *range(3, statistics.n_predictors)]
        statistics = statistics.keep_predictors(used)
        people = None if people is None else people.keep_predictors(used)
    n_random, p = design.sites.n if design.sites.effect == "random" else 0, statistics.n_predictors
    columns = slice(p - n_random, p)
    if kind.imputation is not None:
        return fit_imputed_statistics(
            statistics, strategy=kind.imputation, delta=design.imputed_delta
        )
    match kind.model:
        case "change":
            return fit_change_statistics(statistics, n_random=n_random)
        case "ancova":
            return fit_ancova_statistics(statistics, n_random=n_random)
        case "random_slope":
            return fit_random_slope_statistics(
                statistics,
                design.times,
                common_baseline=design.common_baseline,
                covariate_slopes=True,
                sites=build_random_sites(columns, design.times) if n_random else None,
                inference=inference,
                people=people,
            )
        case "mmrm":
            return fit_mmrm_statistics(
                statistics.use_baseline_as_predictor(),
                sites=build_random_sites(columns, design.times[1:]) if n_random else None,
                inference=inference,
                people=None if people is None else people.use_baseline_as_predictor(),
            )


def find_patterns(design: TrialDesign, outcomes: Sequence[Floats]) -> Flags:
    """Return the patterns of visits that people have, (n_patterns, n_visits).

    People who leave for good have the first few visits; unreadable scans leave gaps in between.
    """
    n_visits = len(design.times)
    if not np.any(design.unreadable):
        return np.tri(n_visits, dtype=bool)
    codes = [np.unique(encode_patterns(outcome)) for outcome in outcomes]
    return decode_patterns(np.unique(np.concatenate(codes)), n_visits)
