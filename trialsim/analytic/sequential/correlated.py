"""Looks whose statistics do not have independent increments."""

import numpy as np
from scipy import optimize, special
from scipy.stats import qmc

from trialsim.analytic.point import FloatArray
from trialsim.analytic.sequential.walk import Crossings

_POINTS = 14
"""Base-2 logarithm of the number of Sobol points: bounds come out to about 1e-4."""

_FARTHEST = 12.0


class CorrelatedWalk:
    """Trials that have not stopped yet, by the separation of variables of Genz 1992.

    Z over looks is multivariate normal; the part of each look that earlier ones leave open is drawn
    from what lies between the bounds (J Comput Graph Stat 1:141), at scrambled Sobol points.

    Parameters
    ----------
    correlation
        Of Z over looks, (n_looks, n_looks), positive definite.
    means
        Of Z, (n_looks,).
    """

    def __init__(self, correlation: FloatArray, means: FloatArray) -> None:
        self._root = np.linalg.cholesky(correlation)
        self._means = means
        n = len(means)
        self._uniform = qmc.Sobol(n, seed=1).random_base2(_POINTS).T
        self._drawn = np.empty((0, self._uniform.shape[1]))
        self._mass = np.full(self._uniform.shape[1], 1 / self._uniform.shape[1])
        self._look = 0

    def compute_above(self, z: float) -> float:
        """Return the probability to come to this look and be above `z`."""
        return float(self._mass @ special.ndtr(-self._standardize(z)))

    def compute_below(self, z: float) -> float:
        """Return the probability to come to this look and be below `z`."""
        return float(self._mass @ special.ndtr(self._standardize(z)))

    def find_upper(self, probability: float) -> float:
        """Return the z that is exceeded here with a probability."""
        if self.compute_above(-_FARTHEST) <= probability:
            return -np.inf
        return float(
            optimize.brentq(
                lambda z: self.compute_above(z) - probability, -_FARTHEST, _FARTHEST, xtol=1e-9
            )
        )

    def go_on(self, lower: float, upper: float) -> None:
        """Keep the trials between the bounds and go to the next look."""
        low, high = (special.ndtr(self._standardize(bound)) for bound in (lower, upper))
        inside = np.maximum(high - low, 0.0)
        drawn = special.ndtri(low + self._uniform[self._look] * inside)
        # where nothing lies between the bounds the mass is 0, whatever is drawn
        self._drawn = np.vstack([self._drawn, np.clip(drawn, -_FARTHEST, _FARTHEST)])
        self._mass = self._mass * inside
        self._look += 1

    def _standardize(self, z: float) -> FloatArray:
        k = self._look
        known = self._means[k] + self._root[k, :k] @ self._drawn
        return np.asarray((z - known) / self._root[k, k])


def find_correlated_bounds(
    correlation: FloatArray, spent: FloatArray, lower: FloatArray, sides: int
) -> FloatArray:
    """Return the upper bounds of z that spend the errors given, (n_looks,).

    Parameters
    ----------
    correlation
        Of Z over looks without an effect.
    spent
        Cumulative error of one side by each look, (n_looks,).
    lower
        Lower bounds that the type I error counts on; with two sides the bounds mirror each other.
    sides
        1 or 2.
    """
    walk = CorrelatedWalk(correlation, np.zeros(len(spent)))
    upper, used = np.empty(len(spent)), 0.0
    for k, total in enumerate(spent):
        left = total - used
        upper[k] = np.inf if left < 1e-9 else walk.find_upper(left)
        used += walk.compute_above(upper[k])
        if k + 1 < len(spent):
            walk.go_on(-upper[k] if sides == 2 else lower[k], upper[k])
    return upper


def compute_correlated_crossings(
    correlation: FloatArray, means: FloatArray, lower: FloatArray, upper: FloatArray
) -> Crossings:
    """Return the probability to cross each bound first at each look, (n_looks,) each.

    Parameters
    ----------
    correlation
        Of Z over looks.
    means
        Of Z at the looks, (n_looks,).
    lower, upper
        Bounds of z; infinite for none.
    """
    walk = CorrelatedWalk(correlation, means)
    above, below = [], []
    for k in range(len(means)):
        above.append(walk.compute_above(upper[k]))
        below.append(walk.compute_below(lower[k]))
        if k + 1 < len(means):
            walk.go_on(lower[k], upper[k])
    return Crossings(np.array(above), np.array(below))
