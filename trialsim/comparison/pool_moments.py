"""The moments of each pool as a table, so that any design can be asked of them later."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from trialsim.analysis.result import Floats
from trialsim.comparison.candidate_runs import CandidateRun
from trialsim.comparison.closed_form import Moments
from trialsim.simulation.outcomes import GrowthModel

_SCORE: Final = "score"
_LINE: Final = ("intercept", "slope")
_RESIDUAL: Final = "residual"
_MONTH: Final = "month "


def tabulate_moments(runs: Sequence[CandidateRun]) -> pd.DataFrame:
    """Return the table `pool_moments`: one covariance matrix a choice, in long form.

    Its quantities are the outcomes at the visits, the score and, where an analysis compares slopes,
    intercept, slope and residual of the people's lines; the score's part in the lines is in their
    covariance with it.
    """
    tables = [
        _lengthen(run.moments, run.design.times).assign(
            strategy=run.candidate.strategy,
            fraction_enrolled=run.candidate.fraction_enrolled,
            pool_size=run.pool.size,
        )
        for run in runs
    ]
    return pd.concat(tables, ignore_index=True)


def _lengthen(moments: Moments, times: Floats) -> pd.DataFrame:
    names = [f"{_MONTH}{month:g}" for month in times] + [_SCORE]
    covariance, change = moments.covariance, [*moments.true_change, np.nan]
    if moments.growth is not None:
        own = moments.growth
        names += [*_LINE, _RESIDUAL]
        change += [np.nan] * 3
        # cov(line, score) = loading x var(score), in which the score's own scale cancels
        spread = np.sqrt(float(np.var(own.scores)) * covariance[-1, -1])
        loading = np.array([own.score_intercept, own.score_slope]) * spread
        n_known = len(covariance)
        whole = np.zeros((n_known + 3, n_known + 3))
        whole[:n_known, :n_known] = covariance
        whole[n_known : n_known + 2, n_known : n_known + 2] = own.total_covariance
        whole[n_known - 1, n_known : n_known + 2] = loading
        whole[n_known : n_known + 2, n_known - 1] = loading
        whole[-1, -1] = own.residual_variance
        covariance = whole
    first, second = np.indices(covariance.shape).reshape(2, -1)
    labels = np.array(names)
    return pd.DataFrame(
        {
            "quantity": labels[first],
            "other": labels[second],
            "covariance": covariance.ravel(),
            "true_change": np.array(change)[first],
        }
    )


def read_pools(
    pools: Sequence[pd.DataFrame], months: Sequence[float] | None = None
) -> list[Moments]:
    """Return the moments of several choices, whose rows are read at once.

    Parameters
    ----------
    pools
        The rows of `pool_moments` of one strategy at one fraction each.
    months
        The visits kept, a subset of the table's in their order; all of them when None.

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "quantity": ["month 0", "month 0", "score", "score"],
    ...     "other": ["month 0", "score", "month 0", "score"],
    ...     "covariance": [4.0, 1.0, 1.0, 1.0],
    ...     "true_change": [0.0, 0.0, np.nan, np.nan],
    ... })
    >>> [moments] = read_pools([rows])
    >>> moments.covariance
    array([[4., 1.],
           [1., 1.]])
    """
    table = pd.concat(pools, ignore_index=True)
    place = np.repeat(np.arange(len(pools)), [len(rows) for rows in pools])
    names = pd.Index(table["quantity"].unique())
    first, second = names.get_indexer(table["quantity"]), names.get_indexer(table["other"])
    covariance = np.full((len(pools), len(names), len(names)), np.nan)
    covariance[place, first, second] = table["covariance"]
    change = np.full((len(pools), len(names)), np.nan)
    change[place, first] = table["true_change"]
    kept = list_months(table) if months is None else list(months)
    visits = names.get_indexer([f"{_MONTH}{month:g}" for month in kept])
    known = np.append(visits, names.get_loc(_SCORE))
    line = names.get_indexer([*_LINE, _SCORE, _RESIDUAL])
    return [
        Moments(
            own_change[visits],
            own[np.ix_(known, known)],
            _read_growth(own[np.ix_(line, line)], np.array(kept)) if _RESIDUAL in names else None,
        )
        for own, own_change in zip(covariance, change, strict=True)
    ]


def list_months(rows: pd.DataFrame) -> list[float]:
    """Return the months of the visits in `pool_moments`, increasing."""
    names = rows["quantity"].drop_duplicates()
    return sorted(float(name.removeprefix(_MONTH)) for name in names if name.startswith(_MONTH))


def _read_growth(line: Floats, times: Floats) -> GrowthModel:
    """Return the model of the covariance of intercept, slope, score and residual, (4, 4)."""
    # a score of variance 1, of two values
    variance = float(line[2, 2])
    loading = line[:2, 2] / np.sqrt(variance) if variance > 0 else np.zeros(2)
    return GrowthModel(
        intercept=0.0,
        slope=0.0,
        score_intercept=float(loading[0]),
        score_slope=float(loading[1]),
        covariance=line[:2, :2] - np.outer(loading, loading),
        residual_variance=float(line[3, 3]),
        times=times,
        scores=np.array([-1.0, 1.0]),
    )
