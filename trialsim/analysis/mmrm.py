"""Mixed model for repeated measures with an unstructured covariance."""

import numpy as np
from numpy.typing import ArrayLike

from trialsim.analysis.covariance import build_unstructured, invert_positive_definite
from trialsim.analysis.inputs import Trials, fit_in_batches, read_trials
from trialsim.analysis.patterns import PatternStatistics, center_outcome, summarize
from trialsim.analysis.reml import MeanModel, fit_reml
from trialsim.analysis.result import FitResult, Floats, build_result


def fit_mmrm(
    outcome: ArrayLike,
    treatment: ArrayLike,
    visit_times: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    common_baseline: bool = False,
    workers: int | None = None,
) -> FitResult:
    """Return the treatment difference at the last visit by an unstructured REML MMRM.

    Every given visit is an outcome. Means are free in each arm at each visit; covariates are
    crossed with visit. Degrees of freedom are Satterthwaite's.

    Parameters
    ----------
    outcome
        (n_trials, n_participants, n_visits), NaN where missing; missing visits may be intermittent.
    treatment
        0 (control) or 1, (n_participants,) or (n_trials, n_participants).
    visit_times
        (n_visits,), increasing.
    covariates
        Known at baseline, (n_participants, q) or (n_trials, n_participants, q).
    common_baseline
        Whether the arms share their mean at the first visit (constrained longitudinal analysis).
    workers
        Threads; all cores when None. The result does not depend on it.

    Raises
    ------
    DesignError
        Shapes that do not match, an empty arm, a visit that nobody has.

    References
    ----------
    Mallinckrodt et al. 2008 (Drug Inf J 42:303). Satterthwaite's df as in the R package mmrm.
    """
    trials = read_trials(outcome, treatment, visit_times, covariates, min_visits=2)

    def fit(batch: Trials) -> FitResult:
        statistics = summarize(center_outcome(batch.outcome), batch.predictors)
        return fit_mmrm_statistics(statistics, common_baseline=common_baseline)

    return fit_in_batches(trials, fit, workers)


def fit_mmrm_statistics(
    statistics: PatternStatistics, *, common_baseline: bool = False
) -> FitResult:
    """Return the MMRM of trials given by their sufficient statistics.

    The predictors are the intercept, the treatment, then covariates.
    """
    n_visits = statistics.n_visits
    included = np.ones((n_visits, statistics.n_predictors), dtype=bool)
    included[0, 1] = not common_baseline
    mean = MeanModel(np.eye(n_visits), included, contrast=(n_visits - 1, 1))
    model = build_unstructured(n_visits)
    rows, columns = np.tril_indices(n_visits)
    start = _estimate_start(statistics)[:, rows, columns]
    fitted = fit_reml(statistics, mean, model, start)
    return build_result(fitted.estimate, fitted.variance, fitted.df, fitted.converged)


def _estimate_start(statistics: PatternStatistics) -> Floats:
    """Return first covariances, (t, visits, visits): exact REML for trials without missing visits.

    Each visit is regressed on the predictors and the earlier visits among people who have them all
    (Anderson 1957, J Am Stat Assoc 52:200): under monotone drop-out this is maximum likelihood.
    """
    p, n_visits = statistics.n_predictors, statistics.n_visits
    covariance = np.zeros((len(statistics.counts), n_visits, n_visits))
    for j in range(n_visits):
        complete = statistics.seen[:, : j + 1].all(axis=1)
        cross = statistics.cross[:, complete].sum(axis=1)
        n = statistics.counts[:, complete].sum(axis=1)
        known, target = cross[:, : p + j, : p + j], cross[:, : p + j, p + j, None]
        inverse, _, fine = invert_positive_definite(known)
        with np.errstate(all="ignore"):
            slopes = inverse @ target
            left = cross[:, p + j, p + j] - np.einsum("tij,tij->t", slopes, target)
            variance = left / np.maximum(n - p, 1)
            slopes = np.where(fine[:, None, None], slopes, 0.0)[:, p:]
        fallback = _compute_marginal_variance(statistics, j)
        # a regression through all its points leaves no variance: take the visit's own
        sound = fine & (variance > 1e-9 * fallback) & (n > p + j + 1)
        slopes = np.where(sound[:, None, None], slopes, 0.0)
        variance = np.where(sound, variance, fallback)
        earlier = covariance[:, :j, :j]
        column = (earlier @ slopes)[..., 0]
        covariance[:, :j, j] = covariance[:, j, :j] = column
        covariance[:, j, j] = variance + np.einsum("ti,ti->t", column, slopes[..., 0])
    return covariance


def _compute_marginal_variance(statistics: PatternStatistics, visit: int) -> Floats:
    has = statistics.seen[:, visit]
    at = statistics.n_predictors + visit
    cross = statistics.cross[:, has].sum(axis=1)
    n = np.maximum(statistics.counts[:, has].sum(axis=1), 2)
    variance: Floats = (cross[:, at, at] - cross[:, 0, at] ** 2 / n) / (n - 1)
    return variance
