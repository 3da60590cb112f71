"""Intervals by resampling people.

Of many people, bags of a few are taken that stand for everyone, each person for several, and
resamples as large as everyone are drawn from one bag after the other. What a resample differs by
from its own bag is what resamples of everyone differ by, at a fraction of the work.

References
----------
Kleiner, Talwalkar, Sarkar & Jordan 2014 (J R Stat Soc B 76:795), A scalable bootstrap for massive
data: the bag of little bootstraps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from trialsim.enrichment.evaluation.resampled_counts import Counts, ResampledCounts

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEVEL = 0.95
N_BOOTSTRAP = 1000

MIN_SAMPLES = 200
"""Fewer samples carry no 95 % interval: five of them lie beyond each end of 200."""


# Counts of people that are held at once; which draws are whose depends on it.
_CHUNK = 200_000

_N_BAGS = 20
_FEWEST_OF_RAREST = 50


@dataclass(frozen=True)
class Bag:
    """The people that some resamples are drawn from.

    Attributes
    ----------
    resamples
        Which.
    members
        Positions of the people, rising.
    copies
        How many people each of them stands for.
    draws
        Of the members, as many as they stand for.
    """

    resamples: slice
    members: IntArray
    copies: int
    draws: ResampledCounts

    def iterate_counts(self, rng: np.random.Generator) -> Iterator[tuple[slice, Counts]]:
        """Yield which resamples come next, and how often each member is in each of them.

        Never all at once: (n_resamples, n_members) counts of a few resamples, one a row.
        """
        step = max(1, _CHUNK // self.members.size)
        for start in range(self.resamples.start, self.resamples.stop, step):
            n = min(step, self.resamples.stop - start)
            yield slice(start, start + n), self.draws.draw(n, rng)


def deal_bags(
    n_people: int, n_bootstrap: int, rng: np.random.Generator, *, size: float, rarest: int
) -> list[Bag]:
    """Return the bags that resamples are drawn from; one of everyone where they are few.

    Parameters
    ----------
    n_people
        Everyone.
    n_bootstrap
        Resamples, dealt out evenly.
    rng
        Draws the people of each bag, without replacement.
    size
        People a bag needs for what is measured.
    rarest
        How many people the rarest group has that the result depends on: a bag holds 50 of them on
        average.
    """
    size = round(max(size, _FEWEST_OF_RAREST * n_people / max(rarest, 1)))
    if 2 * size > n_people:
        draws = ResampledCounts.of(n_people, n_people)
        return [Bag(slice(0, n_bootstrap), np.arange(n_people), 1, draws)]
    # as many as stand for everyone: of fewer people, a number selected would be another share
    copies = n_people // size
    size = n_people // copies
    draws = ResampledCounts.of(size, size * copies)
    ends = np.linspace(0, n_bootstrap, _N_BAGS + 1).astype(int).tolist()
    return [
        Bag(slice(start, stop), np.sort(rng.permutation(n_people)[:size]), copies, draws)
        for start, stop in pairwise(ends)
    ]


def compute_interval(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the 95 % percentile interval over the first axis, ignoring NaN.

    NaN where all are, where fewer than 200 samples were drawn, where nothing varies.

    Parameters
    ----------
    values
        (n_bootstrap, ...).
    """
    tail = (1 - LEVEL) / 2
    if len(values) < MIN_SAMPLES or np.isnan(values).all():
        nothing = np.full(values.shape[1:], np.nan)
        return nothing, nothing
    low, high = np.nanquantile(values, [tail, 1 - tail], axis=0)
    varies = np.nanmax(values, axis=0) > np.nanmin(values, axis=0)
    return np.where(varies, low, np.nan), np.where(varies, high, np.nan)


def compute_score_interval(
    successes: FloatArray, trials: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return Wilson's 95 % score interval of shares, which is never of no width.

    References
    ----------
    Wilson 1927 (J Am Stat Assoc 22:209).
    """
    z = float(ndtri((1 + LEVEL) / 2))
    share, total = successes / trials, trials + z**2
    center = (successes + z**2 / 2) / total
    half = z / total * np.sqrt(trials * share * (1 - share) + z**2 / 4)
    return np.maximum(center - half, 0.0), np.minimum(center + half, 1.0)
