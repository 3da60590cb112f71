"""The score process of a trial, integrated from look to look.

The score at information t is X(t) = Z sqrt(t) = theta t + B(t) with B a Brownian motion, so that
its steps are independent and normal (Scharfstein, Tsiatis & Robins 1997, J Am Stat Assoc 92:1342).
The density of the trials that have not stopped is carried over the looks by quadrature, as in
Jennison & Turnbull 2000 (*Group Sequential Methods*, ch. 19), with Gauss's rule on short panels in
place of Simpson's: one step is one small matrix product.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from trialsim.analytic.point import FloatArray, Quantity

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)

_PANEL = 16.0
"""Panel width in standard deviations of a step: three nodes each leave an error of about 1e-14."""

_REACH = 8.0
"""Standard deviations from the mean beyond which less than 1e-15 of the trials are."""

_NEWTON_STEPS = 60


@dataclass(frozen=True)
class Drift:
    """What the mean of the score at information 1 is, or what is believed about it.

    Attributes
    ----------
    mean
        The drift, or the mean of a normal belief about it; (n, 1) integrates n drifts at once.
    precision
        1 / variance of the belief before the first datum: infinite for a known drift, 0 for none.
    """

    mean: Quantity
    precision: float = np.inf

    def move(self, x: Quantity, t: float, step: float) -> tuple[FloatArray, float]:
        """Return mean and standard deviation of the score after a step from `x` at `t`."""
        if np.isinf(self.precision):
            return np.asarray(x + np.multiply(self.mean, step)), np.sqrt(step)
        variance = 1 / (t + self.precision)
        believed = (x + np.multiply(self.mean, self.precision)) * variance
        return np.asarray(x + believed * step), np.sqrt(step + variance * step**2)


NO_EFFECT = Drift(0.0)


class Walk:
    """Trials that have not stopped yet.

    Parameters
    ----------
    drift
        Known or believed.
    x, t
        Where they start: score, one or (n, 1), and information.
    """

    def __init__(self, drift: Drift, x: Quantity = 0.0, t: float = 0.0) -> None:
        self._drift = drift
        self._start = (x, t)
        self._t = self._new_t = t
        shape = np.broadcast_shapes((1,), np.shape(x), np.shape(drift.mean))
        self._x = np.broadcast_to(x, shape).astype(float)
        self._mass = np.ones_like(self._x)
        self._centers, self._sd = self._x, 0.0

    def go_to(self, t: float) -> None:
        """Move to the next look, where the score is known but nobody has stopped yet."""
        self._new_t = t
        self._centers, self._sd = self._drift.move(self._x, self._t, t - self._t)

    def compute_above(self, x: float) -> FloatArray:
        """Return the probability to come to this look and be above `x`."""
        return np.asarray((self._mass * special.ndtr((self._centers - x) / self._sd)).sum(axis=-1))

    def compute_below(self, x: float) -> FloatArray:
        """Return the probability to come to this look and be below `x`."""
        return np.asarray((self._mass * special.ndtr((x - self._centers) / self._sd)).sum(axis=-1))

    def find_upper(self, probability: float) -> float:
        """Return the score that is exceeded here with a probability; one drift only."""
        return self._find(probability, 1.0)

    def find_lower(self, probability: float) -> float:
        """Return the score that is fallen short of here with a probability; one drift only."""
        return self._find(probability, -1.0)

    def _find(self, probability: float, sign: float) -> float:
        total = float(self._mass.sum())
        if probability >= total:
            return -sign * np.inf
        centers, mass = sign * self._centers, self._mass
        mean, sd = self._compute_spread()
        # Farther out than the bound: where it would be had nobody stopped before, and where it
        # would be were everyone at the best place of all. The logarithm of a normal tail is
        # concave, so Newton's steps come down from there without overshooting.
        unstopped = sign * float(mean) - sd * special.ndtri(probability)
        best = float(centers.max()) - self._sd * special.ndtri(probability / total)
        x = min(unstopped, best)
        for _ in range(_NEWTON_STEPS):
            away = (centers - x) / self._sd
            tail = float((mass * special.ndtr(away)).sum())
            density = float((mass * np.exp(-(away**2) / 2)).sum()) / (self._sd * np.sqrt(2 * np.pi))
            move = tail / density * np.log(tail / probability)
            x += move
            if abs(move) < 1e-12 * sd:
                break
        return sign * x

    def _compute_spread(self) -> tuple[FloatArray, float]:
        x, t = self._start
        return self._drift.move(x, t, self._new_t - t)

    def go_on(self, lower: float, upper: float, next_t: float | None) -> None:
        """Keep the trials between the bounds; `next_t` is the next look, None at the last."""
        step = self._new_t - self._t
        finest = np.sqrt(step if next_t is None else min(step, next_t - self._new_t))
        mean, sd = self._compute_spread()
        low = np.clip(lower, mean - _REACH * sd, mean + _REACH * sd)
        high = np.clip(upper, low, np.maximum(low, mean + _REACH * sd))
        nodes, weights = _place_nodes(low, high, _PANEL * finest)
        kernel = nodes[..., None, :] / self._sd - self._centers[..., :, None] / self._sd
        # in place: this matrix is where the time goes
        np.square(kernel, out=kernel)
        kernel *= -0.5
        np.exp(kernel, out=kernel)
        density = (self._mass[..., None, :] @ kernel)[..., 0, :] / (self._sd * np.sqrt(2 * np.pi))
        self._x, self._mass, self._t = nodes, weights * density, self._new_t


def _place_nodes(low: FloatArray, high: FloatArray, panel: float) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights on [low, high], (..., n_nodes); one interval an element."""
    low, high = (np.reshape(end, (*np.shape(end)[:-1], 1)) for end in (low, high))
    n_panels = max(1, int(np.ceil((high - low).max() / panel)))
    half = (high - low) / n_panels / 2
    middles = low + half * (2 * np.arange(n_panels) + 1)
    nodes = middles[..., :, None] + half[..., None] * _NODES
    weights = np.broadcast_to(half[..., None] * _WEIGHTS, nodes.shape)
    shape = (*nodes.shape[:-2], -1)
    return nodes.reshape(shape), weights.reshape(shape)


@dataclass(frozen=True)
class Crossings:
    """Probability of leaving at each look, (..., n_looks), upward and downward."""

    above: FloatArray
    below: FloatArray


def compute_crossings(
    times: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    drift: Drift = NO_EFFECT,
    *,
    start: tuple[Quantity, float] = (0.0, 0.0),
) -> Crossings:
    """Return the probability to cross each bound first at each look.

    Parameters
    ----------
    times
        Information at the looks, (n_looks,), increasing.
    lower, upper
        Bounds of z, (n_looks,); infinite for none.
    drift
        Mean of the score at information 1.
    start
        Score, one or (n, 1), and information from which the looks are waited for.
    """
    walk = Walk(drift, *start)
    above, below = [], []
    for k, t in enumerate(times):
        root = np.sqrt(t)
        walk.go_to(t)
        above.append(walk.compute_above(upper[k] * root))
        below.append(walk.compute_below(lower[k] * root))
        if k + 1 < len(times):
            walk.go_on(lower[k] * root, upper[k] * root, times[k + 1])
    return Crossings(np.stack(above, axis=-1), np.stack(below, axis=-1))
