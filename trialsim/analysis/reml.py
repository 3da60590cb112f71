"""Restricted maximum likelihood of Gaussian repeated measures, for many trials at once.

The model of person i is y_i = (B kron z_i') beta + e_i with cov(e_i) = sum_a theta_a E_a at the
visits that were seen: z_i are predictors known at baseline, B the time courses that every
predictor may take (the identity: a free mean at each visit; [1, t]: a straight line). Both the
unstructured MMRM and the random-slope model have this form.

Newton's method uses the exact observed information of the restricted likelihood. The same matrix
gives Satterthwaite's degrees of freedom.

References
----------
Harville 1977 (J Am Stat Assoc 72:320), the restricted likelihood with its derivatives.
Fai & Cornelius 1996 (J Stat Comput Simul 54:363), Satterthwaite's method for mixed models.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.covariance import CovarianceModel, invert_positive_definite
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.result import Flags, Floats

_MAX_ITERATIONS = 60
_DECREMENT = 1e-9
"""Newton decrement at which a step is the last one: it leaves an error of its square."""


@dataclass(frozen=True)
class MeanModel:
    """Which time course each predictor takes.

    Attributes
    ----------
    courses
        B, (n_visits, m).
    included
        (m, p), False where a predictor's coefficient is fixed at 0.
    contrast
        (m, p) position of the coefficient that is reported.
    """

    courses: Floats
    included: Flags
    contrast: tuple[int, int]

    @property
    def free(self) -> NDArray[np.intp]:
        """Positions of the free coefficients in the flattened (m, p)."""
        return np.flatnonzero(self.included)

    @property
    def reported(self) -> int:
        """Position of the reported coefficient in the flattened (m, p)."""
        return int(self.contrast[0] * self.included.shape[1] + self.contrast[1])


@dataclass(frozen=True)
class RemlFit:
    """Estimates of each trial: eta, beta (t, m, p), the reported coefficient with variance, df."""

    eta: Floats
    beta: Floats
    estimate: Floats
    variance: Floats
    df: Floats
    converged: Flags


@dataclass(frozen=True)
class _State:
    """Everything of the likelihood at one parameter value, per trial (t) and pattern (k)."""

    inverse: Floats  # W, (t, k, visits, visits), 0 where unseen
    weighted: Floats  # W B, (t, k, visits, m)
    covariance: Floats  # (X'V^-1 X)^-1 with fixed coefficients as 0, (t, mp, mp)
    beta: Floats  # (t, m, p)
    residual: Floats  # sum r r', (t, k, visits, visits)
    residual_by_predictor: Floats  # sum r z', (t, k, visits, p)
    log_likelihood: Floats  # (t,), -inf where the covariance is not positive definite


def fit_reml(
    statistics: PatternStatistics, mean: MeanModel, covariance: CovarianceModel, start: Floats
) -> RemlFit:
    """Return the REML fit of each trial.

    Parameters
    ----------
    start
        (n_trials, n_parameters), first value of eta.
    """
    n_trials = len(start)
    eta, log_likelihood = start.copy(), np.full(n_trials, -np.inf)
    step, df = np.zeros_like(start), np.full(n_trials, np.nan)
    converged = np.zeros(n_trials, dtype=bool)
    active = np.arange(n_trials)
    for _ in range(_MAX_ITERATIONS):
        part = statistics.select(active)
        state = _evaluate(part, mean, covariance, eta[active])
        improved = state.log_likelihood >= log_likelihood[active] - 1e-7
        worse = ~(improved & np.isfinite(state.log_likelihood))
        step[active[worse]] /= 2
        eta[active[worse]] -= step[active[worse]]
        good = active[~worse]
        if good.size:
            state, part = _select(state, ~worse), part.select(~worse)
            log_likelihood[good] = state.log_likelihood
            move, decrement, df[good] = _newton(part, mean, covariance, eta[good], state)
            step[good] = move
            eta[good] += move
            converged[good] = decrement < _DECREMENT
        stuck = ~(np.abs(step[active]).max(axis=1) > 0)
        active = active[~(converged[active] | stuck)]
        if not active.size:
            break
    final = _evaluate(statistics, mean, covariance, eta)
    at = mean.reported
    converged &= np.isfinite(final.log_likelihood)
    estimate = final.beta.reshape(n_trials, -1)[:, at]
    return RemlFit(eta, final.beta, estimate, final.covariance[:, at, at], df, converged)


def _select(state: _State, trials: Flags) -> _State:
    return _State(*(getattr(state, name)[trials] for name in _State.__dataclass_fields__))


def _evaluate(
    statistics: PatternStatistics, mean: MeanModel, covariance: CovarianceModel, eta: Floats
) -> _State:
    p, n_trials = statistics.n_predictors, len(eta)
    cross, seen = statistics.cross, statistics.seen
    zz, zy, yy = cross[..., :p, :p], cross[..., :p, p:], cross[..., p:, p:]
    inverse, log_det, fine = _invert_by_pattern(covariance, eta, seen)
    weighted = inverse @ mean.courses
    by_course = mean.courses.T @ weighted
    n_courses = mean.courses.shape[1]
    size = n_courses * p
    information = _sum_kron(by_course[:, :, None], zz)[:, 0]
    moment = (weighted.transpose(0, 1, 3, 2) @ zy.transpose(0, 1, 3, 2)).sum(axis=1)
    free = mean.free
    small, log_det_information, solvable = invert_positive_definite(
        information[:, free[:, None], free[None, :]]
    )
    spread = np.zeros((n_trials, size, size))
    spread[:, free[:, None], free[None, :]] = small
    with np.errstate(all="ignore"):
        beta = (spread @ moment.reshape(n_trials, size, 1)).reshape(n_trials, n_courses, p)
        fitted = (mean.courses @ beta)[:, None] * seen[None, :, :, None]
        explained = fitted @ zy
        by_predictor = zy.transpose(0, 1, 3, 2) - fitted @ zz
        residual = (
            yy
            - explained
            - explained.transpose(0, 1, 3, 2)
            + fitted @ zz @ fitted.transpose(0, 1, 3, 2)
        )
        log_likelihood = -0.5 * (
            (statistics.counts * log_det).sum(axis=1)
            + np.einsum("tkij,tkij->t", inverse, residual)
            + log_det_information
        )
    usable = fine & solvable & np.isfinite(log_likelihood)
    log_likelihood = np.where(usable, log_likelihood, -np.inf)
    return _State(inverse, weighted, spread, beta, residual, by_predictor, log_likelihood)


def _invert_by_pattern(
    covariance: CovarianceModel, eta: Floats, seen: Flags
) -> tuple[Floats, Floats, Flags]:
    full = np.einsum("ta,aij->tij", covariance.compute_terms(eta), covariance.basis)
    both = seen[:, :, None] & seen[:, None, :]
    # unseen visits get a unit variance of their own: it adds nothing to the log determinant
    padded = np.where(both, full[:, None], np.eye(seen.shape[1]))
    inverse, log_det, fine = invert_positive_definite(padded)
    return inverse * both, log_det, np.asarray(fine.all(axis=1))


def _sum_kron(left: Floats, right: Floats) -> Floats:
    """Return sum_k left[t,k,a] kron right[t,k]: (t, a, m p, m p)."""
    n_trials, n_patterns, n_terms, m = left.shape[:4]
    p = right.shape[-1]
    flat = left.reshape(n_trials, n_patterns, -1).transpose(0, 2, 1)
    blocks = flat @ right.reshape(n_trials, n_patterns, -1)
    return (
        blocks.reshape(n_trials, n_terms, m, m, p, p)
        .transpose(0, 1, 2, 4, 3, 5)
        .reshape(n_trials, n_terms, m * p, m * p)
    )


def _newton(
    statistics: PatternStatistics,
    mean: MeanModel,
    covariance: CovarianceModel,
    eta: Floats,
    state: _State,
) -> tuple[Floats, Floats, Floats]:
    """Return the step, its decrement, and Satterthwaite's df of the reported coefficient."""
    score, observed, expected, gradient = _differentiate(statistics, mean, covariance, state)
    jacobian = covariance.compute_jacobian(eta)
    back = jacobian.transpose(0, 2, 1)
    score_eta = (back @ score[..., None])[..., 0]
    gradient_eta = (back @ gradient[..., None])[..., 0]
    bend = np.einsum("ta,aij->tij", score, covariance.curvature)
    inverse, _, fine = invert_positive_definite(back @ observed @ jacobian - bend)
    if not fine.all():
        rest = ~fine
        inverse[rest] = invert_positive_definite(back[rest] @ expected[rest] @ jacobian[rest])[0]
    step = (inverse @ score_eta[..., None])[..., 0]
    with np.errstate(all="ignore"):
        decrement = np.einsum("ti,ti->t", step, score_eta)
        spread = np.einsum("ti,tij,tj->t", gradient_eta, inverse, gradient_eta)
        variance = state.covariance[:, mean.reported, mean.reported]
        df = 2 * variance**2 / spread
    return step, decrement, df


