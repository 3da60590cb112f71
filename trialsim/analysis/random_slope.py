"""Linear mixed model with a random intercept and a random slope."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from trialsim.analysis.covariance import (
    CovarianceModel,
    build_linear,
    invert_positive_definite,
)
from trialsim.analysis.inputs import Trials, fit_in_batches, read_trials
from trialsim.analysis.patterns import PatternStatistics, center_outcome, summarize
from trialsim.analysis.reml import MeanModel, RemlFit, fit_reml
from trialsim.analysis.result import FitResult, Flags, Floats, build_result


def fit_random_slope(
    outcome: ArrayLike,
    treatment: ArrayLike,
    visit_times: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    common_baseline: bool = False,
    workers: int | None = None,
) -> FitResult:
    """Return the treatment difference in slope by a REML random-slope model.

    y_ij = (b0 + g0 G_i) + (b1 + d G_i) t_j + u_0i + u_1i t_j + e_ij with free covariance of (u_0,
    u_1); the estimate is d. A covariate adds a main effect. Degrees of freedom are Satterthwaite's.
    A fit whose random-effects covariance is singular is kept with `boundary` set.

    Parameters
    ----------
    outcome
        (n_trials, n_participants, n_visits), NaN where missing; missing visits may be intermittent.
    treatment
        0 (control) or 1, (n_participants,) or (n_trials, n_participants).
    visit_times
        (n_visits,), increasing, 0 at randomization; the slope is per unit of them.
    covariates
        Known at baseline, (n_participants, q) or (n_trials, n_participants, q).
    common_baseline
        Whether the arms share their intercept (g0 = 0).
    workers
        Threads; all cores when None. The result does not depend on it.

    Raises
    ------
    DesignError
        Shapes that do not match, an empty arm, fewer than 3 visits, a visit that nobody has.

    References
    ----------
    Laird & Ware 1982 (Biometrics 38:963). Common baseline: Hu, Mackey & Thomas 2021 (Biom J
    63:806).
    """
    trials = read_trials(outcome, treatment, visit_times, covariates, min_visits=3)

    def fit(batch: Trials) -> FitResult:
        statistics = summarize(center_outcome(batch.outcome), batch.predictors)
        return fit_random_slope_statistics(
            statistics, trials.visit_times, common_baseline=common_baseline
        )

    return fit_in_batches(trials, fit, workers)


def fit_random_slope_statistics(
    statistics: PatternStatistics, visit_times: Floats, *, common_baseline: bool = False
) -> FitResult:
    """Return the random-slope model of trials given by their sufficient statistics.

    The predictors are the intercept, the treatment, then covariates.
    """
    fit = estimate_growth(statistics, visit_times, common_baseline=common_baseline)
    return build_result(
        fit.reml.estimate, fit.reml.variance, fit.reml.df, fit.reml.converged, fit.boundary
    )


@dataclass(frozen=True)
class GrowthFit:
    """A REML fit with its variance terms (d00, d01, d11, residual), (n_trials, 4)."""

    reml: RemlFit
    terms: Floats
    boundary: Flags


def estimate_growth(
    statistics: PatternStatistics, visit_times: Floats, *, common_baseline: bool = False
) -> GrowthFit:
    """Return the fit with the variances of intercept, slope and residual."""
    courses = np.column_stack([np.ones_like(visit_times), visit_times])
    included = np.ones((2, statistics.n_predictors), dtype=bool)
    included[0, 1] = not common_baseline
    included[1, 2:] = False
    mean = MeanModel(courses, included, contrast=(1, 1))
    basis = _build_basis(visit_times)
    start = _estimate_start(statistics, courses)
    inside = fit_reml(statistics, mean, build_linear(basis), start)
    terms = inside.eta
    with np.errstate(invalid="ignore"):
        d00, d01, d11 = terms[:, 0], terms[:, 1], terms[:, 2]
        boundary = ~(inside.converged & (d00 >= 0) & (d11 >= 0) & (d00 * d11 >= d01**2))
    if boundary.any():
        inside, terms = _refit_on_boundary(
            statistics.select(boundary), mean, basis, inside, start, boundary
        )
    return GrowthFit(inside, terms, boundary)


def _refit_on_boundary(
    statistics: PatternStatistics,
    mean: MeanModel,
    basis: Floats,
    inside: RemlFit,
    start: Floats,
    boundary: Flags,
) -> tuple[RemlFit, Floats]:
    model = _build_singular(basis)
    d00, _, d11, residual = start[boundary].T
    first = np.column_stack([np.sqrt(d00), np.sqrt(d11) / 3, residual])
    edge = fit_reml(statistics, mean, model, first)
    terms = inside.eta.copy()
    terms[boundary] = model.compute_terms(edge.eta)
    joined = {}
    for name in ("beta", "estimate", "variance", "df", "converged"):
        joined[name] = getattr(inside, name).copy()
        joined[name][boundary] = getattr(edge, name)
    return RemlFit(eta=terms, **joined), terms


def _build_basis(times: Floats) -> Floats:
    ones = np.ones_like(times)
    cross = np.outer(ones, times)
    return np.stack(
        [np.outer(ones, ones), cross + cross.T, np.outer(times, times), np.eye(len(times))]
    )


def _build_singular(basis: Floats) -> CovarianceModel:
    """Return the model with D = l l', the edge of the random-effects covariances."""
    linear = np.zeros((4, 3))
    linear[3, 2] = 1.0
    curvature = np.zeros((4, 3, 3))
    curvature[0, 0, 0] = curvature[2, 1, 1] = 2.0
    curvature[1, 0, 1] = curvature[1, 1, 0] = 1.0
    return CovarianceModel(basis, linear, curvature)


