"""Sufficient statistics of trials with missing visits.

A Gaussian likelihood depends on the data only through the number of people and the cross-products
of each pattern of seen visits. They are sums over people, so those of a larger trial are those of a
smaller one plus those of the people added, and a fit costs the same for 50 people as for 5,000.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

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
    block
        (n_patterns,), which covariance people of the pattern have: 0, or their arm where each arm
        has its own; a pattern that occurs in both arms is then listed for each.
    """

    seen: Flags
    counts: Floats
    cross: Floats
    n_predictors: int
    block: NDArray[np.intp]

    @property
    def n_visits(self) -> int:
        """Number of visits."""
        return int(self.seen.shape[1])

    def select(self, trials: NDArray[np.intp] | Flags | slice) -> "PatternStatistics":
        """Return the statistics of some trials."""
        return replace(self, counts=self.counts[trials], cross=self.cross[trials])

    def select_block(self, block: int) -> "PatternStatistics":
        """Return the statistics of the people who have one of the covariances."""
        own = self.block == block
        return replace(
            self,
            seen=self.seen[own],
            counts=self.counts[:, own],
            cross=self.cross[:, own],
            block=self.block[own],
        )

    def add(self, others: "PatternStatistics") -> "PatternStatistics":
        """Return the statistics of each trial with the people of `others` added to it."""
        return replace(self, counts=self.counts + others.counts, cross=self.cross + others.cross)

    def use_baseline_as_predictor(self) -> "PatternStatistics":
        """Return the statistics with the first visit moved from the outcomes to the predictors.

        People whose first visit is missing drop out, as they do from any analysis adjusted for it.
        So do those with no later visit: they carry no information.
        """
        kept = self.seen[:, 0] & self.seen[:, 1:].any(axis=1)
        return PatternStatistics(
            self.seen[kept, 1:],
            self.counts[:, kept],
            self.cross[:, kept],
            self.n_predictors + 1,
            self.block[kept],
        )

    def keep_predictors(self, columns: list[int]) -> "PatternStatistics":
        """Return the statistics of a model with some of the predictors only."""
        outcomes = range(self.n_predictors, self.cross.shape[-1])
        chosen = np.array([*columns, *outcomes])
        return replace(
            self,
            cross=self.cross[..., chosen[:, None], chosen[None, :]],
            n_predictors=len(columns),
        )


def join_trials(parts: Sequence[PatternStatistics]) -> PatternStatistics:
    """Return the statistics of several groups of trials, whose patterns are the same, as one."""
    return replace(
        parts[0],
        counts=np.concatenate([part.counts for part in parts]),
        cross=np.concatenate([part.cross for part in parts]),
    )


def encode_patterns(outcome: Floats) -> NDArray[np.int64]:
    """Return each person's pattern as a number, bit j = visit j is seen."""
    codes: NDArray[np.int64] = ~np.isnan(outcome) @ (1 << np.arange(outcome.shape[-1]))
    return codes


def decode_patterns(codes: NDArray[np.int64], n_visits: int) -> Flags:
    """Return the visits seen in each numbered pattern; the pattern without visits is left out."""
    some = codes[codes > 0]
    return np.asarray((some[:, None] >> np.arange(n_visits)) % 2 == 1)


def summarize(
    outcome: Floats, predictors: Floats, seen: Flags | None = None, *, by_arm: bool = False
) -> PatternStatistics:
    """Return the sufficient statistics of each trial.

    Parameters
    ----------
    outcome
        (n_trials, n_participants, n_visits), NaN where unseen.
    predictors
        (n_trials or 1, n_participants, p), known for everyone.
    seen
        Patterns to count, (n_patterns, n_visits); those that occur when None.
    by_arm
        Whether each arm is counted on its own; the second predictor is then the arm (0/1).
    """
    codes = encode_patterns(outcome)
    n_trials, _, n_visits = outcome.shape
    seen = decode_patterns(np.unique(codes), n_visits) if seen is None else seen
    numbers = seen @ (1 << np.arange(n_visits))
    blocks = [0, 1] if by_arm else [0]
    values = _stack(outcome, predictors)
    size = len(blocks) * len(seen)
    cross = np.empty((n_trials, size, values.shape[1], values.shape[1]))
    counts = np.empty((n_trials, size))
    for k, (block, number) in enumerate(product(blocks, numbers)):
        member = (codes == number).astype(float)
        if by_arm:
            member *= predictors[..., 1] == block
        counts[:, k] = member.sum(axis=1)
        cross[:, k] = (values * member[:, None, :]) @ values.transpose(0, 2, 1)
    return PatternStatistics(
        np.tile(seen, (len(blocks), 1)),
        counts,
        cross,
        predictors.shape[-1],
        np.repeat(blocks, len(seen)),
    )


def find_members(
    statistics: PatternStatistics, outcome: Floats, predictors: Floats
) -> tuple[NDArray[np.intp], Flags]:
    """Return the pattern of each person, (n_trials, n_participants), and who has one.

    Someone without a visit has none; the first pattern stands in its place.

    Parameters
    ----------
    statistics
        Of the trials' patterns of visits.
    outcome, predictors
        The people that `statistics` were made of, as in `summarize`.
    """
    powers = 1 << np.arange(statistics.n_visits)
    codes = encode_patterns(outcome)
    place = np.zeros((2, 1 << statistics.n_visits), dtype=np.intp)
    place[statistics.block, statistics.seen @ powers] = np.arange(len(statistics.seen))
    block = predictors[..., 1].astype(np.intp) if statistics.block.any() else np.intp(0)
    return np.asarray(place[block, codes]), codes > 0


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
