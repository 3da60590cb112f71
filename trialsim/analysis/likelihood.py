"""The restricted likelihood of Gaussian repeated measures, for many trials at once.

The model of person i is y_i = (B kron z_i') beta + e_i with cov(e_i) = sum_a theta_a E_a at the
visits that were seen: z_i are predictors known at baseline, B the time courses that every
predictor may take (the identity: a free mean at each visit; [1, t]: a straight line). Both the
unstructured MMRM and the random-slope model have this form. Some coefficients may be random, those
of indicators of sites: effects that people share, see `trialsim.analysis.shared_effects`.

References
----------
Harville 1977 (J Am Stat Assoc 72:320), the restricted likelihood with its derivatives. Henderson
1975 (Biometrics 31:423), fixed and random coefficients together.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis import shared_effects
from trialsim.analysis.covariance import CovarianceModel, invert_positive_definite
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.result import Flags, Floats


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
    component
        (m, p), the number of the variance that a random coefficient has, from 0; -1 where it is
        fixed. None where all are.
    """

    courses: Floats
    included: Flags
    contrast: tuple[int, int]
    component: NDArray[np.intp] | None = None

    @property
    def free(self) -> NDArray[np.intp]:
        """Positions of the free coefficients in the flattened (m, p)."""
        return np.flatnonzero(self.included)

    @cached_property
    def shared(self) -> NDArray[np.intp]:
        """Positions of the random coefficients in the flattened (m, p)."""
        return np.asarray(self.free[self.free_component >= 0])

    @cached_property
    def free_component(self) -> NDArray[np.intp]:
        """Variance that each free coefficient has, -1 for a fixed one, (n_free,)."""
        if self.component is None:
            return np.full(len(self.free), -1)
        return np.asarray(self.component.ravel()[self.free])

    @cached_property
    def blocks(self) -> "list[_Block]":
        """Pairs of free coefficients: fixed and random ones, each with each."""
        random = self.free_component >= 0
        parts = [part for part in (np.flatnonzero(~random), np.flatnonzero(random)) if part.size]
        p = self.included.shape[1]
        return [_Block.build(self.free, rows, columns, p) for rows in parts for columns in parts]

    @property
    def reported(self) -> int:
        """Position of the reported coefficient in the flattened (m, p)."""
        return int(self.contrast[0] * self.included.shape[1] + self.contrast[1])


@dataclass(frozen=True)
class _Block:
    """Pairs of free coefficients, and which entries of two matrices their products need."""

    place: tuple[NDArray[np.intp], NDArray[np.intp]]
    courses: tuple[NDArray[np.intp], NDArray[np.intp]]
    predictors: tuple[NDArray[np.intp], NDArray[np.intp]]
    at: NDArray[np.intp]  # of each pair in a flattened (courses, courses, predictors, predictors)

    def is_whole(self, m: int, p: int) -> bool:
        """Return whether all entries are needed, so that none must be picked."""
        return self.courses[1].size == m and self.predictors[1].size == p

    @classmethod
    def build(
        cls, free: NDArray[np.intp], rows: NDArray[np.intp], columns: NDArray[np.intp], p: int
    ) -> "_Block":
        known, position = [], []
        for part in (rows, columns):
            for numbers in np.divmod(free[part], p):
                own, number = np.unique(numbers, return_inverse=True)
                known.append(own)
                position.append(number)
        sizes = [len(own) for own in known]
        course = position[0][:, None] * sizes[2] + position[2]
        predictor = position[1][:, None] * sizes[3] + position[3]
        return cls(
            (rows[:, None], columns),
            (known[0][:, None], known[2]),
            (known[1][:, None], known[3]),
            course * (sizes[1] * sizes[3]) + predictor,
        )


