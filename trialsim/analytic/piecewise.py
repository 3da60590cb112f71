"""Rates a month that are constant within periods, the last of which goes on."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trialsim.analytic.point import FloatArray


def split_months(months: npt.ArrayLike, from_months: Sequence[float] | FloatArray) -> FloatArray:
    """Return how many of the months lie in each period.

    Parameters
    ----------
    months
        Since month 0, of any shape.
    from_months
        When each period starts, from 0 upwards.

    Returns
    -------
    numpy.ndarray
        Shaped as `months`, and the periods last.

    Examples
    --------
    >>> split_months([3.0, 20.0], (0.0, 12.0)).tolist()
    [[3.0, 0.0], [12.0, 8.0]]
    """
    passed = np.asarray(months, dtype=float)[..., None] - np.asarray(from_months)
    return np.asarray(np.clip(passed, 0, np.append(np.diff(from_months), np.inf)))


def accumulate_rate(
    per_month: Sequence[float], from_months: Sequence[float], months: npt.ArrayLike
) -> FloatArray:
    """Return what rates have added up to by each month.

    Parameters
    ----------
    per_month
        Rate of each period, 0 or more.
    from_months, months
        As in `split_months`.

    Examples
    --------
    >>> accumulate_rate((5.0, 20.0), (0.0, 6.0), [6.0, 7.0]).tolist()
    [30.0, 50.0]
    """
    return np.asarray((split_months(months, from_months) * np.asarray(per_month)).sum(axis=-1))


def find_month_of(
    per_month: Sequence[float], from_months: Sequence[float], total: npt.ArrayLike
) -> FloatArray:
    """Return the first month by which rates have added up to a total; infinite where they never do.

    Parameters
    ----------
    per_month, from_months
        As in `accumulate_rate`, whose inverse this is.
    total
        0 or more, of any shape.

    Examples
    --------
    >>> find_month_of((5.0, 20.0), (0.0, 6.0), [30.0, 50.0]).tolist()
    [6.0, 7.0]
    """
    starts, rates = np.asarray(from_months), np.asarray(per_month)
    before = np.append(0.0, np.cumsum(np.diff(starts) * rates[:-1]))
    wanted = np.asarray(total, dtype=float)
    # the first of the periods by whose end a total is reached, before those without a rate
    period = np.maximum(np.searchsorted(before, wanted) - 1, 0)
    lacking = wanted - before[period]
    with np.errstate(divide="ignore", invalid="ignore"):
        further = np.where(lacking > 0, lacking / rates[period], 0.0)
    return np.asarray(starts[period] + further)
