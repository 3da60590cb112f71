"""How many fast progressors selections by chance hold: drawing without replacement.

SciPy's `hypergeom` is the same law; loading `scipy.stats` takes longer than comparing thousands of
people.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

IntArray = npt.NDArray[np.int64]


class ChanceLaw(NamedTuple):
    """The hypergeometric distribution of one selection.

    Parameters
    ----------
    fewest
        Fast progressors that a selection holds at least.
    probabilities
        Of the fewest, of one more, and so on.
    """

    fewest: int
    probabilities: npt.NDArray[np.float64]

    def find_quantile(self, level: float) -> int:
        """Return the smallest number that is not exceeded with a probability of `level`."""
        until = self.probabilities.cumsum()
        return self.fewest + min(int(np.searchsorted(until, level)), until.size - 1)

    def compute_p_value(self, captured: int) -> float:
        """Return the probability of as many, or more."""
        return min(1.0, float(self.probabilities[max(captured - self.fewest, 0) :].sum()))

    def list_p_values(self) -> npt.NDArray[np.float64]:
        """Return `compute_p_value` of 0, of 1, and so on, up to the most."""
        beyond = np.minimum(self.probabilities[::-1].cumsum()[::-1], 1.0)
        return np.concatenate([np.ones(self.fewest), beyond])


class Chance:
    """Selections by chance among people of whom some are fast progressors.

    Parameters
    ----------
    n_people
        Everyone who can be selected.

    Examples
    --------
    >>> law = Chance(10).of(n_fast=3, n_selected=5)
    >>> law.probabilities.round(3).tolist()
    [0.083, 0.417, 0.417, 0.083]
    >>> round(law.compute_p_value(3), 3)
    0.083
    """

    def __init__(self, n_people: int) -> None:
        self._n_people = n_people
        self._log_factorials = gammaln(np.arange(n_people + 1) + 1.0)

    def of(self, *, n_fast: int, n_selected: int) -> ChanceLaw:
        """Return the law of the fast progressors in a selection.

        With k of them, C(K, k) C(N - K, S - k) / C(N, S), where K of N people are fast and S are
        selected (Feller 1968, section II.6).
        """
        others = self._n_people - n_fast
        fewest, most = max(0, n_selected - others), min(n_fast, n_selected)
        log, every = self._log_factorials, np.arange(fewest, most + 1)
        ways = log[n_fast] - log[every] - log[n_fast - every]
        ways += log[others] - log[n_selected - every] - log[others - n_selected + every]
        total = log[-1] - log[n_selected] - log[self._n_people - n_selected]
        return ChanceLaw(fewest, np.exp(ways - total))


def compute_smallest_p_values(
    laws: Sequence[ChanceLaw],
    selected: Sequence[IntArray],
    fast: IntArray,
    n_permutations: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """Return the smallest p value of all rankings and selections, in each of many permutations.

    What became of people is dealt out to them anew, so that no ranking knows of it while the
    rankings stay as alike as they are. A p value holds for the family where as small a one is as
    rare among these (Westfall & Young 1993, Resampling-Based Multiple Testing, single-step min-P).

    Parameters
    ----------
    laws
        Of each selection.
    selected
        Of each ranking, (n_people,) the first selection that a person is in, from 0; as many as
        there are selections for who is in none. Later selections hold earlier ones.
    fast
        (n_people,) likewise the first selection of which the person counts as a fast progressor.
    n_permutations
        How many.
    rng
        Deals them out.

    Returns
    -------
    numpy.ndarray
        (n_permutations,).
    """
    # people whom all rankings place alike are alike: their number is what is dealt out
    cells, sizes = np.unique(np.stack(selected), axis=1, return_counts=True)
    places = [one[:, None] == np.arange(len(laws) + 1) for one in cells]
    remaining = np.tile(sizes, (n_permutations, 1))
    captured = [np.zeros((n_permutations, len(laws) + 1), dtype=np.int64) for _ in places]
    smallest = np.ones(n_permutations)
    # the one looks at each cell, the other at each person, in a tenth of the time
    method: Final = "marginals" if 10 * sizes.size < fast.size else "count"
    n_fast = np.bincount(fast, minlength=len(laws) + 1)
    for place, law in enumerate(laws):
        if n_fast[place]:
            dealt = np.stack(
                [
                    rng.multivariate_hypergeometric(row, n_fast[place], method=method)
                    for row in remaining
                ]
            )
            remaining -= dealt
            for count, is_at in zip(captured, places, strict=True):
                count += dealt @ is_at
        of_count = law.list_p_values()
        for count in captured:
            np.minimum(smallest, of_count[count[:, : place + 1].sum(axis=1)], out=smallest)
    return smallest
