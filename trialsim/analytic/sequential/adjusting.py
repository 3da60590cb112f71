"""Designs whose looks came at other information than planned."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trialsim.analytic.arguments import raise_problems
from trialsim.analytic.point import FloatArray
from trialsim.analytic.sequential.bounds import (
    CLOSEST,
    Bounds,
    Looks,
    find_bounds,
    find_lower_bounds,
    get_known_lower,
)
from trialsim.analytic.sequential.spending import Rule
from trialsim.analytic.sequential.walk import NO_EFFECT, Drift


def place_looks(
    planned: FloatArray, observed: Sequence[float] | FloatArray, *, is_final: bool
) -> tuple[FloatArray, FloatArray]:
    """Return information and spending times of the looks held and still to come.

    Parameters
    ----------
    planned
        Shares of the maximum information, ending at 1.
    observed
        At the looks held, as shares of the same maximum.
    is_final
        Whether the last one held was the last.

    Raises
    ------
    DesignError
        Nothing observed, information that does not increase, more looks than planned.
    """
    held = np.asarray(observed, dtype=float)
    problems = []
    if held.ndim != 1 or not held.size or not np.all(np.isfinite(held)):
        problems.append("observed_information must list the looks held so far, such as [0.55].")
    elif held[0] <= 0 or np.any(np.diff(held) <= 0):
        problems.append(
            f"observed_information must be greater than 0 and increase, got {held.tolist()}."
        )
    elif np.any(held[:-1] >= 1):
        problems.append(
            f"observed_information must stay below 1 before the last look, got {held.tolist()}."
        )
    elif held[0] < CLOSEST or np.any(np.diff(held) < CLOSEST):
        problems.append(
            f"observed_information must lie at least {CLOSEST:g} apart, got {held.tolist()}."
        )
    elif len(held) > len(planned):
        problems.append(
            f"observed_information holds {len(held)} looks, {len(planned)} were planned."
        )
    raise_problems(problems)
    # a look takes the place of the planned one of its number: held early, it is no look more
    to_come = planned[len(held) :]
    to_come = to_come[to_come > held[-1] + CLOSEST]
    if is_final or not to_come.size or len(held) == len(planned):
        return held, np.append(held[:-1], 1.0)
    looks = np.concatenate([held, to_come])
    return looks, looks


def respend(
    looks: Looks,
    *,
    alpha_spent: FloatArray,
    beta_spent: FloatArray,
    drift: float,
    observed: Sequence[float] | FloatArray,
    is_final: bool,
) -> tuple[Looks, Bounds, float]:
    """Return the rules, bounds and drift of a design at the information that its looks really had.

    Parameters
    ----------
    looks
        The plan.
    alpha_spent, beta_spent
        Cumulative errors of one side at the planned looks, (n_looks,).
    drift
        Of the plan.
    observed, is_final
        As in `place_looks`.
    """
    information, times = place_looks(looks.rates, observed, is_final=is_final)
    efficacy = _respend(looks.efficacy, looks, alpha_spent, times)
    futility = looks.futility
    if futility is not None and np.isnan(futility.z[:-1]).all():
        futility = _respend(futility, looks, beta_spent, times)
    elif futility is not None:
        futility = _move(futility.z[:-1], looks.rates[:-1], information)
    maximum = float(information[-1])
    held = Looks(information / maximum, efficacy, futility, looks.binding, looks.sides, times)
    reached = drift * np.sqrt(maximum)
    if held.is_joint:
        bounds = find_bounds(held, efficacy, None, Drift(reached))
    else:
        known = get_known_lower(held)
        upper = find_bounds(replace(held, futility=None), efficacy, known, NO_EFFECT).upper
        bounds = find_lower_bounds(held, upper, reached)
    return held, bounds, reached


def _move(z: FloatArray, planned: FloatArray, information: FloatArray) -> Rule:
    """Return futility bounds that were given as numbers, at other information.

    They spend no error: a look slightly off its time must not stop at a much higher z.
    """
    finite = np.isfinite(z)
    if not finite.any():
        return Rule.from_z(np.full(len(information), -np.inf))
    moved = np.interp(information, planned[finite], z[finite])
    nearest = np.abs(information[:, None] - planned).argmin(axis=1)
    # near a look at which nobody may stop nobody does
    return Rule.from_z(np.where(finite[nearest], moved, -np.inf))


def _respend(rule: Rule, looks: Looks, spent: FloatArray, times: FloatArray) -> Rule:
    if rule.function is not None and np.array_equal(looks.spending_times, looks.rates):
        return replace(rule, z=np.full(len(times), np.nan), spent=rule.function(times, spent[-1]))
    known = np.append(0.0, looks.rates), np.append(0.0, spent)
    return Rule.from_spent(np.interp(times, *known))
