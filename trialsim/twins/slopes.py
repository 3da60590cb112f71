"""Sample size and power of a difference in slopes with twins, in closed form."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from trialsim.analytic import random_slope
from trialsim.analytic.point import refuse_too_many
from trialsim.errors import DesignError


def plan_slopes_with_twins(
    *,
    delta: float,
    visit_times: npt.ArrayLike,
    slope_variance: float,
    residual_variance: float,
    slope_correlation: float,
    deflation: float = 1.0,
    retention: npt.ArrayLike | None = None,
    allocation_ratios: Sequence[float] = (1.0, 2.0, 3.0),
    n_control: float | None = None,
    power: float | None = None,
    alpha: float = 0.05,
    sides: int = 2,
) -> pd.DataFrame:
    """Return size or power of the random-slope model without and with the twin's slope.

    The twin's slope, crossed with time, takes the share `slope_correlation`^2 off the variance of
    true slopes and nothing off the residual variance, so that it spares less the fewer the visits.

    Parameters
    ----------
    delta
        Difference in slope, per unit of `visit_times`.
    visit_times
        (n_visits,), 0 first.
    slope_variance, residual_variance
        Of the random-slope model without the twin.
    slope_correlation
        Of the twin's slope with a person's true slope, between 0 and 1.
    deflation
        The correlation is multiplied by it, greater than 0 and at most 1.
    retention, n_control, power, alpha, sides
        As in `trialsim.analytic.random_slope`.
    allocation_ratios
        Treatment to control, each finite.

    Returns
    -------
    pandas.DataFrame
        `estimator` (`random_slope`, `random_slope_twin`), `allocation_ratio`, `n_control`,
        `n_treatment`, `n_total`, `power`.

    Raises
    ------
    DesignError
        Arguments that cannot be.

    Examples
    --------
    >>> plan = plan_slopes_with_twins(
    ...     delta=20, visit_times=[0, 0.5, 1, 1.5, 2], slope_variance=4900, residual_variance=3600,
    ...     slope_correlation=0.5, allocation_ratios=[1], power=0.8)
    >>> plan["n_control"].round(1).tolist()
    [248.8, 200.7]
    """
    problems = []
    if not 0 <= slope_correlation < 1:
        problems.append(
            f"slope_correlation must be between 0 and below 1, got {slope_correlation:g}."
        )
    if not 0 < deflation <= 1:
        problems.append(f"deflation must be greater than 0 and at most 1, got {deflation:g}.")
    if not allocation_ratios or not all(0 < ratio < np.inf for ratio in allocation_ratios):
        problems.append("allocation_ratios must hold finite numbers greater than 0.")
    if problems:
        raise DesignError(*problems)
    rows = []
    for name, known in (("random_slope", 0.0), ("random_slope_twin", slope_correlation)):
        for ratio in allocation_ratios:
            point = random_slope(
                delta=delta,
                visit_times=visit_times,
                slope_variance=slope_variance * (1 - (deflation * known) ** 2),
                residual_variance=residual_variance,
                retention=retention,
                n_control=n_control,
                power=power,
                alpha=alpha,
                sides=sides,
                allocation_ratio=ratio,
            )
            size = float(point.n_control)
            refuse_too_many(size)
            rows.append(
                {
                    "estimator": name,
                    "allocation_ratio": float(ratio),
                    "n_control": size,
                    "n_treatment": size * ratio,
                    "n_total": size * (1 + ratio),
                    "power": float(point.power),
                }
            )
    return pd.DataFrame(rows)
