"""What is expected of each person given all their visits: true baseline, missed visits.

Nobody is dropped for lacking a visit: it is expected where the growth model of everyone puts it
given the visits that were seen (best linear unbiased prediction), and so is the baseline without
its measurement error, whose part in a selection is not decline.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.patterns import encode_patterns
from trialsim.analysis.result import Flags, Floats
from trialsim.simulation.growth import Growth


@dataclass(frozen=True)
class ExpectedOutcomes:
    """What is expected of each person given all their visits.

    Attributes
    ----------
    outcome
        (n_people, n_visits): as measured, a visit that was missed at its conditional expectation.
    spreads
        (n_kinds, n_visits, n_visits), conditional covariance of the missed visits of each kind of
        people, such as those who lack the same visits; 0 elsewhere.
    kinds
        (n_people,), the place of each person's among them.
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
    spreads: Floats
    kinds: NDArray[np.integer]
    true_baseline: Floats
    surprise: Floats
    noise_sd: float
    refit: "Refit | None" = None

    @property
    def covariance(self) -> Floats:
        """Conditional covariance of each person's missed visits, (n_people, n_visits, n_visits)."""
        return np.asarray(self.spreads[self.kinds])

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
            kinds=self.kinds[people],
            true_baseline=self.true_baseline[people],
            surprise=self.surprise[people],
            refit=None,
        )

    def draw(self, rng: np.random.Generator, weights: Floats) -> Floats:
        """Return outcomes whose missed visits are drawn from what they may have been.

        Parameters
        ----------
        rng
            Source of randomness.
        weights
            (n_people,), of the group whose own variability counts.
        """
        is_open: Flags = np.asarray(self.spreads.any(axis=(1, 2)))
        lacks = np.flatnonzero(is_open[self.kinds])
        held, places = np.unique(self.kinds[lacks], return_inverse=True)
        spread = self.spreads[held] * compare_spread(self.surprise, weights)
        values, vectors = np.linalg.eigh(spread)
        root = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
        normal = rng.standard_normal(self.outcome.shape)[lacks]
        drawn = np.array(self.outcome)
        drawn[lacks] += (root[places] @ normal[..., None])[..., 0]
        return drawn


@dataclass(frozen=True)
class Predictors:
    """Predictors of a growth model, those beside the score held once for all scores.

    Attributes
    ----------
    shared
        (n_people, n_shared).
    score
        (n_people,), the first predictor; None where there is none.
    """

    shared: Floats
    score: Floats | None = None

    def join(self) -> Floats:
        """Return all of them, (n_people, n_predictors)."""
        return self.shared if self.score is None else np.column_stack([self.score, self.shared])

    def select(self, people: NDArray[np.intp]) -> "Predictors":
        """Return those of some people."""
        own = None if self.score is None else self.score[people]
        return Predictors(self.shared[people], own)


class _Terms(NamedTuple):
    """What each person adds to generalized least squares.

    X'V^-1 X of each person's visits, what of it lies on or above the diagonal, (n_people,
    p (p + 1) / 2); X'V^-1 r at the fit to everyone, (n_people, p); derivative of the expected
    outcomes, then of the true baseline, (n_visits + 1, n_people, p).
    """

    information: Floats
    score: Floats
    response: Floats


@dataclass(frozen=True)
class Refit:
    """Generalized least squares of the means and lines, person by person; variances are kept.

    Attributes
    ----------
    growth
        The growth model of everyone.
    outcome
        (n_people, n_visits), NaN where missing.
    predictors
        As the model was fitted with.
    """

    growth: Growth
    outcome: Floats
    predictors: "Predictors"

    def select(self, people: NDArray[np.intp]) -> "Refit":
        """Return that of some people, around the fit to everyone."""
        return Refit(self.growth, self.outcome[people], self.predictors.select(people))

    def move(self, weights: Floats) -> Floats:
        """Return what is added to each expectation in samples, (n_samples, n_visits + 1, n_people).

        Parameters
        ----------
        weights
            (n_samples, n_people).
        """
        n_terms = self._terms.score.shape[1]
        rows, columns = np.triu_indices(n_terms)
        information = np.empty((len(weights), n_terms, n_terms))
        half = weights @ self._terms.information
        information[:, rows, columns] = information[:, columns, rows] = half
        # a sample may lack a diagnosis altogether: its term then stays
        information += 1e-6 * np.diag(np.maximum(self._diagonal, 1e-300))
        moved = np.linalg.solve(information, (weights @ self._terms.score)[..., None])[..., 0]
        return np.asarray(np.tensordot(moved, self._terms.response, axes=(1, 2)))

    @cached_property
    def _diagonal(self) -> Floats:
        """Mean of each diagonal element of the information, (p,)."""
        n_terms = self._terms.score.shape[1]
        rows, columns = np.triu_indices(n_terms)
        return np.asarray(self._terms.information[:, rows == columns].mean(axis=0))

    @cached_property
    def _terms(self) -> _Terms:
        """Many numbers a person, which are made when they are first asked for."""
        predictors = self.predictors.join()
        design = _build_design(self.growth, predictors)
        n_people, n_visits, size = design.shape
        rows, columns = np.triu_indices(size)
        information, score = np.zeros((n_people, len(rows))), np.zeros((n_people, size))
        response = np.zeros((n_visits + 1, n_people, size))
        for one in _iterate_patterns(self.growth, self.outcome, predictors):
            own = design[one.people][:, one.seen]
            back = own.transpose(0, 2, 1) @ one.inverse
            information[one.people] = (back @ own)[:, rows, columns]
            score[one.people] = (back @ one.off[..., None])[..., 0]
            lacks = np.flatnonzero(~one.seen)
            missed = (design[one.people] - one.gain @ own)[:, lacks]
            response[np.ix_(lacks, one.people)] = missed.transpose(1, 0, 2)
            if one.seen[0]:
                share = self.growth.residual_variance * one.inverse[0]
                response[-1, one.people] = share @ own
            else:
                response[-1, one.people] = response[0, one.people]
        return _Terms(information, score, response)


