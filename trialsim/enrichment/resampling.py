"""Intervals by resampling people."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEVEL = 0.95


def draw_people(n_people: int, n_bootstrap: int, rng: np.random.Generator) -> IntArray:
    """Return (n_bootstrap, n_people) rows drawn with replacement."""
    return rng.integers(n_people, size=(n_bootstrap, n_people))


def compute_interval(values: FloatArray, *, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Return the percentile interval over the first axis, ignoring NaN; NaN where all are.

    Parameters
    ----------
    values
        (n_bootstrap, ...).
    level
        Coverage, 0-1.
    """
    tail = (1 - level) / 2
    if values.size == 0 or np.isnan(values).all():
        nothing = np.full(values.shape[1:], np.nan)
        return nothing, nothing
    low, high = np.nanquantile(values, [tail, 1 - tail], axis=0)
    return np.asarray(low), np.asarray(high)
