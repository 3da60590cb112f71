"""Trials with several endpoints, in closed form."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, special, stats

from cohorts.entrances import entrance
from trialsim.analytic.arguments import (
    ANY,
    CORRELATION,
    OPEN_SHARE,
    PEOPLE,
    POSITIVE,
    find_problems,
    find_sides_problems,
    raise_problems,
)
from trialsim.analytic.correlation import find_correlation_problems
from trialsim.analytic.point import FloatArray
from trialsim.analytic.two_arm_test import compute_fewest_control
from trialsim.errors import DesignError

Procedure = Literal["co_primary", "hierarchical", "holm"]


@entrance
def several_endpoints(
    deltas: Sequence[float],
    sds: Sequence[float],
    correlation: npt.ArrayLike,
    *,
    procedure: Procedure = "co_primary",
    n_control: float | None = None,
    power: float | None = None,
    alpha: float = 0.05,
    sides: int = 2,
    allocation_ratio: float = 1.0,
) -> pd.DataFrame:
    """Return the power of several endpoints, such as hippocampal volume and a clinical scale.

    "co_primary": all must be significant, each at the whole alpha (Sozu, Sugimoto & Hamasaki 2011,
    J Biopharm Stat 21:650). "hierarchical": tested in the order given, each at the whole alpha,
    until one fails (fixed sequence; Westfall & Krishen 2001, J Stat Plan Inference 99:25). "holm":
    each may win, by the procedure of Holm 1979 (Scand J Stat 6:65). z tests of normal outcomes;
    multivariate normal probabilities.

    Parameters
    ----------
    deltas, sds
        Of each endpoint; positive deltas are benefit.
    correlation
        Of the endpoints within a person, (n_endpoints, n_endpoints) or one number.
    procedure
        As above.
    n_control, power
        One of them; the power is that of rejecting all ("holm": any).
    alpha, sides, allocation_ratio
        As in `trialsim.analytic.means`; rejections count in the direction of benefit.

    Returns
    -------
    DataFrame
        One row: n_control, n_total, power_all, power_any, and power_1, power_2, ... of each.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> found = several_endpoints([0.35, 0.3], [1, 1], 0.4, power=0.8)
    >>> round(float(found['n_control'].iloc[0]), 1)
    194.3
    """
    effects, spreads = np.asarray(deltas, dtype=float), np.asarray(sds, dtype=float)
    m = effects.size
    matrix = np.asarray(correlation, dtype=float)
    if matrix.ndim == 0:
        raise_problems(find_problems(correlation=(matrix, CORRELATION)))
        matrix = np.full((m, m), float(matrix)) + np.eye(m) * (1 - float(matrix))
    problems = find_problems(
        deltas=(effects, ANY),
        sds=(spreads, POSITIVE),
        n_control=(n_control, PEOPLE),
        power=(power, OPEN_SHARE),
        alpha=(alpha, OPEN_SHARE),
        allocation_ratio=(allocation_ratio, POSITIVE),
    )
    problems += find_sides_problems(sides) + find_correlation_problems(matrix, m)
    if m < 2 or m > 4 or spreads.size != m:
        problems.append(f"There must be 2 to 4 endpoints, each with an sd, got {m}.")
    if procedure not in ("co_primary", "hierarchical", "holm"):
        problems.append(
            f'procedure must be "co_primary", "hierarchical" or "holm", got "{procedure}".'
        )
    if (n_control is None) == (power is None):
        problems.append("Exactly one of n_control and power must be given.")
    if power is not None and n_control is None and not np.all(effects > 0):
        problems.append("deltas must be above 0: no number of people shows a benefit otherwise.")
    elif np.any(effects < 0):
        problems.append(
            "deltas must be 0 or more, each counted so that more is benefit, and so must be the "
            "correlation."
        )
    raise_problems(problems)
    unit = effects / (spreads * np.sqrt(1 + 1 / allocation_ratio))
    level = alpha / sides

    def compute(n: float) -> FloatArray:
        return _compute_powers(unit * np.sqrt(n), matrix, level, procedure)

    if n_control is None and power is not None:
        aim, wanted = -1 if procedure == "holm" else -2, power

        def excess(log_n: float) -> float:
            return float(compute(np.exp(log_n))[aim]) - wanted

        scale = -special.ndtri(level / m) + max(special.ndtri(wanted), 0.0)
        low = np.log((scale / unit.max()) ** 2 * 1e-12)
        high = np.log((scale / unit.min()) ** 2 * 20)
        if excess(low) > 0:
            raise DesignError(
                f"power must exceed what chance alone gives ({compute(np.exp(low))[aim]:.3g}), got "
                f"{wanted:g}."
            )
        found = float(np.exp(optimize.brentq(excess, low, high, xtol=1e-8)))
        # where two people an arm are more than enough, the power is above what was asked for
        n_control = max(found, float(compute_fewest_control(allocation_ratio)))
    n = float(n_control or 0.0)
    each = compute(n)
    row = {"n_control": n, "n_total": n * (1 + allocation_ratio)}
    row |= {"power_all": float(each[-2]), "power_any": float(each[-1])}
    row |= {f"power_{i + 1}": float(each[i]) for i in range(m)}
    return pd.DataFrame([row])


def _compute_powers(
    drift: FloatArray, correlation: FloatArray, level: float, procedure: Procedure
) -> FloatArray:
    """Return the power of each endpoint, then of all, of any."""
    m = len(drift)
    bound = -special.ndtri(level)
    if procedure != "holm":
        joint = [_exceed(drift[: i + 1], correlation[: i + 1, : i + 1], bound) for i in range(m)]
        single = special.ndtr(drift - bound)
        own = np.array(joint) if procedure == "hierarchical" else single
        any_one = own[0] if procedure == "hierarchical" else joint[-1]
        return np.array([*own, joint[-1], any_one])
    if m != 2:
        raise DesignError("holm is for two endpoints here.")
    strict = -special.ndtri(level / 2)
    both_strict = _exceed(drift, correlation, strict)
    first, second = special.ndtr(drift - strict)
    # the other one is then tested at the whole level
    helped = [
        _exceed_each(drift, correlation, np.array(bounds))
        for bounds in ((bound, strict), (strict, bound))
    ]
    both = helped[0] + helped[1] - both_strict
    return np.array(
        [
            first + helped[0] - both_strict,
            second + helped[1] - both_strict,
            both,
            first + second - both_strict,
        ]
    )


def _exceed(drift: FloatArray, correlation: FloatArray, bound: float) -> float:
    return _exceed_each(drift, correlation, np.full(len(drift), bound))


def _exceed_each(drift: FloatArray, correlation: FloatArray, bounds: FloatArray) -> float:
    """Return P(every z is above its bound)."""
    if len(drift) == 1:
        return float(special.ndtr(drift[0] - bounds[0]))
    law = stats.multivariate_normal(mean=np.zeros(len(drift)), cov=correlation, seed=1)
    return float(law.cdf(drift - bounds))
