"""The people that a strategy would enroll, with their observed trajectories."""

from dataclasses import dataclass

import numpy as np

from trialsim.analysis.result import Flags, Floats
from trialsim.errors import DesignError

SMALL_POOL = 50
"""Below this many people a resampled trial repeats the same persons often; a warning is given."""

_MIN_POOL = 10


@dataclass(frozen=True)
class Pool:
    """Trajectories that stand for everyone a strategy would enroll.

    Attributes
    ----------
    outcome
        (n_people, n_visits), complete, in the unit of the endpoint, ordered by change to the last
        visit. Strategies that share random numbers then draw people of like change, which makes
        their differences precise.
    score
        (n_people,), prognostic score with mean 0; all 0 where there is none.
    n_incomplete
        People who would be enrolled but lack a visit, and so are left out.
    """

    outcome: Floats
    score: Floats
    n_incomplete: int = 0

    @property
    def size(self) -> int:
        """Number of people."""
        return len(self.outcome)

    @property
    def has_score(self) -> bool:
        """Whether the scores differ between people."""
        return bool(np.ptp(self.score) > 0)

    @property
    def mean_change(self) -> Floats:
        """Mean change from baseline at each visit, (n_visits,)."""
        return np.asarray((self.outcome - self.outcome[:, :1]).mean(axis=0))


def build_pool(outcome: Floats, score: Floats | None = None, *, name: str = "pool") -> Pool:
    """Return the pool of the people with every visit.

    Parameters
    ----------
    outcome
        (n_people, n_visits), NaN where a visit is missing.
    score
        (n_people,); missing scores count as the mean of the others.
    name
        What the pool is called in an error.

    Raises
    ------
    DesignError
        Fewer than 10 people have every visit, or their outcomes do not vary.
    """
    complete = np.asarray(np.isfinite(outcome).all(axis=1))
    if complete.sum() < _MIN_POOL:
        raise DesignError(
            f"{name}: only {complete.sum()} of {len(outcome)} people have every visit of the "
            f"design; a simulation needs at least {_MIN_POOL}."
        )
    kept = outcome[complete]
    if np.ptp(kept[:, -1] - kept[:, 0]) == 0:
        raise DesignError(f"{name}: everyone has the same change, so there is nothing to simulate.")
    order = np.argsort(kept[:, -1] - kept[:, 0], kind="stable")
    return Pool(
        kept[order], _fill_score(score, complete)[order], int(len(outcome) - complete.sum())
    )


def _fill_score(score: Floats | None, complete: Flags) -> Floats:
    if score is None:
        return np.zeros(int(complete.sum()))
    known = np.asarray(score, dtype=float)[complete]
    if not np.isfinite(known).any():
        return np.zeros(len(known))
    return np.asarray(np.where(np.isfinite(known), known, np.nanmean(known)) - np.nanmean(known))
