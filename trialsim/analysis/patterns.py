"""Sufficient statistics of trials with missing visits.

A Gaussian likelihood depends on the data only through the number of people and the cross-products
of each pattern of seen visits. They are sums over people, so those of a larger trial are those of a
smaller one plus those of the people added, and a fit costs the same for 50 people as for 5,000.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.result import Flags, Floats


@dataclass(frozen=True)
class PatternStatistics:
    """Counts and cross-products of (predictors, outcomes) by trial and pattern of seen visits.

    Attributes
    ----------
    seen
        (n_patterns, n_visits), True where people of the pattern have the visit.
    counts
        (n_trials, n_patterns), people.
    cross
        (n_trials, n_patterns, p + n_visits, p + n_visits), with unseen outcomes counted as 0.
    n_predictors
        p.
    """

    seen: Flags
    counts: Floats
    cross: Floats
    n_predictors: int

    @property
    def n_visits(self) -> int:
        """Number of visits."""
        return int(self.seen.shape[1])

    def select(self, trials: NDArray[np.intp] | Flags | slice) -> "PatternStatistics":
        """Return the statistics of some trials."""
        return PatternStatistics(
            self.seen, self.counts[trials], self.cross[trials], self.n_predictors
        )

    def add(self, others: "PatternStatistics") -> "PatternStatistics":
        """Return the statistics of each trial with the people of `others` added to it."""
        return PatternStatistics(
            self.seen, self.counts + others.counts, self.cross + others.cross, self.n_predictors
        )

    def use_baseline_as_predictor(self) -> "PatternStatistics":
        """Return the statistics with the first visit moved from the outcomes to the predictors.

        People whose first visit is missing drop out, as they do from any analysis adjusted for it.
        So do those with no later visit: they carry no information.
        """
        kept = self.seen[:, 0] & self.seen[:, 1:].any(axis=1)
        return PatternStatistics(
            self.seen[kept, 1:], self.counts[:, kept], self.cross[:, kept], self.n_predictors + 1
        )

    def keep_predictors(self, columns: list[int]) -> "PatternStatistics":
        """Return the statistics of a model with some of the predictors only."""
        outcomes = range(self.n_predictors, self.cross.shape[-1])
        chosen = np.array([*columns, *outcomes])
        return PatternStatistics(
            self.seen,
            self.counts,
            self.cross[..., chosen[:, None], chosen[None, :]],
            len(columns),
        )


def find_patterns(outcome: Floats) -> Flags:
    """Return the patterns of seen visits that occur, (n_patterns, n_visits)."""
    return decode_patterns(np.unique(encode_patterns(outcome)), outcome.shape[-1])


def encode_patterns(outcome: Floats) -> NDArray[np.int64]:
    """Return each person's pattern as a number, bit j = visit j is seen."""
    codes: NDArray[np.int64] = ~np.isnan(outcome) @ (1 << np.arange(outcome.shape[-1]))
    return codes


def decode_patterns(codes: NDArray[np.int64], n_visits: int) -> Flags:
    """Return the visits seen in each numbered pattern; the pattern without visits is left out."""
    some = codes[codes > 0]
    return np.asarray((some[:, None] >> np.arange(n_visits)) % 2 == 1)


def summarize(outcome: Floats, predictors: Floats, seen: Flags | None = None) -> PatternStatistics:
    """Return the sufficient statistics of each trial.

    Parameters
    ----------
    outcome
        (n_trials, n_participants, n_visits), NaN where unseen.
    predictors
        (n_trials or 1, n_participants, p), known for everyone.
    seen
        Patterns to count, (n_patterns, n_visits); those that occur when None.
    """
    codes = encode_patterns(outcome)
    n_trials, _, n_visits = outcome.shape
    seen = decode_patterns(np.unique(codes), n_visits) if seen is None else seen
    values = _stack(outcome, predictors)
    cross = np.empty((n_trials, len(seen), values.shape[1], values.shape[1]))
    counts = np.empty((n_trials, len(seen)))
    for k, pattern in enumerate(seen @ (1 << np.arange(n_visits))):
        member = (codes == pattern).astype(float)
        counts[:, k] = member.sum(axis=1)
        cross[:, k] = (values * member[:, None, :]) @ values.transpose(0, 2, 1)
    return PatternStatistics(seen, counts, cross, predictors.shape[-1])


def _stack(outcome: Floats, predictors: Floats) -> Floats:
    n_trials, n_people, n_visits = outcome.shape
    p = predictors.shape[-1]
    values = np.empty((n_trials, p + n_visits, n_people))
    values[:, :p] = predictors.transpose(0, 2, 1)
    values[:, p:] = np.where(np.isnan(outcome), 0.0, outcome).transpose(0, 2, 1)
    return values


def center_outcome(outcome: Floats) -> Floats:
    """Return outcomes minus the trial's grand mean, which no treatment effect depends on.

    Volumes are thousands of mm3 and their changes tens: without this, cross-products would lose
    digits that the change needs.
    """
    return np.asarray(outcome - np.nanmean(outcome, axis=(1, 2), keepdims=True))
