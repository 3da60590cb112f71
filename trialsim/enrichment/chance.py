"""How many fast progressors a selection by chance holds: drawing without replacement.

SciPy's `hypergeom` is the same law; loading `scipy.stats` takes longer than comparing thousands of
people.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln


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
