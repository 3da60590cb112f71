"""Order of numbers, found quickly where no two are the same."""

import numpy as np
from numpy.typing import NDArray


def sort_places(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the places of values in order along the last axis; those of tied ones stay in order.

    NumPy takes three times as long where it has to keep ties in order, which numbers seldom have.

    Examples
    --------
    >>> sort_places(np.array([3.0, 1.0, 3.0, 2.0]))
    array([1, 3, 0, 2])
    """
    places = np.argsort(values, axis=-1)
    ranked = np.take_along_axis(values, places, axis=-1)
    if (ranked[..., 1:] > ranked[..., :-1]).all():
        return places
    return np.argsort(values, axis=-1, kind="stable")


def rank_with_ties(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ranks of values, 1 for the least; tied ones share the mean of theirs.

    Examples
    --------
    >>> rank_with_ties(np.array([3.0, 1.0, 3.0]))
    array([2.5, 1. , 2.5])
    """
    places = sort_places(values)
    ranked = values[places]
    begins = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    ends = np.append(begins[1:], len(values))
    ranks = np.empty(len(values))
    ranks[places] = np.repeat((begins + ends + 1) / 2, ends - begins)
    return ranks
