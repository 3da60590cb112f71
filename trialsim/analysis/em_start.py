"""A first covariance of the visits, by a few steps of the EM algorithm."""

import numpy as np

from trialsim.analysis.covariance import build_unstructured, invert_positive_definite
from trialsim.analysis.likelihood import MeanModel, State, evaluate
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.result import Floats


def climb_by_em(statistics: PatternStatistics, mean: MeanModel, *, n_steps: int = 5) -> Floats:
    """Return covariances near the maximum of the restricted likelihood, (t, visits, visits).

    Coefficients are what is missing (with a flat prior), as in Laird & Ware 1982 (Biometrics
    38:963): the cross-products of residuals are expected given the covariance, then each visit is
    regressed on the earlier ones among people who have them all, which is exact under monotone
    drop-out (Anderson 1957, J Am Stat Assoc 52:200). Few coefficients beside many people leave an
    error that each step shrinks by their ratio; a step costs a fraction of one of Newton's.
    """
    p = statistics.n_predictors
    total = statistics.cross[..., p:, p:].sum(axis=1)
    people = np.maximum(statistics.counts @ statistics.seen, 1)
    covariance = np.eye(statistics.n_visits) * (np.einsum("tii->ti", total) / people)[:, :, None]
    model, lower = build_unstructured(statistics.n_visits), np.tril_indices(statistics.n_visits)
    steps = []
    for _ in range(n_steps):
        state = evaluate(statistics, mean, model, covariance[:, *lower])
        higher = _maximize(_expect(statistics, mean, state), statistics, covariance)
        steps.append(higher - covariance)
        covariance = higher
    return _extrapolate(covariance, steps)


def _extrapolate(covariance: Floats, steps: list[Floats]) -> Floats:
    """Return where steps that shrink by their last ratio would lead (Aitken)."""
    before, last = steps[-2:]
    size = np.maximum((before**2).sum(axis=(1, 2)), np.finfo(float).tiny)
    ratio = np.clip((before * last).sum(axis=(1, 2)) / size, 0.0, 0.5)
    ahead = covariance + (ratio / (1 - ratio))[:, None, None] * last
    fine = invert_positive_definite(ahead)[2]
    return np.where(fine[:, None, None], ahead, covariance)


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


def _maximize(expected: Floats, statistics: PatternStatistics, before: Floats) -> Floats:
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
        covariance[:, j, j] = left / n + np.einsum("ti,ti->t", column, slopes[..., 0])
    return np.where(usable[:, None, None], covariance, before)
