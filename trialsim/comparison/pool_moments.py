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


def read_moments(rows: pd.DataFrame, months: Sequence[float] | None = None) -> Moments:
    """Return the moments of one choice.

    Parameters
    ----------
    rows
        The rows of `pool_moments` of one strategy at one fraction.
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
    >>> read_moments(rows).covariance
    array([[4., 1.],
           [1., 1.]])
    """
    wide = rows.pivot_table(index="quantity", columns="other", values="covariance", sort=False)
    kept = list_months(rows) if months is None else list(months)
    visits = [f"{_MONTH}{month:g}" for month in kept]
    names = [*visits, _SCORE]
    change = rows.drop_duplicates("quantity").set_index("quantity")["true_change"]
    covariance = wide.loc[names, names].to_numpy(dtype=float)
    growth = _read_growth(wide, np.array(kept)) if _RESIDUAL in wide else None
    return Moments(change.loc[visits].to_numpy(dtype=float), covariance, growth)


def list_months(rows: pd.DataFrame) -> list[float]:
    """Return the months of the visits in `pool_moments`, increasing."""
    names = rows["quantity"].drop_duplicates()
    return sorted(float(name.removeprefix(_MONTH)) for name in names if name.startswith(_MONTH))


def _read_growth(wide: pd.DataFrame, times: Floats) -> GrowthModel:
    total = wide.loc[list(_LINE), list(_LINE)].to_numpy(dtype=float)
    # a score of variance 1, of two values
    variance = float(np.asarray(wide.loc[_SCORE, _SCORE]))
    shared = wide.loc[list(_LINE), _SCORE].to_numpy(dtype=float)
    loading = shared / np.sqrt(variance) if variance > 0 else np.zeros(2)
    return GrowthModel(
        intercept=0.0,
        slope=0.0,
        score_intercept=float(loading[0]),
        score_slope=float(loading[1]),
        covariance=total - np.outer(loading, loading),
        residual_variance=float(np.asarray(wide.loc[_RESIDUAL, _RESIDUAL])),
        times=times,
        scores=np.array([-1.0, 1.0]),
    )
