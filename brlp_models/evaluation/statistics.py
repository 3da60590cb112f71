"""Statistics with bootstrap intervals over people."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata
from statsmodels.stats.proportion import proportion_confint

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A statistic with its percentile bootstrap interval."""

    value: float
    lower: float
    upper: float
    n: int


def estimate(
    statistic: Callable[..., float],
    *values: Array,
    rng: np.random.Generator,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    clusters: "npt.NDArray[np.intp] | None" = None,
) -> Estimate:
    """Return a statistic of paired values with its bootstrap interval.

    Parameters
    ----------
    statistic
        Takes the arrays.
    *values
        One entry, or one row, a person each.
    rng
        Draws the people.
    n_bootstrap
        Resamples.
    level
        Of the interval.
    clusters
        The cluster of each person, from 0 (see `number_clusters`): whole clusters are drawn in
        place of people, since those of one are alike. None, or one cluster alone: people are drawn.

    Returns
    -------
    Estimate
        NaN bounds where there is one person only: the spread between people is not known.
    """
    n = len(values[0])
    if n == 1:
        return Estimate(float(statistic(*values)), np.nan, np.nan, n)
    draws = np.array(
        [
            statistic(*(value[rows] for value in values))
            for rows in _iterate_resamples(n, clusters, rng, n_bootstrap)
        ]
    )
    # a resample of one person repeated has no rank correlation
    known = draws[~np.isnan(draws)]
    tail = 50 * (1 - level)
    lower, upper = np.percentile(known, [tail, 100 - tail]) if known.size else [np.nan] * 2
    return Estimate(float(statistic(*values)), float(lower), float(upper), n)


def number_clusters(
    people: "pd.Series[str]", anatomies: "pd.Series[str] | None"
) -> "tuple[npt.NDArray[np.intp], int]":
    """Return the cluster of each row for `estimate`, and of how many anatomies the rows are.

    Rows of one person are alike, and so are people of one anatomy. Where all are of one, the
    clusters are people.

    Parameters
    ----------
    people
        Whose each row is.
    anatomies
        By participant, the anatomy that a synthetic person was drawn from; who is not named, or
        everyone where it is None, has one of their own.

    Examples
    --------
    >>> people = pd.Series(["sub-1", "sub-2", "sub-1", "sub-3", "sub-4"])
    >>> number_clusters(people, pd.Series({"sub-1": "a", "sub-2": "b", "sub-3": "a"}))
    (array([0, 1, 0, 0, 2]), 3)
    >>> number_clusters(people[:3], pd.Series({"sub-1": "a", "sub-2": "a"}))
    (array([0, 1, 0]), 1)
    """
    drawn_from = people if anatomies is None else people.map(anatomies).fillna(people)
    clusters, unique = pd.factorize(drawn_from)
    if len(unique) == 1:
        clusters, _ = pd.factorize(people)
    return clusters, len(unique)


def estimate_share(count: int, n: int) -> Estimate:
    """Return a share of n people with its 95 % interval (Wilson 1927, JASA 22:209).

    Examples
    --------
    >>> found = estimate_share(0, 14)
    >>> found.lower, round(found.upper, 3)
    (0.0, 0.215)
    >>> estimate_share(0, 0)
    Estimate(value=nan, lower=nan, upper=nan, n=0)
    """
    if n == 0:
        return Estimate(np.nan, np.nan, np.nan, n)
    lower, upper = proportion_confint(count, n, method="wilson")
    # of none and of all, an end is 0 or 1, but for rounding
    return Estimate(
        count / n, 0.0 if count == 0 else float(lower), 1.0 if count == n else float(upper), n
    )


def _iterate_resamples(
    n: int,
    clusters: "npt.NDArray[np.intp] | None",
    rng: np.random.Generator,
    n_bootstrap: int,
) -> Iterator["npt.NDArray[np.intp]"]:
    members = [] if clusters is None else [np.flatnonzero(clusters == k) for k in set(clusters)]
    if len(members) < 2:
        yield from rng.integers(0, n, (n_bootstrap, n))
        return
    for chosen in rng.integers(0, len(members), (n_bootstrap, len(members))):
        yield np.concatenate([members[k] for k in chosen])


def compute_spearman(predicted: Array, true: Array) -> float:
    """Return the rank correlation; NaN where one side is constant."""
    if np.ptp(predicted) == 0 or np.ptp(true) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(predicted), rankdata(true))[0, 1])


def compute_median_absolute(errors: Array) -> float:
    """Return the median absolute value."""
    return float(np.median(np.abs(errors)))


def compute_mean(values: Array) -> float:
    """Return the mean."""
    return float(np.mean(values))


def compute_sd(errors: Array) -> float:
    """Return the sd (ddof 1)."""
    return float(np.std(errors, ddof=1))