@dataclass(frozen=True)
class State:
    """Everything of the likelihood at one parameter value, per trial (t) and pattern (k)."""

    inverse: Floats  # W, (t, k, visits, visits), 0 where unseen
    weighted: Floats  # W B, (t, k, visits, m)
    information: Floats  # X'W X of free coefficients, (t, n_free, n_free)
    covariance: Floats  # (X'V^-1 X)^-1 with fixed coefficients as 0, (t, mp, mp)
    beta: Floats  # (t, m, p)
    residual: Floats  # sum r r', (t, k, visits, visits)
    residual_by_predictor: Floats  # sum r z', (t, k, visits, p)
    pulled: Floats  # Z'V^-1 r of shared effects, (t, n_shared_coefficients)
    log_likelihood: Floats  # (t,), -inf where the covariance is not positive definite


@dataclass(frozen=True)
class Derivatives:
    """Derivatives by the terms theta (a) of each trial (t).

    Attributes
    ----------
    score
        (t, a).
    observed, expected
        Information, (t, a, a).
    gradient
        Of the reported coefficient's variance, (t, a).
    carried
        c' Phi X'V^-1 V_a V^-1 X with Phi = (X'V^-1 X)^-1 and c the reported coefficient,
        (t, a, mp).
    spanned
        What the variances of shared effects (q) add to Kenward & Roger's method, (t, a, q).
    """

    score: Floats
    observed: Floats
    expected: Floats
    gradient: Floats
    carried: Floats
    spanned: Floats


def evaluate_likelihood(
    statistics: PatternStatistics, mean: MeanModel, covariance: CovarianceModel, eta: Floats
) -> State:
    """Return the restricted likelihood at `eta`, (n_trials, n_parameters)."""
    p, n_trials = statistics.n_predictors, len(eta)
    zz, zy = statistics.cross[..., :p, :p], statistics.cross[..., :p, p:]
    inverse, log_det, fine = _invert_by_pattern(covariance, eta, statistics)
    weighted = inverse @ mean.courses
    by_course = mean.courses.T @ weighted
    n_courses = mean.courses.shape[1]
    size = n_courses * p
    information = sum_kron(by_course[:, :, None], zz, mean)[:, 0]
    moment = (weighted.transpose(0, 1, 3, 2) @ zy.transpose(0, 1, 3, 2)).sum(axis=1)
    free = mean.free
    moment = moment.reshape(n_trials, size, 1)
    small, log_det_information, solvable = shared_effects.invert(
        information, mean.free_component, covariance.get_deviations(eta)
    )
    spread = np.zeros((n_trials, size, size))
    spread[:, free[:, None], free[None, :]] = small
    with np.errstate(all="ignore"):
        beta = (spread @ moment).reshape(n_trials, n_courses, p)
        residual, by_predictor = compute_residual_sums(statistics, mean.courses @ beta)
        pulled = _pull_shared(weighted, by_predictor, mean)
        # u'Z'R^-1 r = sum_c u_c'u_c / s_c
        drawn = (pulled * beta.reshape(n_trials, size)[:, mean.shared]).sum(axis=1)
        log_likelihood = -0.5 * (
            (statistics.counts * log_det).sum(axis=1)
            + np.einsum("tkij,tkij->t", inverse, residual)
            + drawn
            + log_det_information
        )
    usable = fine & solvable & np.isfinite(log_likelihood)
    log_likelihood = np.where(usable, log_likelihood, -np.inf)
    return State(
        inverse, weighted, information, spread, beta, residual, by_predictor, pulled, log_likelihood
    )


def _pull_shared(weighted: Floats, by_predictor: Floats, mean: MeanModel) -> Floats:
    """Return Z'R^-1 r of the shared effects, (t, n_shared_coefficients)."""
    if not mean.shared.size:
        return np.empty((len(weighted), 0))
    total = (weighted.transpose(0, 1, 3, 2) @ by_predictor).sum(axis=1)
    return np.asarray(total.reshape(len(total), -1)[:, mean.shared])


