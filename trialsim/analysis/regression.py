"""Least-squares analyses of the change to the last visit."""

import numpy as np
from numpy.typing import ArrayLike

from trialsim.analysis.covariance import invert_positive_definite
from trialsim.analysis.inputs import Trials, fit_in_batches, read_trials
from trialsim.analysis.patterns import PatternStatistics, center_outcome, summarize
from trialsim.analysis.random_effect import fit_random_effect
from trialsim.analysis.result import FitResult, Floats, build_result


def fit_change(
    outcome: ArrayLike,
    treatment: ArrayLike,
    visit_times: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    workers: int | None = None,
) -> FitResult:
    """Return the treatment difference in change from the first to the last visit.

    A t test on the people who have both visits; with covariates, a linear model. df = n - 2 - q.

    Parameters
    ----------
    outcome
        (n_trials, n_participants, n_visits), NaN where missing; the first visit is the baseline.
    treatment
        0 (control) or 1, (n_participants,) or (n_trials, n_participants).
    visit_times
        (n_visits,), increasing.
    covariates
        Known at baseline, (n_participants, q) or (n_trials, n_participants, q).
    workers
        Threads; all cores when None. The result does not depend on it.

    Raises
    ------
    DesignError
        Shapes that do not match, an empty arm, a visit that nobody has.
    """
    trials = read_trials(outcome, treatment, visit_times, covariates, min_visits=2)
    return fit_in_batches(
        trials, lambda batch: fit_change_statistics(_summarize_ends(batch)), workers
    )


def fit_ancova(
    outcome: ArrayLike,
    treatment: ArrayLike,
    visit_times: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    workers: int | None = None,
) -> FitResult:
    """Return the treatment difference at the last visit, adjusted for the first.

    A linear model on the people who have both visits; df = n - 3 - q. Adjusting the change or the
    last outcome itself gives the same estimate.

    Parameters
    ----------
    outcome
        (n_trials, n_participants, n_visits), NaN where missing; the first visit is the baseline.
    treatment
        0 (control) or 1, (n_participants,) or (n_trials, n_participants).
    visit_times
        (n_visits,), increasing.
    covariates
        Known at baseline, such as a prognostic score, (n_participants, q) or (n_trials,
        n_participants, q).
    workers
        Threads; all cores when None. The result does not depend on it.

    Raises
    ------
    DesignError
        Shapes that do not match, an empty arm, a visit that nobody has.
    """
    trials = read_trials(outcome, treatment, visit_times, covariates, min_visits=2)
    return fit_in_batches(
        trials, lambda batch: fit_ancova_statistics(_summarize_ends(batch)), workers
    )


def fit_change_statistics(statistics: PatternStatistics, *, n_random: int = 0) -> FitResult:
    """Return the change-score analysis of trials given by their sufficient statistics.

    The last `n_random` predictors have random coefficients of one variance.
    """
    cross, n = _pool_complete(statistics)
    contrast = np.zeros((1, cross.shape[-1]))
    contrast[0, -1], contrast[0, statistics.n_predictors] = 1.0, -1.0
    predictors = np.eye(cross.shape[-1])[: statistics.n_predictors]
    if n_random:
        fixed = statistics.n_predictors - n_random
        return fit_random_effect(cross, n, predictors[:fixed], predictors[fixed:], contrast)
    return _fit_least_squares(cross, n, predictors, contrast)


def fit_ancova_statistics(statistics: PatternStatistics, *, n_random: int = 0) -> FitResult:
    """Return the baseline-adjusted analysis of trials given by their sufficient statistics.

    The last `n_random` predictors have random coefficients of one variance.
    """
    cross, n = _pool_complete(statistics)
    rows, p = np.eye(cross.shape[-1]), statistics.n_predictors
    if n_random:
        fixed = [*range(p - n_random), p]
        return fit_random_effect(cross, n, rows[fixed], rows[p - n_random : p], rows[-1:])
    return _fit_least_squares(cross, n, rows[: p + 1], rows[-1:])


def _summarize_ends(batch: Trials) -> PatternStatistics:
    ends = batch.outcome[:, :, [0, -1]]
    return summarize(center_outcome(ends), batch.predictors, seen=np.array([[True, True]]))


def _pool_complete(statistics: PatternStatistics) -> tuple[Floats, Floats]:
    complete = statistics.seen[:, 0] & statistics.seen[:, -1]
    return statistics.cross[:, complete].sum(axis=1), statistics.counts[:, complete].sum(axis=1)


def _fit_least_squares(cross: Floats, n: Floats, predictors: Floats, response: Floats) -> FitResult:
    """Return the coefficient of the treatment, the second predictor.

    Parameters
    ----------
    cross
        (n_trials, c, c) cross-products of all columns.
    n
        People in each trial.
    predictors, response
        Rows that pick or combine the columns.
    """
    gram = predictors @ cross @ predictors.T
    moment = (predictors @ cross @ response.T)[..., 0]
    total = (response @ cross @ response.T)[:, 0, 0]
    inverse, _, fine = invert_positive_definite(gram)
    with np.errstate(all="ignore"):
        beta = (inverse @ moment[..., None])[..., 0]
        df = n - len(predictors)
        variance = (total - np.einsum("ti,ti->t", beta, moment)) / df * inverse[:, 1, 1]
    return build_result(beta[:, 1], variance, df, fine)
