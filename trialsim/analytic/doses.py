"""Several doses against one control, in closed form."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import optimize, special

from cohorts.entrances import entrance
from trialsim.analytic.arguments import (
    ANY,
    OPEN_SHARE,
    PEOPLE,
    POSITIVE,
    find_problems,
    raise_problems,
)
from trialsim.analytic.point import MOST_PEOPLE, FloatArray
from trialsim.analytic.two_arm_test import compute_fewest_control
from trialsim.errors import DesignError

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)


@entrance
def dunnett(
    deltas: Sequence[float],
    *,
    sd: float,
    n_control: float | None = None,
    power: float | None = None,
    alpha: float = 0.025,
    allocation_ratio: float = 1.0,
) -> pd.DataFrame:
    """Compare 2-4 doses with one control, one-sided (Dunnett 1955, J Am Stat Assoc 50:1096).

    Parameters
    ----------
    deltas
        Difference of each dose from control; positive is benefit.
    sd
        Within an arm, known.
    n_control, power
        People in control, or the probability that some dose is significant; one of them.
    alpha
        One-sided, of all comparisons together.
    allocation_ratio
        People on each dose : control.

    Returns
    -------
    DataFrame
        One row: critical_z, n_control, n_total, power_any, and power_1, ... of each dose.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> found = dunnett([0.2, 0.4], sd=1, power=0.8)
    >>> round(float(found['n_control'].iloc[0]), 1)
    113.2
    """
    effects = np.asarray(deltas, dtype=float)
    m = effects.size
    problems = find_problems(
        deltas=(effects, ANY),
        sd=(sd, POSITIVE),
        n_control=(n_control, PEOPLE),
        power=(power, OPEN_SHARE),
        alpha=(alpha, OPEN_SHARE),
        allocation_ratio=(allocation_ratio, POSITIVE),
    )
    if not 2 <= m <= 4:
        problems.append(f"deltas must hold 2 to 4 doses, got {m}.")
    if (n_control is None) == (power is None):
        problems.append("Exactly one of n_control and power must be given.")
    if power is not None and not np.any(effects > 0):
        problems.append(
            "Some delta must be above 0: no number of people shows a benefit otherwise."
        )
    raise_problems(problems)
    if not 1e-9 <= alpha <= 0.5:
        raise DesignError(f"alpha must lie between 1e-9 and 0.5, got {alpha:g}.")
    if power is not None and power <= alpha:
        raise DesignError(f"power must be greater than alpha, got {power:g} and {alpha:g}.")
    rho = allocation_ratio / (1 + allocation_ratio)
    critical = optimize.brentq(
        lambda z: _any_above(np.full(m, z), rho) - alpha, -1.0, 8.0, xtol=1e-12
    )
    unit = effects / (sd * np.sqrt(1 + 1 / allocation_ratio))

    def any_power(log_n: float) -> float:
        return _any_above(critical - unit * np.exp(log_n / 2), rho)

    if power is not None:
        wanted = power
        smallest = float(compute_fewest_control(allocation_ratio))
        fewest, most = np.log(smallest), np.log(MOST_PEOPLE)
        if any_power(most) < wanted:
            raise DesignError(
                "The control arm would need more people than there are: the effects are too small "
                "beside their sd."
            )
        # where two people an arm are more than enough, the power is above what was asked for
        n_control = smallest
        if any_power(fewest) < wanted:
            found = optimize.brentq(lambda x: any_power(x) - wanted, fewest, most, xtol=1e-10)
            n_control = float(np.exp(found))
    n = float(n_control or 0.0)
    each = special.ndtr(unit * np.sqrt(n) - critical)
    row = {"critical_z": critical, "n_control": n, "n_total": n * (1 + m * allocation_ratio)}
    row["power_any"] = any_power(float(np.log(n)))
    row |= {f"power_{i + 1}": float(each[i]) for i in range(m)}
    return pd.DataFrame([row])


def _any_above(bounds: FloatArray, correlation: float) -> float:
    """Return P(some z is above its bound), all z sharing one factor."""
    shared = np.sqrt(correlation) * _NODES
    inside = special.ndtr((bounds[:, None] + shared) / np.sqrt(1 - correlation)).prod(axis=0)
    return float(1 - inside @ _WEIGHTS / _WEIGHTS.sum())
