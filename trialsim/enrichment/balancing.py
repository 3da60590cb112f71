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

_RIDGE: Final = 1e-4
"""On lambda in units of a standard deviation: means that nobody can reach are reached as far as
they can be, at weights that stay finite."""

_STEPS: Final = 60
_FLAT: Final = 1e-9


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
    n_columns = covariates.shape[1]
    if not n_columns:
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))
    dual = np.zeros((len(targets), n_columns))
    value, weights = _evaluate(covariates, targets, counts, dual)
    identity = np.eye(n_columns)
    for _ in range(_STEPS):
        mean = weights @ covariates
        gradient = mean - targets + _RIDGE * dual
        if np.abs(gradient).max() < _FLAT:
            break
        products = (weights[:, :, None] * covariates).transpose(0, 2, 1) @ covariates
        hessian = products - mean[:, :, None] * mean[:, None, :] + _RIDGE * identity
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        decrease = (gradient * step).sum(axis=1)
        size = np.ones(len(dual))
        for _ in range(30):
            moved = dual - size[:, None] * step
            new_value, new_weights = _evaluate(covariates, targets, counts, moved)
            too_far = new_value > value - 0.25 * size * decrease + 1e-14
            if not too_far.any():
                break
            size[too_far] /= 2
        better = new_value <= value
        dual = np.where(better[:, None], moved, dual)
        weights = np.where(better[:, None], new_weights, weights)
        value = np.where(better, new_value, value)
        if not better.any():
            break
    return weights


def _evaluate(
    covariates: Floats, targets: Floats, counts: Floats, dual: Floats
) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore"):
        exponent = dual @ covariates.T + np.log(counts)
    largest = exponent.max(axis=1, keepdims=True)
    raw = np.exp(exponent - largest)
    total = raw.sum(axis=1, keepdims=True)
    log_sum = np.log(total[:, 0]) + largest[:, 0]
    penalty = 0.5 * _RIDGE * (dual**2).sum(axis=1)
    return log_sum - (dual * targets).sum(axis=1) + penalty, raw / total


def compute_effective_size(weights: Floats) -> Floats:
    """Return (sum w)^2 / sum w^2 over the last axis: people of equal weight that say as much."""
    squared = (weights**2).sum(axis=-1)
    total = weights.sum(axis=-1) ** 2
    return np.asarray(np.divide(total, squared, out=np.zeros_like(total), where=squared > 0))
