"""What all visits of everyone say about one person: a growth model, and expectations given it.

A treatment slows true decline, and the people whom a scan selects are partly those whose baseline
was measured too low (or too high): their measured decline is not their true one. The growth model
of everyone, in whom nobody was selected, says how much of a baseline is error. It also says what a
missing visit would have been, so that nobody is dropped for lacking one.

References
----------
Laird & Ware 1982 (Biometrics 38:963), the model and its predictions (BLUP).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.covariance import build_linear
from trialsim.analysis.likelihood import MeanModel
from trialsim.analysis.patterns import PatternStatistics, decode_patterns, encode_patterns
from trialsim.analysis.reml import fit_reml
from trialsim.analysis.result import Flags, Floats
from trialsim.errors import DesignError

_MIN_PEOPLE = 10


@dataclass(frozen=True)
class Growth:
    """Free means at the visits; lines that differ between people, partly by predictors; noise.

    y_ij = mean_j + sum_k (c0_k + c1_k t_j) x_ik + u_0i + u_1i t_j + e_ij, cov(u) = D.

    Attributes
    ----------
    means
        (n_visits,), of people whose predictors are all 0.
    lines
        (c0, c1) of each predictor, (2, n_predictors).
    covariance
        D, (2, 2).
    residual_variance
        Variance of e; 0 where there are only two visits, which cannot tell it from D.
    times
        Months of the visits, (n_visits,).
    """

    means: Floats
    lines: Floats
    covariance: Floats
    residual_variance: float
    times: Floats

    @property
    def courses(self) -> Floats:
        """Columns 1 and t, (n_visits, 2)."""
        return np.column_stack([np.ones_like(self.times), self.times])

    @property
    def visit_covariance(self) -> Floats:
        """Covariance of the measured visits given the score, (n_visits, n_visits)."""
        noise = self.residual_variance * np.eye(len(self.times))
        return np.asarray(self.courses @ self.covariance @ self.courses.T + noise)


@dataclass(frozen=True)
class ExpectedOutcomes:
    """What is expected of each person given all their visits.

    Attributes
    ----------
    outcome
        (n_people, n_visits): as measured, a visit that was missed at its conditional expectation.
    covariance
        (n_people, n_visits, n_visits), conditional covariance of the missed visits; 0 elsewhere.
    true_baseline
        (n_people,), conditional expectation of the baseline without its measurement error.
    surprise
        (n_people,), square of the last visit's distance from what the earlier ones let expect, over
        its variance in the model; NaN where the last or every earlier visit is missing. Its mean in
        a group says how much more (or less) varied the group is than the model of everyone.
    noise_sd
        Standard deviation of the measurement error; 0 where it is not known.
    refit
        How the expectations move with the people that the model's means are estimated from; None
        where nothing is estimated.
    """

    outcome: Floats
    covariance: Floats
    true_baseline: Floats
    surprise: Floats
    noise_sd: float
    refit: "Refit | None" = None

    @property
    def true_change(self) -> Floats:
        """Change from the expected true baseline to each visit, (n_people, n_visits).

        The errors of later visits had no part in a selection at baseline: they average to 0.
        """
        change = self.outcome - self.true_baseline[:, None]
        change[:, 0] = 0.0
        return np.asarray(change)

    def select(self, people: NDArray[np.intp]) -> "ExpectedOutcomes":
        """Return those of some people."""
        return replace(
            self,
            outcome=self.outcome[people],
            covariance=self.covariance[people],
            true_baseline=self.true_baseline[people],
            surprise=self.surprise[people],
            refit=None,
        )

    def draw(self, rng: np.random.Generator, weights: Floats) -> Floats:
        """Return outcomes whose missed visits are drawn from what they may have been.

        Parameters
        ----------
        weights
            (n_people,), of the group whose own variability counts.
        """
        values, vectors = np.linalg.eigh(self.covariance * compare_spread(self.surprise, weights))
        root = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
        normal = rng.standard_normal(self.outcome.shape)
        return np.asarray(self.outcome + (root @ normal[..., None])[..., 0])


@dataclass(frozen=True)
class Refit:
    """Generalized least squares of the means and lines, person by person; variances are kept.

    Attributes
    ----------
    information
        X'V^-1 X of each person's visits, (n_people, p, p).
    score
        X'V^-1 r at the fit to everyone, (n_people, p).
    response
        Derivative of the expected outcomes, then of the true baseline, (n_people, n_visits + 1, p).
    """

    information: Floats
    score: Floats
    response: Floats

    def move(self, weights: Floats) -> Floats:
        """Return what is added to each expectation in samples, (n_samples, n_people, n_visits + 1).

        Parameters
        ----------
        weights
            (n_samples, n_people).
        """
        n_people, n_terms = self.score.shape
        flat = self.information.reshape(n_people, -1)
        information = (weights @ flat).reshape(-1, n_terms, n_terms)
        # a sample may lack a diagnosis altogether: its term then stays
        diagonal = np.maximum(flat.mean(axis=0).reshape(n_terms, n_terms).diagonal(), 1e-300)
        information += 1e-6 * np.diag(diagonal)
        moved = np.linalg.solve(information, (weights @ self.score)[..., None])[..., 0]
        return np.asarray(np.tensordot(moved, self.response, axes=(1, 2)))


def fit_growth(
    outcome: Floats, times: Floats, predictors: Floats, weights: Floats | None = None
) -> Growth:
    """Return the growth model of everyone by REML.

    Parameters
    ----------
    outcome
        (n_people, n_visits), NaN where missing.
    times
        Months, (n_visits,).
    predictors
        (n_people, n_predictors), none missing; n_predictors may be 0.
    weights
        (n_people,): how many people each stands for; equal when None. The likelihood is that of
        the effective number of people, (sum w)^2 / sum w^2.

    Raises
    ------
    DesignError
        Fewer than 10 people have both the first and the last visit.
    """
    both = np.isfinite(outcome[:, 0]) & np.isfinite(outcome[:, -1])
    if both.sum() < _MIN_PEOPLE:
        raise DesignError(
            f"Only {both.sum()} of {len(outcome)} people have the first and the last visit of the "
            f"design; a simulation needs at least {_MIN_PEOPLE}."
        )
    weights = scale_weights(np.ones(len(outcome)) if weights is None else weights)
    scaled, kept, scale = _drop_redundant(predictors)
    x = np.column_stack([np.ones(len(outcome)), scaled])
    center = float(np.nanmean(outcome))
    courses, basis = _complete_courses(times), _build_basis(times)
    included = np.ones((len(times), x.shape[1]), dtype=bool)
    included[2:, 1:] = False
    complete = np.isfinite(outcome).all(axis=1)
    start = _estimate_start(outcome[complete], x[complete], basis)
    fit = fit_reml(
        summarize_weighted(outcome - center, x, weights),
        MeanModel(courses, included, (0, 0)),
        build_linear(basis),
        [start[None]],
    )
    terms = fit.eta[0] if fit.converged[0] else start
    lines = np.zeros((2, predictors.shape[1]))
    lines[:, kept] = fit.beta[0, :2, 1:] / scale
    covariance = _make_proper(np.array([[terms[0], terms[1]], [terms[1], terms[2]]]))
    residual = max(float(terms[3]), 0.0) if len(basis) > 3 else 0.0
    means = courses @ fit.beta[0, :, 0] + center
    return Growth(means, lines, covariance, residual, times)


def expect_outcomes(growth: Growth, outcome: Floats, predictors: Floats) -> ExpectedOutcomes:
    """Return each person's conditional expectations given all their visits and predictors.

    Parameters
    ----------
    growth
        The growth model of everyone.
    outcome
        (n_people, n_visits), NaN where missing.
    predictors
        As the model was fitted with, (n_people, n_predictors).
    """
    n_people, n_visits = outcome.shape
    design = _build_design(growth, predictors)
    fitted = growth.means + predictors @ (growth.courses @ growth.lines).T
    total = growth.visit_covariance
    expected, spread = np.array(outcome), np.zeros((n_people, n_visits, n_visits))
    error, surprise = np.zeros(n_people), np.full(n_people, np.nan)
    size = design.shape[2]
    information, score = np.zeros((n_people, size, size)), np.zeros((n_people, size))
    response = np.zeros((n_people, n_visits + 1, size))
    codes = encode_patterns(outcome)
    for code in np.unique(codes[codes > 0]):
        people = np.flatnonzero(codes == code)
        seen = (code >> np.arange(n_visits)) % 2 == 1
        lacks = np.flatnonzero(~seen)
        inverse = np.linalg.pinv(total[np.ix_(seen, seen)], hermitian=True)
        gain = total[:, seen] @ inverse
        own = design[people][:, seen]
        off = outcome[people][:, seen] - fitted[people][:, seen]
        expected[np.ix_(people, lacks)] = (fitted[people] + off @ gain.T)[:, lacks]
        left = total - gain @ total[seen]
        spread[people] = np.where(~seen[:, None] & ~seen[None, :], left, 0.0)
        back = own.transpose(0, 2, 1) @ inverse
        information[people] = back @ own
        score[people] = (back @ off[..., None])[..., 0]
        response[np.ix_(people, lacks)] = (design[people] - gain @ own)[:, lacks]
        if seen[-1] and seen[:-1].any():
            before = np.flatnonzero(seen)[:-1]
            step = np.linalg.pinv(total[np.ix_(before, before)], hermitian=True) @ total[before, -1]
            ahead = off[:, -1] - off[:, :-1] @ step
            variance = total[-1, -1] - total[-1, before] @ step
            surprise[people] = ahead**2 / variance
        if seen[0]:
            share = growth.residual_variance * inverse[0]
            error[people] = off @ share
            response[people, -1] = share @ own
        else:
            response[people, -1] = response[people, 0]
    return ExpectedOutcomes(
        expected,
        spread,
        expected[:, 0] - error,
        surprise,
        float(np.sqrt(growth.residual_variance)),
        Refit(information, score, response),
    )


def compare_spread(surprise: Floats, weights: Floats) -> Floats:
    """Return how much more varied weighted groups are than the model says; 1 where unknown.

    Parameters
    ----------
    surprise
        (n_people,), see `ExpectedOutcomes`.
    weights
        (..., n_people).
    """
    known = np.isfinite(surprise)
    total = weights @ known.astype(float)
    own = weights @ np.where(known, surprise, 0.0)
    return np.asarray(np.divide(own, total, out=np.ones_like(own), where=total > 0))


def _build_design(growth: Growth, predictors: Floats) -> Floats:
    """Return X of each person: the means, then a line for each predictor that has one."""
    n_people, n_visits = len(predictors), len(growth.times)
    used = predictors[:, growth.lines.any(axis=0)]
    lines = used[:, None, :, None] * growth.courses[None, :, None, :]
    means = np.broadcast_to(np.eye(n_visits), (n_people, n_visits, n_visits))
    return np.concatenate([means, lines.reshape(n_people, n_visits, -1)], axis=2)


def scale_weights(weights: Floats) -> Floats:
    """Return weights that add up to the effective number of people, (sum w)^2 / sum w^2."""
    return np.asarray(weights * (weights.sum() / (weights**2).sum()))


def summarize_weighted(outcome: Floats, predictors: Floats, weights: Floats) -> PatternStatistics:
    """Return the sufficient statistics of one weighted sample.

    Parameters
    ----------
    outcome
        (n_people, n_visits), NaN where unseen.
    predictors
        (n_people, p).
    weights
        (n_people,).
    """
    codes = encode_patterns(outcome)
    seen: Flags = decode_patterns(np.unique(codes), outcome.shape[1])
    values = np.column_stack([predictors, np.where(np.isnan(outcome), 0.0, outcome)])
    counts, cross = [], []
    for pattern in seen @ (1 << np.arange(outcome.shape[1])):
        own = weights * (codes == pattern)
        counts.append(own.sum())
        cross.append((values * own[:, None]).T @ values)
    block = np.zeros(len(seen), dtype=np.intp)
    return PatternStatistics(
        seen, np.array(counts)[None], np.array(cross)[None], predictors.shape[1], block
    )


def remove_own_volume(score: Floats, baseline: Floats, features: Floats | None) -> Floats:
    """Return the score without what it takes from the measured baseline of the endpoint.

    A score that reads the baseline volume holds its measurement error; as a predictor of the true
    course it must not. The coefficient of the baseline volume in a regression of the score on it
    and on `features` is taken off; without features nothing can be told apart, nothing is.

    Parameters
    ----------
    score, baseline
        (n_people,); NaN where missing.
    features
        Everything else that scores read, (n_people, p); NaN counts as the column's mean.

    Returns
    -------
    ndarray
        With mean 0; a missing score counts as the mean.
    """
    known = np.isfinite(score) & np.isfinite(baseline)
    if features is not None and known.sum() > _MIN_PEOPLE:
        own = baseline[known] - baseline[known].mean()
        others = np.column_stack([own, _standardize(features[known])])
        target = score[known] - score[known].mean()
        direct = np.linalg.lstsq(others, target, rcond=None)[0][0]
        score = score - direct * np.where(np.isfinite(baseline), baseline, 0.0)
        score = np.where(known, score, np.nan)
    if not np.isfinite(score).any():
        return np.zeros(len(score))
    return np.asarray(np.where(np.isfinite(score), score - np.nanmean(score), 0.0))


def _drop_redundant(predictors: Floats) -> tuple[Floats, NDArray[np.intp], Floats]:
    """Return the predictors that say something new, in units of their sd, with their places."""
    spread = predictors.std(axis=0)
    kept: list[int] = []
    seen = np.ones((len(predictors), 1))
    for k in np.flatnonzero(spread > 0):
        column = (predictors[:, k] - predictors[:, k].mean()) / spread[k]
        left = column - seen @ np.linalg.lstsq(seen, column, rcond=None)[0]
        if left.std() > 1e-3:
            kept.append(int(k))
            seen = np.column_stack([seen, column])
    places = np.array(kept, dtype=np.intp)
    return predictors[:, places] / spread[places], places, spread[places]


def center(columns: Floats) -> Floats:
    """Return columns minus their means; what is missing counts as the mean."""
    known = columns[:, np.isfinite(columns).any(axis=0)]
    offset = known - np.nanmean(known, axis=0) if known.size else known
    return np.asarray(np.where(np.isfinite(offset), offset, 0.0))


def _standardize(features: Floats) -> Floats:
    offset = center(features)
    spread = offset.std(axis=0)
    return np.asarray(offset[:, spread > 0] / spread[spread > 0])


def _complete_courses(times: Floats) -> Floats:
    """Return 1, t and further columns that together allow any mean at each visit."""
    first = np.column_stack([np.ones_like(times), times])
    whole, _ = np.linalg.qr(np.column_stack([first, np.eye(len(times))]))
    return np.column_stack([first, whole[:, 2 : len(times)]])


def _build_basis(times: Floats) -> Floats:
    ones = np.ones_like(times)
    cross = np.outer(ones, times)
    line = [np.outer(ones, ones), cross + cross.T, np.outer(times, times)]
    # two visits have three variances: the noise would be a fourth
    noise = [np.eye(len(times))] if len(times) > 2 else []
    return np.stack(line + noise)


def _estimate_start(outcome: Floats, predictors: Floats, basis: Floats) -> Floats:
    """Return the terms nearest the residual covariance of people with every visit."""
    if len(outcome) <= predictors.shape[1] + len(basis):
        spread = np.nanvar(outcome) if len(outcome) else 1.0
        start = np.zeros(len(basis))
        start[[0, -1]] = spread or 1.0
        return start
    off = outcome - predictors @ np.linalg.lstsq(predictors, outcome, rcond=None)[0]
    upper: tuple[NDArray[np.intp], NDArray[np.intp]] = np.triu_indices(outcome.shape[1])
    target = (off.T @ off / (len(off) - predictors.shape[1]))[upper]
    terms = np.linalg.lstsq(basis[:, *upper].T, target, rcond=None)[0]
    proper = _make_proper(np.array([[terms[0], terms[1]], [terms[1], terms[2]]]))
    terms[:3] = proper[0, 0], proper[0, 1], proper[1, 1]
    if len(terms) > 3:
        terms[3] = max(terms[3], 0.05 * float(np.diag(off.T @ off).min()) / len(off))
    return np.asarray(terms)


def _make_proper(covariance: Floats) -> Floats:
    """Return the nearest covariance that a pair of random effects can have."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)
