"""How often each person is in a resample, without drawing its people one by one.

Counts of a resample of n people are multinomial. So are independent Poisson counts that add up to
n, and Poisson counts that add up to fewer, once the people who lack are drawn one by one. These
are a few times the square root of n, and a Poisson count is looked up in a table.

References
----------
Kemp & Kemp 1987 (Appl Stat 36:237), Rapid generation of frequency tables: multinomial counts from
Poisson counts. Chen & Asau 1974 (AIIE Trans 6:163): inversion by a table of cells.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import pdtr

Counts = npt.NDArray[np.int32]

_CELLS: Final = 2**16
"""Of the unit interval: a random number of 16 bits is one of them."""

_SHORT: Final = 4.0
"""Standard deviations of their sum by which Poisson counts are to fall short on average: 3 of
100,000 resamples are beyond it, and are drawn again."""


@dataclass(frozen=True)
class PoissonTable:
    """Poisson counts by inversion of their distribution.

    Parameters
    ----------
    until
        Probability of at most 0, 1, 2 ... , up to 1.
    smallest
        (65536,) the count at the lower edge of each cell of the unit interval.
    splits
        (65536,) whether more than one count lies in the cell.
    """

    until: npt.NDArray[np.float64]
    smallest: Counts
    splits: npt.NDArray[np.bool_]

    @classmethod
    def of_mean(cls, mean: float) -> "PoissonTable":
        """Build the table of one mean.

        Examples
        --------
        >>> PoissonTable.of_mean(1.0).draw((2, 5), np.random.default_rng(1)).tolist()
        [[2, 1, 2, 1, 1], [2, 1, 3, 0, 0]]
        """
        # beyond twelve sd and forty more, what is left is less than a double's last digit
        until = np.asarray(pdtr(np.arange(int(mean + 12 * mean**0.5 + 40)), mean), dtype=np.float64)
        at_edge = np.searchsorted(until, np.arange(_CELLS + 1) / _CELLS, side="right")
        return cls(until, at_edge[:-1].astype(np.int32), at_edge[1:] > at_edge[:-1])

    def draw(self, shape: tuple[int, int], rng: np.random.Generator) -> Counts:
        """Draw independent counts of a shape."""
        cells = rng.integers(_CELLS, size=shape, dtype=np.uint16)
        # every cell is in the table: not looked after again
        counts = self.smallest.take(cells, mode="clip")
        split = np.flatnonzero(self.splits.take(cells, mode="clip"))
        within = (cells.reshape(-1)[split] + rng.random(split.size)) / _CELLS
        counts.reshape(-1)[split] = np.searchsorted(self.until, within, side="right")
        return counts


@dataclass(frozen=True)
class ResampledCounts:
    """Draws resamples of people with replacement.

    Parameters
    ----------
    n_members
        Those who are drawn from, each as likely as the other.
    n_people
        Draws in a resample.
    table
        Of the Poisson counts that a resample starts from.

    Examples
    --------
    >>> three_of_four = ResampledCounts.of(4, 3)
    >>> three_of_four.draw(2, np.random.default_rng(1)).tolist()
    [[2, 0, 0, 1], [1, 1, 0, 1]]
    """

    n_members: int
    n_people: int
    table: PoissonTable

    @classmethod
    def of(cls, n_members: int, n_people: int) -> "ResampledCounts":
        """Prepare the draws of resamples of one size."""
        start = max(0.0, n_people - _SHORT * n_people**0.5)
        return cls(n_members, n_people, PoissonTable.of_mean(start / n_members))

    def draw(self, n_resamples: int, rng: np.random.Generator) -> Counts:
        """Return how often each member is drawn, (n_resamples, n_members), one resample a row."""
        counts = self.table.draw((n_resamples, self.n_members), rng)
        lacking = self.n_people - counts.sum(axis=1)
        while (beyond := np.flatnonzero(lacking < 0)).size:
            counts[beyond] = self.table.draw((beyond.size, self.n_members), rng)
            lacking[beyond] = self.n_people - counts[beyond].sum(axis=1)
        first = np.repeat(np.arange(n_resamples) * self.n_members, lacking)
        drawn = rng.integers(self.n_members, size=first.size, dtype=np.int32)
        # of the counts' own type, with which it is fifty times as fast
        np.add.at(counts.reshape(-1), first + drawn, np.int32(1))
        return counts