def compute_residual_sums(statistics: PatternStatistics, slopes: Floats) -> tuple[Floats, Floats]:
    """Return sum r r', (t, k, visits, visits), and sum r z', (t, k, visits, p), by pattern.

    Parameters
    ----------
    statistics
        Of the trials' patterns of visits.
    slopes
        Coefficients of the predictors at each visit, (t, visits, p).
    """
    p = statistics.n_predictors
    cross = statistics.cross
    zz, zy, yy = cross[..., :p, :p], cross[..., :p, p:], cross[..., p:, p:]
    fitted = slopes[:, None] * statistics.seen[None, :, :, None]
    explained, of_fit = fitted @ zy, fitted @ zz
    residual = yy - explained - explained.transpose(0, 1, 3, 2)
    residual += of_fit @ fitted.transpose(0, 1, 3, 2)
    return residual, zy.transpose(0, 1, 3, 2) - of_fit


def _invert_by_pattern(
    covariance: CovarianceModel, eta: Floats, statistics: PatternStatistics
) -> tuple[Floats, Floats, Flags]:
    seen = statistics.seen
    full = covariance.compute_covariances(eta)[:, statistics.block]
    both = seen[:, :, None] & seen[:, None, :]
    # unseen visits get a unit variance of their own: it adds nothing to the log determinant
    padded = np.where(both, full, np.eye(seen.shape[1]))
    inverse, log_det, fine = invert_positive_definite(padded)
    return inverse * both, log_det, np.asarray(fine.all(axis=1))


def sum_kron(left: Floats, right: Floats, mean: MeanModel) -> Floats:
    """Return sum_k left[t,k,a] kron right[t,k] of free coefficients: (t, a, n_free, n_free)."""
    if len(mean.blocks) == 1 and mean.blocks[0].is_whole(left.shape[-1], right.shape[-1]):
        return _sum_kron(left, right, mean.blocks[0].at)
    n_trials, n_terms = len(left), left.shape[2]
    n_free = len(mean.free)
    total = np.empty((n_trials, n_terms, n_free, n_free))
    for block in mean.blocks:
        own = left[(..., *block.courses)], right[(..., *block.predictors)]
        total[(..., *block.place)] = _sum_kron(*own, block.at)
    return total


def _sum_kron(left: Floats, right: Floats, at: NDArray[np.intp]) -> Floats:
    n_trials, n_patterns, n_terms = left.shape[:3]
    flat = left.reshape(n_trials, n_patterns, -1).transpose(0, 2, 1)
    products = (flat @ right.reshape(n_trials, n_patterns, -1)).reshape(n_trials, n_terms, -1)
    return np.asarray(products.take(at.ravel(), axis=2).reshape(n_trials, n_terms, *at.shape))


def differentiate(
    statistics: PatternStatistics, mean: MeanModel, covariance: CovarianceModel, state: State
) -> Derivatives:
    """Return the derivatives of the restricted likelihood by theta.

    With P = V^-1 - V^-1 X (X'V^-1 X)^-1 X'V^-1 and V_a = dV / d theta_a: the score is
    -tr(P V_a)/2 + y'P V_a P y/2, the expected information tr(P V_a P V_b)/2, the observed one
    y'P V_a P V_b P y minus the expected one.
    """
    n_trials = len(state.covariance)
    blocks = [
        _differentiate_block(statistics, mean, covariance.basis, state, patterns)
        for patterns in covariance.find_blocks(statistics.block)
    ]
    score, information, pull = (
        np.concatenate([block[i] for block in blocks], axis=1) for i in range(3)
    )
    free = mean.free
    spread = state.covariance[:, free[:, None], free]
    moved = spread[:, None] @ information
    n_terms = moved.shape[1]
    second = moved.reshape(n_trials, n_terms, -1) @ moved.transpose(0, 1, 3, 2).reshape(
        n_trials, n_terms, -1
    ).transpose(0, 2, 1)
    spent = pull @ spread @ pull.transpose(0, 2, 1)
    traced = join_diagonal([block[3] for block in blocks])
    expected = join_diagonal([block[4] for block in blocks]) + second / 2
    carried = np.zeros((n_trials, n_terms, state.covariance.shape[1]))
    carried[:, :, free] = (free == mean.reported).astype(float) @ moved
    gradient = np.einsum("tax,tx->ta", carried, state.covariance[:, :, mean.reported])
    observed = traced - second / 2 - spent
    if not mean.shared.size:
        nothing = np.empty((n_trials, n_terms, 0))
        return Derivatives(score, observed, expected, gradient, carried, nothing)
    shared = shared_effects.differentiate(
        mean.free_component, free == mean.reported, state.information, spread, state.pulled,
        information, pull,
    )  # fmt: skip
    return Derivatives(
        np.concatenate([score, shared.score], axis=1),
        shared_effects.border(observed, shared.squares - shared.traces),
        shared_effects.border(expected, shared.traces),
        np.concatenate([gradient, shared.gradient], axis=1),
        carried,
        shared.spanned,
    )


