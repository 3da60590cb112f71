"""The people that a strategy would enroll, with their trajectories."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cohorts.counting import tally
from trialsim.analysis.result import Floats
from trialsim.errors import DesignError
from trialsim.ordering import sort_places
from trialsim.simulation.expectations import ExpectedOutcomes

SMALL_POOL = 50
"""Below this many people a resampled trial repeats the same persons often; a warning is given."""

_MIN_POOL = 10


@dataclass(frozen=True)
class Pool:
    """Trajectories that stand for everyone a strategy would enroll.

    Attributes
    ----------
    outcome
        (n_people, n_visits), in the unit of the endpoint, ordered by change to the last visit.
        Strategies that share random numbers then draw people of like change, which makes their
        differences precise. A missed visit holds what it may have been; deviations from the mean
        are widened so that the pool's own variances are unbiased estimates (`widen`).
    measured
        (n_measured, n_visits), as measured, NaN where missing, of everyone among whom the people of
        the pool are; many pools share it.
    people
        (n_people,), the row of each person in `measured`.
    score
        (n_people,), prognostic score with mean 0; all 0 where there is none.
    true_change
        Mean change from the true baseline at each visit, (n_visits,): what a treatment slows.
    weights
        (n_people,), how many people each stands for; they add up to 1.
    drawn_from
        Where outcomes were drawn from a prediction: the people that say how predictions err, and
        how many of equal weight would say as much. None where each outcome is a person's own.
    """

    outcome: Floats
    measured: Floats
    people: NDArray[np.integer]
    score: Floats
    true_change: Floats
    weights: Floats
    drawn_from: tuple[int, float] | None = None

    @property
    def observed(self) -> Floats:
        """As measured, NaN where missing, (n_people, n_visits)."""
        return np.asarray(self.measured[self.people])

    @property
    def size(self) -> int:
        """Number of trajectories."""
        return len(self.outcome)

    @property
    def n_people(self) -> int:
        """Number of people behind the trajectories."""
        return self.size if self.drawn_from is None else self.drawn_from[0]

    @property
    def effective_size(self) -> float:
        """Number of people of equal weight that would say as much, 1 / sum w^2."""
        return float(1 / (self.weights**2).sum()) if self.drawn_from is None else self.drawn_from[1]

    @property
    def is_weighted(self) -> bool:
        """Whether the people say less than as many of equal weight would."""
        return self.effective_size < self.n_people - 0.5

    @property
    def n_incomplete(self) -> int:
        """People who lack a visit."""
        is_complete = np.asarray(np.isfinite(self.measured).all(axis=1))
        return int((~is_complete[self.people]).sum())

    @property
    def has_score(self) -> bool:
        """Whether the scores differ between people."""
        return bool(np.ptp(self.score) > 0)


def build_pool(
    outcome: Floats,
    score: Floats | None = None,
    *,
    people: NDArray[np.intp] | None = None,
    expected: ExpectedOutcomes | None = None,
    weights: Floats | None = None,
    rng: np.random.Generator | None = None,
    name: str = "pool",
) -> Pool:
    """Return the pool of some people.

    Parameters
    ----------
    outcome
        (n_measured, n_visits), NaN where a visit is missing.
    score
        (n_people,); missing scores count as the mean of the others.
    people
        The rows of `outcome` that are meant, (n_people,); all of them when None.
    expected
        Of the same people. When None, only people with every visit enter, and their measured
        change counts as the true one.
    weights
        (n_people,), equal when None.
    rng
        Draws missed visits; they stay at their expectation when None.
    name
        What the pool is called in an error.

    Raises
    ------
    DesignError
        Fewer than 10 people, fewer than 5 with the first and the last visit, or outcomes that do
        not vary.
    """
    people = np.arange(len(outcome)) if people is None else people
    weights = np.ones(len(people)) if weights is None else weights
    if expected is None:
        kept = np.isfinite(outcome[people]).all(axis=1)
        people, weights = people[kept], weights[kept]
        score, own = None if score is None else score[kept], outcome[people]
        unseen = np.zeros((1, *[outcome.shape[1]] * 2))
        alike = np.zeros(len(people), dtype=np.int32)
        unknown = np.full(len(people), np.nan)
        expected = ExpectedOutcomes(own, unseen, alike, own[:, 0], unknown, noise_sd=0.0)
    both = np.isfinite(outcome[people, 0]) & np.isfinite(outcome[people, -1])
    if len(both) < _MIN_POOL or both.sum() < _MIN_POOL / 2:
        raise DesignError(
            f"{name}: only {tally(len(both), 'people')}, {both.sum()} of them with the "
            "first and the last "
            f"visit of the design; a simulation needs at least {_MIN_POOL} people, "
            f"{_MIN_POOL // 2} of them with both."
        )
    weights = weights / weights.sum()
    filled = fill_score(score, len(people), weights)
    whole = expected.outcome if rng is None else expected.draw(rng, weights)
    change = whole[:, -1] - whole[:, 0]
    if np.ptp(change[both]) == 0:
        raise DesignError(f"{name}: everyone has the same change, so there is nothing to simulate.")
    order = sort_places(change)
    widened, wide_score = widen(whole, filled, weights)
    return Pool(
        widened[order],
        outcome,
        people[order].astype(np.int32),
        wide_score[order],
        weights @ expected.true_change,
        weights[order],
    )


def fill_score(score: Floats | None, n_people: int, weights: Floats) -> Floats:
    """Return the score minus its mean, a missing one at the mean; 0 where there is none."""
    known = np.zeros(n_people, dtype=bool) if score is None else np.isfinite(score)
    if score is None or not known.any():
        return np.zeros(n_people)
    mean = np.average(score[known], weights=weights[known])
    return np.asarray(np.where(known, score - mean, 0.0))


def widen(outcome: Floats, score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return outcomes and scores whose deviations make up for what estimated means took from them.

    A sample is less spread around its own mean, and around its own regression line, than its
    population. The baseline is stretched by sqrt(n / (n - 1)), what is left of later visits and of
    the score given the baseline by sqrt(n / (n - 2)), n the effective number of people.
    """
    first, second = compute_widening(float(1 / (weights**2).sum()))
    everything = np.column_stack([outcome, score])
    mean = weights @ everything
    start = everything[:, 0] - mean[0]
    residual = everything[:, 1:] - mean[1:]
    del everything
    slopes = (weights * start) @ residual / max(float(weights @ start**2), 1e-300)
    own = start * np.sqrt(first)
    # in place: of millions of people each array counts
    residual -= np.outer(start, slopes)
    residual *= np.sqrt(second)
    wide = np.outer(own, slopes)
    wide += mean[1:]
    wide += residual
    return np.column_stack([mean[0] + own, wide[:, :-1]]), wide[:, -1]


def compute_widening(n: float) -> tuple[float, float]:
    """Return factors of the variance of the baseline, and of what is left given it."""
    return n / (n - 1), n / (n - 2)
