"""A growth model of everyone: lines that differ between people, and noise.

A treatment slows true decline, and the people whom a scan selects are partly those whose baseline
was measured too low (or too high): their measured decline is not their true one. The growth model
of everyone, in whom nobody was selected, says how much of a measurement is error.

References
----------
Laird & Ware 1982 (Biometrics 38:963).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cohorts.counting import tally
from trialsim.analysis.covariance import build_linear
from trialsim.analysis.likelihood import MeanModel, evaluate_likelihood
from trialsim.analysis.patterns import PatternStatistics, decode_patterns, encode_patterns
from trialsim.analysis.reml import fit_reml
from trialsim.analysis.result import Flags, Floats
from trialsim.errors import DesignError

_MIN_PEOPLE = 10

_LEAST_NEW = 1e-3
"""Standard deviations of a predictor that others must not explain."""


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
        Fewer than 10 people have both the first and the last visit, or predictors tell the
        outcomes of a visit to the last digit.
    """
    both = np.isfinite(outcome[:, 0]) & np.isfinite(outcome[:, -1])
    if both.sum() < _MIN_PEOPLE:
        raise DesignError(
            f"Only {both.sum()} of {tally(len(outcome), 'people')} have the first and the "
            "last visit of the "
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
    model = (
        summarize_weighted(outcome - center, x, weights),
        MeanModel(courses, included, (0, 0)),
        build_linear(basis),
    )
    with np.errstate(invalid="ignore"):
        fit = fit_reml(*model, [start[None]])
        # outcomes that lie on lines have no maximum that rounding lets one come to: the highest
        # likelihood that was tried is as near as their digits are
        highest = evaluate_likelihood(*model, fit.eta)
    # where weights leave fewer people, whoever made them tells what they say as much as
    n_effective = weights.sum() ** 2 / (weights**2).sum()
    if not np.isfinite(highest.log_likelihood[0]) and n_effective >= _MIN_PEOPLE:
        raise DesignError(
            "The growth model of everyone's visits has no fit: what is known at baseline tells "
            "the outcomes of a visit to the last digit; outcomes with a measurement error are "
            "expected."
        )
    terms, beta = fit.eta[0], highest.beta[0]
    lines = np.zeros((2, predictors.shape[1]))
    lines[:, kept] = beta[:2, 1:] / scale
    covariance = _make_proper(np.array([[terms[0], terms[1]], [terms[1], terms[2]]]))
    residual = max(float(terms[3]), 0.0) if len(basis) > 3 else 0.0
    means = courses @ beta[:, 0] + center
    return Growth(means, lines, covariance, residual, times)


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
        people = np.flatnonzero(codes == pattern)
        own, known = weights[people], values[people]
        counts.append(own.sum())
        cross.append((known * own[:, None]).T @ known)
    block = np.zeros(len(seen), dtype=np.intp)
    return PatternStatistics(
        seen, np.array(counts)[None], np.array(cross)[None], predictors.shape[1], block
    )


def _drop_redundant(predictors: Floats) -> tuple[Floats, NDArray[np.intp], Floats]:
    """Return the predictors that say something new, in units of their sd, with their places."""
    places, spread = find_new(predictors), predictors.std(axis=0)
    return predictors[:, places] / spread[places], places, spread[places]


def find_new(predictors: Floats) -> NDArray[np.intp]:
    """Return the places of the predictors that vary, and that those before do not explain."""
    spread = predictors.std(axis=0)
    varied = np.flatnonzero(spread > 0)
    # what is left of a column given those kept follows from how columns are correlated
    offset = (predictors[:, varied] - predictors[:, varied].mean(axis=0)) / spread[varied]
    correlation = offset.T @ offset / max(len(offset), 1)
    kept: list[int] = []
    for k in range(len(varied)):
        shared = correlation[np.ix_(kept, [k])]
        explained = shared.T @ np.linalg.solve(correlation[np.ix_(kept, kept)], shared)
        if correlation[k, k] - float(explained.sum()) > _LEAST_NEW**2:
            kept.append(k)
    return varied[kept].astype(np.intp)


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