def _differentiate_block(
    statistics: PatternStatistics,
    mean: MeanModel,
    basis: Floats,
    state: State,
    patterns: NDArray[np.intp] | slice,
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return what the patterns of one covariance add.

    The score; X'V^-1 V_a V^-1 X; X'V^-1 V_a V^-1 r; the traces of the observed and of the expected
    information.
    """
    p = statistics.n_predictors
    zz = statistics.cross[:, patterns, :p, :p]
    w, wb = state.inverse[:, patterns], state.weighted[:, patterns]
    n_trials, n_patterns, n_visits = w.shape[:3]
    n_terms, n_courses = len(basis), mean.courses.shape[1]
    wb_back = wb.transpose(0, 1, 3, 2)
    parts = state.covariance.reshape(n_trials, n_courses, p, n_courses, p)
    leverage = np.einsum("tapbq,tkpq->tkab", parts, zz, optimize=True)
    lift = wb @ leverage @ wb_back
    core = w @ state.residual[:, patterns] @ w
    scaled = statistics.counts[:, patterns, None, None] * w
    score = 0.5 * np.einsum("aij,tij->ta", basis, (core + lift - scaled).sum(axis=1))

    rows = basis.reshape(n_terms * n_visits, n_visits)
    change = (rows @ wb).reshape(n_trials, n_patterns, n_terms, -1, n_courses)
    slopes = (wb_back[:, :, None] @ change).reshape(
        n_trials, n_patterns, n_terms, n_courses, n_courses
    )
    stretched = (w @ state.residual_by_predictor[:, patterns]).reshape(n_trials, n_patterns, -1)
    crossed = wb.reshape(n_trials, n_patterns, -1).transpose(0, 2, 1) @ stretched
    placed = crossed.reshape(n_trials, n_visits, n_courses, n_visits, p).swapaxes(2, 3)
    pull = basis.reshape(n_terms, -1) @ placed.reshape(n_trials, n_visits**2, n_courses * p)
    pull = pull[:, :, mean.free]
    observed = trace_pairs(basis, w, core + lift - scaled / 2)
    expected = trace_pairs(basis, w, scaled / 2 - lift)
    return score, sum_kron(slopes, zz, mean), pull, observed, expected


def trace_pairs(basis: Floats, left: Floats, right: Floats) -> Floats:
    """Return sum_k tr(E_a left_k E_b right_k), (t, a, b), made symmetric in a and b."""
    n_trials, n_patterns, n = left.shape[:3]
    terms = basis.reshape(len(basis), n * n)
    # the products of entries are summed over patterns once, and not for each pair of terms
    flat = left.reshape(n_trials, n_patterns, n * n).transpose(0, 2, 1)
    products = flat @ right.reshape(n_trials, n_patterns, n * n)
    # left[j, l] right[m, i] stands where E_a[i, j] E_b[l, m] needs it
    placed = products.reshape(n_trials, n, n, n, n).transpose(0, 4, 1, 2, 3)
    traces = terms @ placed.reshape(n_trials, n * n, n * n) @ terms.T
    return np.asarray((traces + traces.transpose(0, 2, 1)) / 2)


def join_diagonal(blocks: list[Floats]) -> Floats:
    """Return block-diagonal matrices, (t, a, a), of each covariance's own."""
    if len(blocks) == 1:
        return blocks[0]
    size = sum(block.shape[-1] for block in blocks)
    joined = np.zeros((len(blocks[0]), size, size))
    first = 0
    for block in blocks:
        part = slice(first, first + block.shape[-1])
        joined[:, part, part] = block
        first = part.stop
    return joined
