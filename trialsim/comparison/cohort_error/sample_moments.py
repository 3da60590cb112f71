"""Moments of the people selected in many samples at once, and how a size depends on each person."""

from dataclasses import dataclass

import numpy as np

from trialsim.analyses import ANALYSES
from trialsim.analysis.result import Flags, Floats
from trialsim.comparison.cohort_error.normal_sizes import compute_log_sizes
from trialsim.design import TrialDesign
from trialsim.simulation.expectations import ExpectedOutcomes, compare_spread
from trialsim.simulation.pool import compute_widening

_STEP = 1e-4
"""Of a standard deviation: the step of numerical derivatives."""


@dataclass(frozen=True)
class PersonMoments:
    """What each person adds to the moments, in each sample.

    Attributes
    ----------
    change
        True change to the last visit, (n_samples, n_people).
    outcome
        Expected outcomes around everyone's mean, (n_samples, n_visits, n_people).
    unseen
        Conditional covariance of missed visits in the model, (1, n_people, n_visits, n_visits).
    surprise
        (n_people,), see `ExpectedOutcomes`.
    middle
        What was taken off the outcomes, (n_visits,).
    """

    change: Floats
    outcome: Floats
    unseen: Floats
    surprise: Floats
    middle: Floats

    @classmethod
    def take(cls, expected: ExpectedOutcomes, was_seen: Flags, weights: Floats) -> "PersonMoments":
        """Return those of everyone, with the growth model's means estimated in each sample.

        Parameters
        ----------
        expected
            Of everyone.
        was_seen
            (n_people,); people who were never seen add nothing and must not be given weight.
        weights
            Of everyone in the samples that the means are estimated from, (n_samples, n_people).
        """
        # centred, so that squares of large volumes do not drown the changes
        middle = expected.outcome[was_seen].mean(axis=0)
        outcome = np.where(was_seen, (expected.outcome - middle).T, 0.0)[None]
        start = np.where(was_seen, expected.true_baseline - middle[0], 0.0)[None]
        if expected.refit is not None:
            moved = expected.refit.move(weights)
            outcome, start = outcome + moved[:, :-1], start + moved[:, -1]
        change = outcome[:, -1] + middle[-1] - (start + middle[0])
        unseen = expected.covariance[None]
        return cls(change, outcome, unseen, expected.surprise, middle)


@dataclass(frozen=True)
class SampleMoments:
    """Moments of each sample.

    Attributes
    ----------
    change
        Mean true change to the last visit, (n_samples,).
    mean
        Of the outcomes, then the score, (n_samples, n_visits + 1).
    second
        Mean products of the same, (n_samples, n_visits + 1, n_visits + 1).
    unseen
        Mean conditional covariance of missed visits in the model, (n_samples, n_visits, n_visits).
    spread
        How much more varied the selected are than the model says, (n_samples,).
    """

    change: Floats
    mean: Floats
    second: Floats
    unseen: Floats
    spread: Floats

    def get_covariance(self) -> Floats:
        """Return the covariance of each sample around its own mean."""
        return np.asarray(self.second - self.mean[:, :, None] * self.mean[:, None, :])


def compute_moments(people: PersonMoments, weights: Floats, score: Floats) -> SampleMoments:
    """Return the moments of weighted samples.

    Parameters
    ----------
    people
        Of everyone.
    weights
        (n_samples, n_people).
    score
        (n_people,) or (n_samples, n_people), none missing; 0 for none.
    """
    share = weights / weights.sum(axis=1, keepdims=True)
    n_samples, n_visits = len(share), people.outcome.shape[1]
    mean, second = np.empty((n_samples, n_visits + 1)), np.empty((n_samples, *[n_visits + 1] * 2))
    unseen = (share @ people.unseen[0].reshape(share.shape[1], -1)).reshape(-1, *[n_visits] * 2)
    spread = compare_spread(people.surprise, share)
    weighted = share[:, None, :] * people.outcome
    mean[:, :-1] = weighted.sum(axis=2)
    products = weighted @ people.outcome.transpose(0, 2, 1)
    second[:, :-1, :-1] = products + spread[:, None, None] * unseen
    with_score = share * score
    mean[:, -1] = with_score.sum(axis=1)
    second[:, -1, :-1] = second[:, :-1, -1] = (people.outcome @ with_score[..., None])[..., 0]
    second[:, -1, -1] = (with_score * score).sum(axis=1)
    return SampleMoments((share * people.change).sum(axis=1), mean, second, unseen, spread)


