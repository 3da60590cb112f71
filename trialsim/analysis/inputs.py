"""Checks of the arrays that describe simulated trials."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from cohorts.counting import tally
from trialsim.analysis.patterns import PatternStatistics, center_outcome, summarize
from trialsim.analysis.result import FitResult, Flags, Floats, join_results
from trialsim.errors import DesignError

_BATCH_VALUES = 400_000
"""Outcome values a batch: small enough to stay in a core's cache, large enough to vectorize."""


@dataclass(frozen=True)
class Trials:
    """Outcomes of many trials with what is known of each person at baseline.

    Attributes
    ----------
    outcome
        (n_trials, n_participants, n_visits), NaN where unseen.
    predictors
        (n_trials or 1, n_participants, n_predictors): the intercept, the treatment (0/1), then the
        covariates.
    visit_times
        (n_visits,), increasing.
    """

    outcome: Floats
    predictors: Floats
    visit_times: Floats

    def center(self) -> "Trials":
        """Return the trials with their grand mean taken off, which no effect depends on."""
        return replace(self, outcome=center_outcome(self.outcome))

    def use_baseline_as_predictor(self) -> "Trials":
        """Return the trials with the first visit moved from the outcomes to the predictors.

        People whose first visit is missing lose the others too, as in
        `PatternStatistics.use_baseline_as_predictor`.
        """
        baseline = self.outcome[..., :1]
        shape = (*baseline.shape[:2], self.predictors.shape[2])
        return Trials(
            np.where(np.isnan(baseline), np.nan, self.outcome[..., 1:]),
            np.concatenate(
                [np.broadcast_to(self.predictors, shape), np.nan_to_num(baseline)], axis=2
            ),
            self.visit_times[1:],
        )

    def keep_predictors(self, columns: list[int]) -> "Trials":
        """Return the trials with some of the predictors only."""
        return replace(self, predictors=self.predictors[..., columns])

    def summarize(self, seen: Flags | None = None, *, by_arm: bool = False) -> PatternStatistics:
        """Return the sufficient statistics of the trials, as `patterns.summarize` does."""
        return summarize(self.outcome, self.predictors, seen, by_arm=by_arm)

    def batches(self) -> Iterator["Trials"]:
        """Yield consecutive groups of trials."""
        n_trials = len(self.outcome)
        size = max(1, _BATCH_VALUES // max(1, self.outcome[0].size))
        for start in range(0, n_trials, size):
            part = slice(start, start + size)
            predictors = self.predictors[part] if len(self.predictors) > 1 else self.predictors
            yield Trials(self.outcome[part], predictors, self.visit_times)


def read_trials(
    outcome: ArrayLike,
    treatment: ArrayLike,
    visit_times: ArrayLike,
    covariates: ArrayLike | None,
    *,
    min_visits: int,
) -> Trials:
    """Return checked trials.

    Raises
    ------
    DesignError
        A wrong shape, a treatment other than 0/1, an arm without people, a visit that nobody has,
        visit times that do not increase, or a covariate that is missing or infinite.
    """
    y = np.asarray(outcome, dtype=float)
    if y.ndim != 3 or 0 in y.shape:
        raise DesignError(
            f"outcome must have the shape (n_trials, n_participants, n_visits), got {y.shape}."
        )
    times = _read_times(visit_times, y.shape[2], min_visits)
    arms = _read_treatment(treatment, y.shape)
    _refuse_empty_visits(y, times)
    extra = _read_covariates(covariates, y.shape)
    return Trials(y, _join_predictors(arms, extra), times)


def _read_times(visit_times: ArrayLike, n_visits: int, min_visits: int) -> Floats:
    times = np.asarray(visit_times, dtype=float)
    if times.shape != (n_visits,):
        raise DesignError(
            f"visit_times must hold one time a visit ({n_visits}), got shape {times.shape}."
        )
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise DesignError(f"visit_times must increase, got {times.tolist()}.")
    if n_visits < min_visits:
        raise DesignError(
            f"This analysis needs at least {tally(min_visits, 'visits')}, got {n_visits}."
        )
    return times


def _read_treatment(treatment: ArrayLike, shape: tuple[int, ...]) -> Floats:
    arms = np.asarray(treatment, dtype=float)
    arms = arms[None] if arms.ndim == 1 else arms
    if arms.shape not in {(1, shape[1]), shape[:2]}:
        raise DesignError(
            f"treatment must have the shape ({shape[1]},) or {shape[:2]}, got {arms.shape}."
        )
    if not np.isin(arms, (0.0, 1.0)).all():
        raise DesignError("treatment must be 0 (control) or 1 (treatment) for everyone.")
    if not ((arms.min(axis=1) == 0) & (arms.max(axis=1) == 1)).all():
        raise DesignError("Every trial needs people in both arms, got one with an empty arm.")
    return arms


def _refuse_empty_visits(y: Floats, times: Floats) -> None:
    if np.isinf(y).any():
        raise DesignError("outcome holds an infinite value; NaN is the mark of a missing one.")
    empty = np.isnan(y).all(axis=(0, 1))
    if empty.any():
        raise DesignError(
            *(f"Nobody has an outcome at the visit at time {time:g}." for time in times[empty])
        )


def _read_covariates(covariates: ArrayLike | None, shape: tuple[int, ...]) -> Floats:
    if covariates is None:
        return np.empty((1, shape[1], 0))
    extra = np.asarray(covariates, dtype=float)
    extra = extra[None] if extra.ndim == 2 else extra
    if extra.ndim != 3 or extra.shape[:2] not in {(1, shape[1]), shape[:2]}:
        raise DesignError(
            f"covariates must have the shape ({shape[1]}, q) or ({shape[0]}, {shape[1]}, q), "
            f"got {np.shape(covariates)}."
        )
    if not np.isfinite(extra).all():
        raise DesignError("covariates must be known for everyone, got a missing or infinite value.")
    # centred, so that squares of large volumes do not drown the smaller terms
    return np.asarray(extra - extra.mean(axis=1, keepdims=True))


def _join_predictors(arms: Floats, extra: Floats) -> Floats:
    n_trials = max(len(arms), len(extra))
    joined = np.empty((n_trials, arms.shape[1], 2 + extra.shape[2]))
    joined[..., 0] = 1.0
    joined[..., 1] = arms
    joined[..., 2:] = extra
    return joined


def fit_in_batches(
    trials: Trials, fit: Callable[[Trials], FitResult], workers: int | None = None
) -> FitResult:
    """Return the fits of all trials, batch by batch on `workers` threads (None: every core).

    A trial's result does not depend on its batch.
    """
    batches: Sequence[Trials] = list(trials.batches())
    n_workers = min(len(batches), workers or count_cores())
    if n_workers == 1:
        return join_results([fit(batch) for batch in batches])
    with ThreadPoolExecutor(n_workers) as pool:
        return join_results(list(pool.map(fit, batches)))


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
