"""Group-sequential designs: when a trial may stop early, and what that costs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cohorts.entrances import entrance
from trialsim.analytic.arguments import OPEN_SHARE, find_problems, raise_problems
from trialsim.analytic.point import FloatArray
from trialsim.analytic.sequential.bounds import CLOSEST, Looks, Solution, solve
from trialsim.analytic.sequential.design import GroupSequentialDesign
from trialsim.analytic.sequential.futility import FutilityRule, is_rule, read_rule
from trialsim.analytic.sequential.spending import (
    BoundaryName,
    Bounds,
    read_efficacy,
    read_futility,
)
from trialsim.analytic.sequential.walk import compute_crossings
from trialsim.errors import DesignError

_ROUNDING = 1e-9

_MOST_LOOKS = 100
"""Bounds of so many looks take a second, the time grows with the square of their number."""

_TURNS = 60

_SETTLED = 1e-7

_PRINTED = 1 + 2e-4
"""Bounds printed with four decimals spend their alpha to about this factor."""


@entrance
def group_sequential(
    information_rates: Sequence[float] | FloatArray,
    *,
    alpha: float = 0.025,
    sides: int = 1,
    power: float = 0.8,
    efficacy: BoundaryName | Bounds = "lan_demets_obrien_fleming",
    efficacy_parameter: float | None = None,
    futility: BoundaryName | Bounds | Mapping[str, Any] | None = None,
    futility_parameter: float | None = None,
    binding: bool = False,
    spending_times: Sequence[float] | FloatArray | None = None,
) -> GroupSequentialDesign:
    """Design a trial with interim looks.

    Z(k) is normal with mean drift sqrt(t_k) and Cov(Z_j, Z_k) = sqrt(t_j / t_k) at j < k
    (Jennison & Turnbull 2000, *Group Sequential Methods*); the bounds are found by integrating the
    score from look to look.

    Parameters
    ----------
    information_rates
        Share of the maximum information at each look, increasing to 1; (n_looks,).
    alpha
        Total type I error; with `sides=2` half of it is spent on each side.
    sides
        1, or 2 for bounds that mirror each other.
    power
        Probability to cross an efficacy bound in the effect's direction.
    efficacy
        "obrien_fleming", "pocock", "wang_tsiatis": bounds c t^(Delta - 1/2) with Delta 0, 1/2,
        `efficacy_parameter`. "lan_demets_obrien_fleming", "lan_demets_pocock", "hwang_shih_decani"
        (gamma), "kim_demets" (rho, alpha t^rho): spending functions. "haybittle_peto": the
        parameter (3) before the last look, which takes what is left of alpha. Or explicit bounds:
        `{"z": [...]}`, or `{"spent": [...]}`, cumulative, ending at `alpha` at most; NaN where
        nobody may stop.
    efficacy_parameter
        Of the families named with one.
    futility
        A spending function of 1 - power, or explicit bounds; None for none. The last futility bound
        is the efficacy bound and may be left out. Or a chance below which to stop, one or one a
        look: `{"conditional_power": 0.2, "effect": 1}` (or "observed"), `{"predictive_power": 0.1,
        "prior": (mean, sd)}`, `{"posterior": 0.1, "minimum": 0.5}`: the probability that the effect
        exceeds the minimum; all in multiples of the design effect. Not with `sides=2`.
    futility_parameter
        Of its family.
    binding
        Whether the type I error counts on stopping for futility. Where it does not, going on at
        z below a futility bound does no harm to alpha.
    spending_times
        Where spending functions are read, if not at the information; increasing to 1.

    Returns
    -------
    GroupSequentialDesign
        Bounds, errors, drift and everything that follows from them.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> design = group_sequential([0.5, 0.75, 1], power=0.9)
    >>> design.efficacy_z.round(3).tolist()
    [2.963, 2.359, 2.014]
    >>> round(design.inflation_factor, 4)
    1.0183
    """
    rates = _read_times(information_rates, "information_rates")
    times = None if spending_times is None else _read_times(spending_times, "spending_times")
    raise_problems(_find_problems(rates, times, alpha, sides, power, futility, binding))
    if is_rule(futility):
        return follow_rule(
            read_rule(futility, rates.size),
            rates,
            alpha=alpha,
            power=power,
            efficacy=efficacy,
            efficacy_parameter=efficacy_parameter,
            binding=binding,
            spending_times=spending_times,
        )
    level = alpha / sides
    looks = Looks(
        rates,
        read_efficacy(efficacy, efficacy_parameter, rates, times, level, sides),
        None
        if futility is None
        else read_futility(futility, futility_parameter, rates, times, 1 - power),
        binding,
        sides,
        rates if times is None else times,
    )
    solution = solve(looks, level, power)
    _refuse_crossed_bounds(looks, solution.upper)
    _refuse_overspending(looks, solution, level)
    return GroupSequentialDesign(
        information_rates=rates,
        alpha=alpha,
        sides=sides,
        power=power,
        binding=binding,
        efficacy_z=solution.upper,
        futility_z=solution.lower,
        drift=solution.drift,
        looks=looks,
    )


def follow_rule(
    rule: FutilityRule,
    information_rates: FloatArray,
    *,
    drift: float | None = None,
    binding: bool = False,
    **rules: Any,
) -> GroupSequentialDesign:
    """Return the design whose futility bounds are where the rule's chance is at its threshold.

    The drift needed for the power follows from the bounds, and they from the drift: each moves the
    other little, so that taking turns settles them.

    Parameters
    ----------
    rule
        What stops for futility.
    information_rates
        Shares of the maximum, ending at 1.
    drift
        Mean of Z at the maximum under the design effect; None takes what the power needs.
    binding, rules
        As in `group_sequential`.

    Raises
    ------
    DesignError
        Bounds that do not settle.
    """
    design, before = group_sequential(information_rates, **rules), np.empty(0)
    for _ in range(_TURNS):
        known = design if drift is None else design.at_drift(drift)
        z = rule.find_z(replace(known, futility_z=np.full(design.n_looks, -np.inf)))
        if before.size and np.allclose(z, before, rtol=0, atol=_SETTLED):
            return known
        given = {"z": z[:-1].tolist()}
        design = group_sequential(information_rates, futility=given, binding=binding, **rules)
        before = z
    raise DesignError(
        "The futility bounds do not settle: with a chance of stopping as high as this the power "
        "asked for is out of reach; lower the threshold of futility."
    )


def _read_times(values: Sequence[float] | FloatArray, name: str) -> FloatArray:
    times = np.asarray(values, dtype=float)
    problems = []
    if times.ndim != 1 or not times.size or not np.all(np.isfinite(times)):
        problems.append(f"{name} must list the looks, such as [0.5, 1], got {times.tolist()}.")
    elif times.size > _MOST_LOOKS:
        problems.append(f"{name} may hold {_MOST_LOOKS} looks at most, got {times.size}.")
    elif times[0] <= 0 or np.any(np.diff(times) <= 0) or abs(times[-1] - 1) > _ROUNDING:
        problems.append(
            f"{name} must be greater than 0, increase and end at 1, got {times.tolist()}."
        )
    elif times[0] < CLOSEST or np.any(np.diff(times) < CLOSEST):
        problems.append(f"{name} must lie at least {CLOSEST:g} apart, got {times.tolist()}.")
    raise_problems(problems)
    return np.append(times[:-1], 1.0)


def _find_problems(
    rates: FloatArray,
    times: FloatArray | None,
    alpha: float,
    sides: int,
    power: float,
    futility: BoundaryName | Bounds | None,
    binding: bool,
) -> list[str]:
    problems = find_problems(alpha=(alpha, OPEN_SHARE), power=(power, OPEN_SHARE))
    if sides not in (1, 2):
        problems.append(f"sides must be 1 or 2, got {sides}.")
    elif not problems and not alpha / sides < min(power, 0.5):
        problems.append(
            f"alpha of one side must be below 0.5 and below power, got {alpha / sides:g} with "
            f"power {power:g}."
        )
    if times is not None and times.shape != rates.shape:
        problems.append(
            f"spending_times must hold one number a look ({rates.size}), got {times.size}."
        )
    if futility is not None and sides == 2:
        problems.append(
            "futility bounds need sides=1: with two sides the bounds mirror each other."
        )
    if binding and futility is None:
        problems.append("binding says that the type I error counts on futility bounds: give some.")
    return problems


def _refuse_crossed_bounds(looks: Looks, upper: FloatArray) -> None:
    if looks.futility is None:
        return
    given = looks.futility.z
    raise_problems(
        [
            f"The futility bound must not lie above the efficacy bound, got {given[k]:g} above "
            f"{upper[k]:.4g} at look {k + 1}."
            for k in np.flatnonzero(given > upper + _ROUNDING)
        ]
    )


def _refuse_overspending(looks: Looks, solution: Solution, level: float) -> None:
    """Refuse bounds that spend more than alpha, or all of it before the last look."""
    upper, n = solution.upper, len(solution.upper)
    if np.isinf(upper[-1]):
        raise DesignError(
            f"The efficacy bounds before the last look leave nothing of alpha "
            f"({level * looks.sides:g}) to it: raise them, or spend less before."
        )
    mirrored = -upper if looks.sides == 2 else np.full(n, -np.inf)
    spent = compute_crossings(looks.rates, mirrored, upper).above.sum()
    allowed = level * _PRINTED
    if looks.futility is not None and spent > allowed:
        saved = compute_crossings(looks.rates, solution.lower, upper).above.sum()
        if looks.binding:
            spent = saved
        elif saved <= allowed:
            raise DesignError(
                f"The efficacy bounds spend {spent:.4g} of alpha {level:g} unless the futility "
                "bounds are binding: state binding=True, or raise them."
            )
    if spent > allowed:
        raise DesignError(
            f"The efficacy bounds must not spend more than alpha ({level * looks.sides:g}), they "
            f"spend {spent * looks.sides:.4g}."
        )