def widen_covariance(covariance: Floats, n_effective: float) -> Floats:
    """Return the covariance that makes up for what estimated means took; see `pool.widen`."""
    start = covariance[:, :, :1]
    explained = start @ start.transpose(0, 2, 1) / np.maximum(covariance[:, :1, :1], 1e-300)
    first, second = compute_widening(n_effective)
    return np.asarray(first * explained + second * (covariance - explained))


def compute_influences(
    analysis: str,
    people: PersonMoments,
    moments: SampleMoments,
    weights: Floats,
    score: Floats,
    normal: Floats,
    design: TrialDesign,
) -> Floats:
    """Return how much each person moves ln of the sample size, (n_samples, n_people).

    The infinitesimal jackknife: the derivative with respect to a person's weight, times the number
    of people. Derivatives with respect to the moments are numerical.

    Parameters
    ----------
    analysis
        Of `ANALYSES`.
    people
        What each person adds to the moments.
    moments
        Of each sample.
    weights
        That the moments were computed with, (n_samples, n_people).
    score
        What the score-adjusted analyses adjust for, (n_people,).
    normal
        Change of normal ageing to the last visit, (n_samples,).
    design
        The trial's design.
    """
    spread = np.sqrt(np.diagonal(moments.get_covariance(), axis1=1, axis2=2))
    spread = np.where(spread > 0, spread, 1.0)
    n_columns = spread.shape[1] if ANALYSES[analysis].uses_score else spread.shape[1] - 1

    def size(change: Floats, mean: Floats, second: Floats) -> Floats:
        covariance = second - mean[:, :, None] * mean[:, None, :]
        return compute_log_sizes(analysis, change - normal, covariance, design)

    def differentiate(change: Floats, mean: Floats, second: Floats, step: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            up = size(moments.change + change, moments.mean + mean, moments.second + second)
            down = size(moments.change - change, moments.mean - mean, moments.second - second)
            return np.asarray(np.nan_to_num((up - down) / (2 * step), posinf=0.0, neginf=0.0))

    no_mean, no_second = np.zeros_like(moments.mean), np.zeros_like(moments.second)
    step = _STEP * np.maximum(np.abs(moments.change), 1e-12)
    slope = differentiate(step, no_mean, no_second, step)
    influence = slope[:, None] * (people.change - moments.change[:, None])
    n_visits = people.outcome.shape[1]
    known = np.isfinite(people.surprise)
    share_known = np.maximum(weights @ known / weights.sum(axis=1), 1e-12)[:, None]
    surprise = np.where(known, people.surprise - moments.spread[:, None], 0.0) / share_known

    def get_product(j: int, k: int) -> Floats:
        if j == n_visits:
            return get_column(j) * get_column(k)
        own = get_column(j) * get_column(k) + moments.spread[:, None] * people.unseen[..., j, k]
        return np.asarray(own + moments.unseen[:, j, k, None] * surprise)

    def get_column(j: int) -> Floats:
        return people.outcome[:, j] if j < n_visits else score

    for j in range(n_columns):
        step = _STEP * spread[:, j]
        move = no_mean.copy()
        move[:, j] = step
        slope = differentiate(0 * step, move, no_second, step)
        influence += slope[:, None] * (get_column(j) - moments.mean[:, j, None])
        for k in range(j + 1):
            step = _STEP * spread[:, j] * spread[:, k]
            turn = no_second.copy()
            turn[:, j, k] = turn[:, k, j] = step
            slope = differentiate(0 * step, no_mean, turn, step)
            influence += slope[:, None] * (get_product(j, k) - moments.second[:, j, k, None])
    return influence
