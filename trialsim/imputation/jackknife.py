"""The effect after imputation without each person, from sufficient statistics.

Without one person the cross-products of one pattern of visits are a little smaller, and the mixed
model is a few of Newton's steps from that of everyone, so that leaving out each of n people takes
time in proportion to n and every fit is the one that starting anew would find.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.patterns import (
    PatternStatistics,
    center_outcome,
    encode_patterns,
    find_members,
    summarize,
)
from trialsim.analysis.residuals import estimate_residual_covariance
from trialsim.analysis.result import FitResult, Flags, Floats, build_result
from trialsim.imputation.differences import weigh_differences
from trialsim.imputation.model import ImputationModel, estimate_imputation_model

_BATCH_VALUES = 400_000
"""Entries of the information of trials without one person that are fitted together."""


@dataclass(frozen=True)
class Jackknife:
    """The estimates of many trials with everyone and without each person, linear in delta.

    Attributes
    ----------
    full
        Estimate at delta 0, and what delta = 1 adds, (2, n_trials).
    without
        The same without each person, (2, n_trials, n).
    df
        People minus coefficients.
    converged
        Whether every model of a trial was fitted, (n_trials,).
    """

    full: Floats
    without: Floats
    df: float
    converged: Flags

    def combine(self, delta: float) -> FitResult:
        """Return the estimates at one delta, with their jackknife errors."""
        left = self.without[0] + delta * self.without[1]
        n = left.shape[1]
        distance = left - left.mean(axis=1, keepdims=True)
        variance = (n - 1) / n * (distance**2).sum(axis=1)
        estimate = self.full[0] + delta * self.full[1]
        return build_result(estimate, variance, np.full(len(left), self.df), self.converged)


def leave_each_out(
    outcome: Floats, predictors: Floats, strategies: Sequence[str]
) -> dict[str, Jackknife]:
    """Return the jackknife of each trial by conditional-mean imputation, under each strategy.

    Parameters
    ----------
    outcome
        (n_trials, n_people, n_visits) after baseline, NaN where missing.
    predictors
        (n_trials, n_people, p): 1, treatment, covariates.
    strategies
        Names in `trialsim.imputation.strategies.STRATEGIES`.
    """
    centred = center_outcome(outcome)
    n_trials, n, n_visits = centred.shape
    # people without a visit count too: their outcomes are imputed
    codes = np.unique(encode_patterns(centred))
    seen = np.asarray((codes[:, None] >> np.arange(n_visits)) % 2 == 1)
    statistics = summarize(centred, predictors, seen)
    start = estimate_residual_covariance(centred, predictors)
    model = estimate_imputation_model(statistics, start)
    full = {name: _estimate(statistics, model, name) for name in strategies}
    without = {name: np.empty((2, n_trials * n)) for name in strategies}
    fine = np.empty(n_trials * n, dtype=bool)
    values = np.concatenate([predictors, np.nan_to_num(centred)], axis=2)
    pattern, _ = find_members(statistics, centred, predictors)
    for part in _list_batches(statistics, n_trials * n):
        trial, person = np.divmod(np.arange(n_trials * n)[part], n)
        others = _leave_out(statistics, trial, pattern[trial, person], values[trial, person])
        models = estimate_imputation_model(others, model.covariance[trial])
        fine[part] = models.converged
        for name in strategies:
            without[name][:, part] = _estimate(others, models, name)
    converged = model.converged & fine.reshape(n_trials, n).all(axis=1)
    df = float(n - predictors.shape[2])
    return {
        name: Jackknife(full[name], without[name].reshape(2, n_trials, n), df, converged)
        for name in strategies
    }


def _list_batches(statistics: PatternStatistics, n_fits: int) -> list[slice]:
    n_visits, p = statistics.n_visits, statistics.n_predictors
    size = n_visits * (n_visits + 1) // 2 * (n_visits * p) ** 2 + statistics.cross[0].size
    step = max(1, _BATCH_VALUES // size)
    return [slice(first, first + step) for first in range(0, n_fits, step)]


def _leave_out(
    statistics: PatternStatistics,
    trial: NDArray[np.intp],
    pattern: NDArray[np.intp],
    values: Floats,
) -> PatternStatistics:
    """Return the statistics of trials without a person of this pattern and these values each."""
    counts, cross = statistics.counts[trial], statistics.cross[trial]
    rows = np.arange(len(trial))
    counts[rows, pattern] -= 1
    cross[rows, pattern] -= values[:, :, None] * values[:, None, :]
    return replace(statistics, counts=counts, cross=cross)


def _estimate(statistics: PatternStatistics, model: ImputationModel, strategy: str) -> Floats:
    """Return estimates at delta 0 and what delta adds, (2, n_trials)."""
    p = statistics.n_predictors
    effect = weigh_differences(
        statistics.cross[..., :p, :p], statistics.seen, model.covariance, strategy
    )
    differences = model.coefficients[..., 1]
    return np.stack([np.einsum("tv,tv->t", effect.used, differences), effect.share_imputed])
