"""Weights that make other people agree with the screened ones at baseline.

Entropy balancing: of all weights under which the weighted means of the covariates are those of the
target, the ones nearest to equal (in Kullback-Leibler divergence). They are
w_i proportional to c_i exp(lambda' z_i), and lambda minimizes the convex dual
log sum_i c_i exp(lambda' (z_i - t)), here by Newton's method for many samples at once.

References
----------
Hainmueller 2012, Political Analysis 20:25, equations 5 to 7.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_RIDGE: Final = 1e-4
"""On lambda in units of a standard deviation: means that nobody can reach are reached as far as
they can be, at weights that stay finite."""

_STEPS: Final = 60
_FLAT: Final = 1e-12
"""Square of the length of Newton's step from which one leads to the end."""

_ROUNDING: Final = 1e-14
"""Of the dual's value."""


@dataclass(frozen=True)
class Covariates:
    """Baseline covariates of two groups in units of the target's standard deviation.

    Attributes
    ----------
    names
        Of the columns.
    own, target
        (n_people, n_columns) and (n_target, n_columns), none missing: a missing value counts as the
        mean of the target.
    n_outside
        People of the target beyond the range of the others in some column.
    """

    names: tuple[str, ...]
    own: Floats
    target: Floats
    n_outside: int


def align_covariates(own: pd.DataFrame, target: pd.DataFrame) -> Covariates:
    """Return the columns that both groups have and that vary in either.

    Parameters
    ----------
    own, target
        Numbers, one row a person.
    """
    kept: list[str] = []
    mine, theirs = np.empty((len(own), 0)), np.empty((len(target), 0))
    for name in target:
        if name not in own or not (own[name].notna().any() and target[name].notna().any()):
            continue
        here, there = (table[name].to_numpy(dtype=float) for table in (own, target))
        middle = float(np.nanmean(there))
        spread = float(np.nanstd(there)) or float(np.nanstd(here))
        if spread > 0:
            kept.append(str(name))
            mine, theirs = (
                np.column_stack([columns, (np.nan_to_num(values, nan=middle) - middle) / spread])
                for columns, values in ((mine, here), (theirs, there))
            )
    outside = np.zeros(len(theirs), dtype=bool)
    if kept:
        outside = ((theirs < mine.min(axis=0)) | (theirs > mine.max(axis=0))).any(axis=1)
    return Covariates(tuple(kept), mine, theirs, int(outside.sum()))


def balance(covariates: Floats, targets: Floats, counts: Floats) -> Floats:
    """Return weights of each sample, (n_samples, n_people), that add up to 1.

    Parameters
    ----------
    covariates
        (n_people, n_columns), in units of a standard deviation.
    targets
        Means wanted in each sample, (n_samples, n_columns).
    counts
        How often each person is in each sample, (n_samples, n_people).

    Examples
    --------
    >>> import numpy as np
    >>> weights = balance(np.array([[0.0], [1.0]]), np.array([[0.75]]), np.ones((1, 2)))
    >>> [round(float(w), 3) for w in weights[0]]
    [0.25, 0.75]
    """
    n_people, n_columns = covariates.shape
    if not n_columns:
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))
    start = np.zeros((1, n_columns))
    products = (covariates[:, :, None] * covariates[:, None, :]).reshape(n_people, -1)
    if len(targets) > 1:
        # samples of the same people have their solutions near that of their average
        whole = targets.mean(axis=0, keepdims=True), counts.mean(axis=0, keepdims=True)
        start, _ = _Dual(covariates, products, *whole).minimize(start)
    dual = _Dual(covariates, products, targets, counts)
    return dual.minimize(np.repeat(start, len(targets), axis=0))[1]


@dataclass(frozen=True)
class _Dual:
    """The convex dual of each sample."""

    covariates: Floats
    products: Floats
    """Of each person's covariates, (n_people, n_columns^2)."""
    targets: Floats
    counts: Floats

    def minimize(self, dual: Floats) -> tuple[Floats, Floats]:
        """Return lambda and weights of each sample, by Newton's method from `dual`."""
        active = np.arange(len(dual))
        value, weights = self.evaluate(active, dual)
        for _ in range(_STEPS):
            step, decrease = self._step(active, dual[active], weights[active])
            moved, found, shares = self._search(active, dual[active], value[active], step, decrease)
            better = found <= value[active] + _ROUNDING * np.maximum(1, np.abs(found))
            kept = active[better]
            dual[kept], value[kept], weights[kept] = moved[better], found[better], shares[better]
            # convergence is quadratic: the step from so near a place leads to the end
            active = active[better & (decrease > _FLAT * np.maximum(1, np.abs(found)))]
            if not active.size:
                break
        return dual, weights

    def evaluate(self, rows: Indices, dual: Floats) -> tuple[Floats, Floats]:
        """Return the dual's value and the weights at lambda of some samples."""
        with np.errstate(divide="ignore"):
            exponent = dual @ self.covariates.T + np.log(self.counts[rows])
        largest = exponent.max(axis=1, keepdims=True)
        raw = np.exp(exponent - largest)
        total = raw.sum(axis=1, keepdims=True)
        log_sum = np.log(total[:, 0]) + largest[:, 0]
        penalty = 0.5 * _RIDGE * (dual**2).sum(axis=1)
        value = log_sum - (dual * self.targets[rows]).sum(axis=1) + penalty
        return np.asarray(value), np.asarray(raw / total)

    def _step(self, rows: Indices, dual: Floats, weights: Floats) -> tuple[Floats, Floats]:
        """Return Newton's step, and the square of its length in the metric of the dual."""
        n_columns = dual.shape[1]
        mean = weights @ self.covariates
        gradient = mean - self.targets[rows] + _RIDGE * dual
        second = (weights @ self.products).reshape(-1, n_columns, n_columns)
        hessian = second - mean[:, :, None] * mean[:, None, :] + _RIDGE * np.eye(n_columns)
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        return np.asarray(step), np.asarray((gradient * step).sum(axis=1))

    def _search(
        self, rows: Indices, dual: Floats, value: Floats, step: Floats, decrease: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Return lambda, value and weights after a step, halved until the dual falls."""
        moved = dual - step
        found, shares = self.evaluate(rows, moved)
        size = 1.0
        for _ in range(30):
            slack = _ROUNDING * np.maximum(1, np.abs(value)) - 0.25 * size * decrease
            again = np.flatnonzero(found > value + slack)
            if not again.size:
                break
            size /= 2
            moved[again] = dual[again] - size * step[again]
            found[again], shares[again] = self.evaluate(rows[again], moved[again])
        return moved, found, shares


def compute_effective_size(weights: Floats) -> Floats:
    """Return (sum w)^2 / sum w^2 over the last axis: people of equal weight that say as much."""
    squared = (weights**2).sum(axis=-1)
    total = weights.sum(axis=-1) ** 2
    return np.asarray(np.divide(total, squared, out=np.zeros_like(total), where=squared > 0))