def _estimate_start(statistics: PatternStatistics, courses: Floats) -> Floats:
    """Return moment estimates of (d00, d01, d11, residual) from each person's own line."""
    residual = _compute_residuals(statistics)
    within = np.zeros(len(residual))
    freedom, weight = np.zeros_like(within), np.zeros((len(residual), 1, 1))
    between = np.zeros((len(residual), 2, 2))
    lines = []
    for k, seen in enumerate(statistics.seen):
        if seen.sum() < 3:
            continue
        design = courses * seen[:, None]
        squares = np.linalg.inv(design.T @ design)
        off_line = np.diag(seen.astype(float)) - design @ squares @ design.T
        within = within + np.einsum("ij,tij->t", off_line, residual[:, k])
        freedom = freedom + statistics.counts[:, k] * (seen.sum() - 2)
        lines.append((k, squares, squares @ design.T))
    with np.errstate(all="ignore"):
        noise = np.maximum(within / np.maximum(freedom, 1), 0)
    for k, squares, project in lines:
        n = statistics.counts[:, k, None, None]
        between = between + project @ residual[:, k] @ project.T
        between = between - n * noise[:, None, None] * squares
        weight = weight + n
    spread = between / np.maximum(weight, 1)
    return _make_proper(spread, noise, courses[-1, 1])


def _compute_residuals(statistics: PatternStatistics) -> Floats:
    """Return residual cross-products around least-squares means of each visit."""
    p = statistics.n_predictors
    cross = statistics.cross
    zz, zy, yy = cross[..., :p, :p], cross[..., :p, p:], cross[..., p:, p:]
    n_visits = statistics.n_visits
    fitted = np.empty((len(cross), n_visits, p))
    for j in range(n_visits):
        has = statistics.seen[:, j]
        own, _, _ = invert_positive_definite(zz[:, has].sum(axis=1))
        fitted[:, j] = (own @ zy[:, has][..., j].sum(axis=1)[..., None])[..., 0]
    fitted = np.nan_to_num(fitted)[:, None] * statistics.seen[None, :, :, None]
    explained = fitted @ zy
    back = fitted.transpose(0, 1, 3, 2)
    return np.asarray(yy - explained - explained.transpose(0, 1, 3, 2) + fitted @ zz @ back)


def _make_proper(spread: Floats, noise: Floats, span: float) -> Floats:
    noise = np.where(noise > 0, noise, 1.0)
    d00 = np.maximum(spread[:, 0, 0], 0.05 * noise)
    d11 = np.maximum(spread[:, 1, 1], 0.05 * noise / span**2)
    limit = 0.9 * np.sqrt(d00 * d11)
    return np.column_stack([d00, np.clip(spread[:, 0, 1], -limit, limit), d11, noise])
