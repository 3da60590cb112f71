"""A first covariance of the visits: regressions of each visit, then a step of EM."""

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.covariance import build_unstructured, invert_positive_definite
from trialsim.analysis.likelihood import (
    MeanModel,
    State,
    compute_residual_sums,
    evaluate_likelihood,
)
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.result import Floats


def climb_by_em(statistics: PatternStatistics, mean: MeanModel) -> Floats:
    """Return covariances near the maximum of the restricted likelihood, (t, visits, visits).

    Each visit has a mean of its own. The covariance of the residuals of each visit's least squares
    comes first, then a step of the EM algorithm in which coefficients are what is missing (with a
    flat prior), as in Laird & Ware 1982 (Biometrics 38:963): the cross-products of residuals are
    expected given the covariance, then each visit is regressed on the earlier ones among people who
    have them all, which is exact under monotone drop-out (Anderson 1957, J Am Stat Assoc 52:200).
    Further steps would each shrink by about the ratio of coefficients to people, so that their sum
    is known ahead.
    """
    p, n_visits = statistics.n_predictors, statistics.n_visits
    total = statistics.cross[..., p:, p:].sum(axis=1)
    people = np.maximum(statistics.counts @ statistics.seen, 1)
    apart = np.eye(n_visits) * (np.einsum("tii->ti", total) / people)[:, :, None]
    spent = mean.included.sum(axis=1)
    first = _maximize(_regress_each_visit(statistics, mean), statistics, apart, spent)
    rows, columns = np.tril_indices(n_visits)
    state = evaluate_likelihood(
        statistics, mean, build_unstructured(n_visits), first[:, rows, columns]
    )
    higher = _maximize(_expect(statistics, mean, state), statistics, first, 0 * spent)
    ratio = np.minimum(spent.mean() / people.min(axis=1), 0.5)
    ahead = higher + (ratio / (1 - ratio))[:, None, None] * (higher - first)
    fine = invert_positive_definite(ahead)[2]
    return np.where(fine[:, None, None], ahead, higher)


def _expect(statistics: PatternStatistics, mean: MeanModel, state: State) -> Floats:
    """Return the expected cross-products of residuals by pattern, (t, k, visits, visits)."""
    p, n_courses = statistics.n_predictors, mean.courses.shape[1]
    zz = statistics.cross[..., :p, :p]
    n_trials, n_patterns = zz.shape[:2]
    parts = state.covariance.reshape(n_trials, n_courses, p, n_courses, p)
    flat = parts.transpose(0, 1, 3, 2, 4).reshape(n_trials, n_courses**2, p * p)
    leverage = flat @ zz.reshape(n_trials, n_patterns, -1).transpose(0, 2, 1)
    by_pattern = leverage.transpose(0, 2, 1).reshape(n_trials, n_patterns, n_courses, n_courses)
    courses = mean.courses * statistics.seen[:, :, None]
    return np.asarray(state.residual + courses @ by_pattern @ courses.transpose(0, 2, 1))


def _regress_each_visit(statistics: PatternStatistics, mean: MeanModel) -> Floats:
    """Return the cross-products of residuals by pattern around each visit's own least squares."""
    p, n_visits = statistics.n_predictors, statistics.n_visits
    zz, zy = statistics.cross[..., :p, :p], statistics.cross[..., :p, p:]
    beta = np.zeros((len(zz), n_visits, p))
    for j, used in enumerate(mean.included):
        has, own = statistics.seen[:, j], np.flatnonzero(used)
        known = zz[:, has].sum(axis=1)[:, own[:, None], own]
        moment = zy[:, has][..., j].sum(axis=1)[:, own, None]
        beta[:, j, own] = (invert_positive_definite(known)[0] @ moment)[..., 0]
    return compute_residual_sums(statistics, beta)[0]


def _maximize(
    expected: Floats,
    statistics: PatternStatistics,
    before: Floats,
    n_spent: NDArray[np.intp],
) -> Floats:
    """Return the covariance of the residuals, with `n_spent` people of each visit counted out."""
    covariance, usable = np.zeros_like(before), np.ones(len(before), dtype=bool)
    for j in range(statistics.n_visits):
        complete = statistics.seen[:, : j + 1].all(axis=1)
        cross = expected[:, complete].sum(axis=1)
        n = np.maximum(statistics.counts[:, complete].sum(axis=1), 1)
        target = cross[:, :j, j, None]
        slopes = invert_positive_definite(cross[:, :j, :j])[0] @ target
        left = cross[:, j, j] - (slopes * target).sum(axis=(1, 2))
        usable &= np.isfinite(left) & (left > 0)
        column = (covariance[:, :j, :j] @ slopes)[..., 0]
        covariance[:, :j, j] = covariance[:, j, :j] = column
        covariance[:, j, j] = left / np.maximum(n - n_spent[j], 1) + np.einsum(
            "ti,ti->t", column, slopes[..., 0]
        )
    return np.where(usable[:, None, None], covariance, before)