class _Pattern(NamedTuple):
    """People whose same visits are missing.

    Their positions; whether each visit was seen, (n_visits,); the inverse covariance of those that
    were; the regression of all visits on them; the distance from the fit of each of those.
    """

    people: NDArray[np.intp]
    seen: Flags
    inverse: Floats
    gain: Floats
    off: Floats
    fitted: Floats


def _iterate_patterns(growth: Growth, outcome: Floats, predictors: Floats) -> Iterator[_Pattern]:
    fitted = growth.means + predictors @ (growth.courses @ growth.lines).T
    total, codes = growth.visit_covariance, encode_patterns(outcome)
    for code in np.unique(codes[codes > 0]):
        people = np.flatnonzero(codes == code)
        seen = (code >> np.arange(outcome.shape[1])) % 2 == 1
        inverse: Floats = np.asarray(
            np.linalg.pinv(total[np.ix_(seen, seen)], hermitian=True), dtype=float
        )
        gain = total[:, seen] @ inverse
        off = outcome[people][:, seen] - fitted[people][:, seen]
        yield _Pattern(people, seen, inverse, gain, off, fitted[people])


def expect_outcomes(growth: Growth, outcome: Floats, predictors: Predictors) -> ExpectedOutcomes:
    """Return each person's conditional expectations given all their visits and predictors.

    Parameters
    ----------
    growth
        The growth model of everyone.
    outcome
        (n_people, n_visits), NaN where missing.
    predictors
        As the model was fitted with.
    """
    n_people, n_visits = outcome.shape
    total = growth.visit_covariance
    expected = np.array(outcome)
    # many people lack the same visits, and those who have none that is seen lack nothing
    spreads, kinds = [np.zeros((n_visits, n_visits))], np.zeros(n_people, dtype=np.int32)
    error, surprise = np.zeros(n_people), np.full(n_people, np.nan)
    for one in _iterate_patterns(growth, outcome, predictors.join()):
        people, seen, off = one.people, one.seen, one.off
        lacks = np.flatnonzero(~seen)
        expected[np.ix_(people, lacks)] = (one.fitted + off @ one.gain.T)[:, lacks]
        left = total - one.gain @ total[seen]
        kinds[people] = len(spreads)
        spreads.append(np.where(~seen[:, None] & ~seen[None, :], left, 0.0))
        if seen[-1] and seen[:-1].any():
            before = np.flatnonzero(seen)[:-1]
            step = np.linalg.pinv(total[np.ix_(before, before)], hermitian=True) @ total[before, -1]
            ahead = off[:, -1] - off[:, :-1] @ step
            variance = total[-1, -1] - total[-1, before] @ step
            surprise[people] = ahead**2 / variance
        if seen[0]:
            error[people] = off @ (growth.residual_variance * one.inverse[0])
    return ExpectedOutcomes(
        expected,
        np.stack(spreads),
        kinds,
        expected[:, 0] - error,
        surprise,
        float(np.sqrt(growth.residual_variance)),
        Refit(growth, outcome, predictors),
    )


def expect_predicted(outcome: Floats, covariance: Floats) -> ExpectedOutcomes:
    """Return what a prediction lets expect of each person.

    Parameters
    ----------
    outcome
        (n_people, n_visits), NaN for people without a prediction.
    covariance
        Of the measured outcomes around it, (n_people, n_visits, n_visits).
    """
    lacks: Flags = np.asarray(np.isnan(outcome).any(axis=1))
    spread = np.where(lacks[:, None, None], 0.0, covariance)
    unknown = np.full(len(outcome), np.nan)
    each = np.arange(len(outcome))
    return ExpectedOutcomes(outcome, spread, each, outcome[:, 0], unknown, noise_sd=0.0)


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
