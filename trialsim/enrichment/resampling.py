"""Intervals by resampling people."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEVEL = 0.95

MIN_SAMPLES = 200
"""Fewer samples carry no 95 % interval: five of them lie beyond each end of 200."""


# Counts of people that are held at once.
_CHUNK = 1_000_000


def iterate_counts(
    n_people: int, n_bootstrap: int, rng: np.random.Generator
) -> Iterator[tuple[slice, npt.NDArray[np.int32]]]:
    """Yield which resamples come next, and how often each person is in each of them.

    Never all at once: (n_people, n_resamples) counts of a few resamples, one a column, because
    numbers of the same person lie side by side then, and people are put in order by whole rows.
    """
    step = max(1, _CHUNK // n_people)
    for start in range(0, n_bootstrap, step):
        n = min(step, n_bootstrap - start)
        cells = rng.integers(n_people, size=(n_people, n)) * n + np.arange(n)
        counts = np.bincount(cells.ravel(), minlength=n_people * n).astype(np.int32)
        yield slice(start, start + n), counts.reshape(n_people, n)


def compute_interval(values: FloatArray, *, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Return the percentile interval over the first axis, ignoring NaN.

    NaN where all are, where fewer than 200 samples were drawn, where nothing varies.

    Parameters
    ----------
    values
        (n_bootstrap, ...).
    level
        Coverage, 0-1.
    """
    tail = (1 - level) / 2
    if len(values) < MIN_SAMPLES or np.isnan(values).all():
        nothing = np.full(values.shape[1:], np.nan)
        return nothing, nothing
    low, high = np.nanquantile(values, [tail, 1 - tail], axis=0)
    varies = np.nanmax(values, axis=0) > np.nanmin(values, axis=0)
    return np.where(varies, low, np.nan), np.where(varies, high, np.nan)


def compute_score_interval(
    successes: FloatArray, trials: IntArray, *, level: float = LEVEL
) -> tuple[FloatArray, FloatArray]:
    """Return Wilson's score interval of shares, which is never of no width.

    References
    ----------
    Wilson 1927 (J Am Stat Assoc 22:209).
    """
    z = float(stats.norm.ppf((1 + level) / 2))
    share, total = successes / trials, trials + z**2
    center = (successes + z**2 / 2) / total
    half = z / total * np.sqrt(trials * share * (1 - share) + z**2 / 4)
    return np.maximum(center - half, 0.0), np.minimum(center + half, 1.0)