def _differentiate(
    statistics: PatternStatistics, mean: MeanModel, covariance: CovarianceModel, state: _State
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return score, observed and expected information of theta, gradient of the variance.

    With P = V^-1 - V^-1 X (X'V^-1 X)^-1 X'V^-1 and V_a = dV / d theta_a: the score is
    -tr(P V_a)/2 + y'P V_a P y/2, the expected information tr(P V_a P V_b)/2, the observed one
    y'P V_a P V_b P y minus the expected one.
    """
    p, basis = statistics.n_predictors, covariance.basis
    zz = statistics.cross[..., :p, :p]
    n_trials, n_patterns = state.inverse.shape[:2]
    n_terms, n_courses = len(basis), mean.courses.shape[1]
    size = n_courses * p
    w, wb = state.inverse, state.weighted
    wb_back = wb.transpose(0, 1, 3, 2)
    blocks = state.covariance.reshape(n_trials, n_courses, p, n_courses, p)
    leverage = np.einsum("tapbq,tkpq->tkab", blocks, zz, optimize=True)
    lift = wb @ leverage @ wb_back
    core = w @ state.residual @ w
    scaled = statistics.counts[:, :, None, None] * w
    score = 0.5 * np.einsum("aij,tij->ta", basis, (core + lift - scaled).sum(axis=1))

    change = np.einsum("aij,tkjm->tkaim", basis, wb)
    slopes = (wb_back[:, :, None] @ change).reshape(
        n_trials, n_patterns, n_terms, n_courses, n_courses
    )
    moved = state.covariance[:, None] @ _sum_kron(slopes, zz)
    second = moved.reshape(n_trials, n_terms, -1) @ moved.transpose(0, 1, 3, 2).reshape(
        n_trials, n_terms, -1
    ).transpose(0, 2, 1)
    pull = (
        (change.transpose(0, 1, 2, 4, 3) @ (w @ state.residual_by_predictor)[:, :, None])
        .sum(axis=1)
        .reshape(n_trials, n_terms, size)
    )
    spent = pull @ state.covariance @ pull.transpose(0, 2, 1)
    traced = _trace_pairs(basis, w, core + lift - scaled / 2)
    expected = _trace_pairs(basis, w, scaled / 2 - lift) + second / 2
    observed = traced - second / 2 - spent
    gradient = np.einsum(
        "tax,tx->ta", moved[:, :, mean.reported], state.covariance[:, :, mean.reported]
    )
    return score, observed, expected, gradient


def _trace_pairs(basis: Floats, left: Floats, right: Floats) -> Floats:
    """Return sum_k tr(E_a left_k E_b right_k), (t, a, b), made symmetric in a and b."""
    n_trials, n_terms = len(left), len(basis)
    first = np.einsum("aij,tkjl->takil", basis, left).reshape(n_trials, n_terms, -1)
    second = np.einsum("blj,tkji->tbkil", basis, right).reshape(n_trials, n_terms, -1)
    traces = first @ second.transpose(0, 2, 1)
    return np.asarray((traces + traces.transpose(0, 2, 1)) / 2)
