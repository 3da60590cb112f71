"""Bounds that spend the errors they are allowed, with the drift that has the power asked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from trialsim.analytic.point import FloatArray
from trialsim.analytic.sequential.spending import Rule
from trialsim.analytic.sequential.walk import NO_EFFECT, Drift, Walk, compute_crossings
from trialsim.errors import DesignError

CLOSEST = 1e-4
"""Looks nearer to each other than this share of the information are one look."""

_NO_SPENDING = 1e-15
"""An error below this is no reason to stop: the bound is infinite."""


@dataclass(frozen=True)
class Looks:
    """What is fixed before the bounds are: everything that does not depend on the drift.

    Attributes
    ----------
    rates
        Share of the maximum information at each look, (n_looks,).
    efficacy
        Rule of the upper bounds.
    futility
        Rule of the lower bounds, None where nobody stops for futility.
    binding
        Whether the type I error counts on stopping for futility.
    sides
        1, or 2 for bounds that mirror each other.
    spending_times
        Where spending functions are read, (n_looks,).
    """

    rates: FloatArray
    efficacy: Rule
    futility: Rule | None
    binding: bool
    sides: int
    spending_times: FloatArray

    @property
    def is_joint(self) -> bool:
        """Whether the upper bounds depend on lower bounds that depend on the drift."""
        return self.binding and self.futility is not None and bool(np.isnan(self.futility.z).any())


@dataclass(frozen=True)
class Solution:
    """Bounds on z, (n_looks,), with the drift under the design effect."""

    upper: FloatArray
    lower: FloatArray
    drift: float


class Bounds(NamedTuple):
    """Bounds on z, (n_looks,), with the probability to cross an upper one at the drift given."""

    upper: FloatArray
    lower: FloatArray
    power: float


def solve(looks: Looks, level: float, power: float) -> Solution:
    """Return the bounds of a design and its drift.

    Parameters
    ----------
    looks
        When the trial is looked at.
    level
        Type I error of one side, which a boundary of given shape uses up.
    power
        Probability to cross an upper bound at the drift.
    """
    if looks.is_joint:
        return _solve_jointly(looks, level, power)
    efficacy, known = looks.efficacy, get_known_lower(looks)
    if efficacy.shape is not None:
        efficacy = Rule.from_z(scale_shape(efficacy.shape, looks, known, level))
    upper = find_bounds(looks, efficacy, None if looks.futility is None else known, NO_EFFECT).upper
    return _search_drift(lambda drift: find_lower_bounds(looks, upper, drift), power)


def get_known_lower(looks: Looks) -> FloatArray:
    """Return the lower bounds given as numbers that the type I error counts on, (n_looks,)."""
    if looks.futility is None:
        return np.full(len(looks.rates), -np.inf)
    known = np.where(np.isnan(looks.futility.z), -np.inf, looks.futility.z)
    # the type I error does not count on bounds that nobody is bound to
    return known if looks.binding else np.full(len(known), -np.inf)


def _solve_jointly(looks: Looks, level: float, power: float) -> Solution:
    efficacy, shape = looks.efficacy, looks.efficacy.shape
    if shape is None:
        return _search_drift(lambda drift: find_bounds(looks, efficacy, None, Drift(drift)), power)
    drift = float(special.ndtri(power) - special.ndtri(level))

    def solve_with(constant: float) -> Solution:
        nonlocal drift
        upper = constant * shape
        # the drift hardly moves from one constant to the next
        found = _search_drift(lambda tried: find_lower_bounds(looks, upper, tried), power, drift)
        drift = found.drift
        return found

    def compute_error(constant: float) -> float:
        tried = solve_with(constant)
        return _compute_error(looks.rates, tried.lower, tried.upper)

    # Binding futility bounds save some alpha, so the constant is below that without them.
    free = replace(looks, futility=None)
    high = scale_shape(shape, free, np.full(len(shape), -np.inf), level)[-1] / shape[-1]
    constant = _find_root(compute_error, level, 0.7 * high, high * (1 + 1e-9))
    return solve_with(constant)


def _search_drift(follow: Callable[[float], Bounds], power: float, near: float = 3.0) -> Solution:
    @cache
    def compute_power(drift: float) -> float:
        return follow(drift).power

    width = 0.25
    low, high = max(near - width, 0.0), near + width
    while compute_power(high) < power:
        low, high, width = high, high + 4 * width, 4 * width
    while low > 0 and compute_power(low) > power:
        low, high, width = max(low - 4 * width, 0.0), low, 4 * width
    if compute_power(low) > power:
        raise DesignError(
            f"The efficacy bounds are crossed more often than the power asked for ({power:g}) "
            "without any effect: they spend more than alpha."
        )
    drift = _find_root(compute_power, power, low, high)
    bounds = follow(drift)
    return Solution(bounds.upper, bounds.lower, drift)


def scale_shape(shape: FloatArray, looks: Looks, lower: FloatArray, level: float) -> FloatArray:
    """Return the bounds of a shape that use up the level of one side exactly.

    Parameters
    ----------
    shape
        Bounds up to a factor, (n_looks,).
    looks
        When the trial is looked at.
    lower
        Lower bounds that the type I error counts on; the mirrored ones are taken with two sides.
    level
        Type I error of the side, above 0 and below 0.5.

    Returns
    -------
    ndarray
        (n_looks,); 0 where stopping for binding futility keeps even that below the level.
    """

    def compute_error(constant: float) -> float:
        upper = constant * shape
        below = -upper if looks.sides == 2 else np.minimum(lower, upper)
        return _compute_error(looks.rates, below, upper)

    # Above these bounds even looks that shared nothing would spend less than the level. The last
    # bound is above that of one look, unless binding futility bounds save alpha.
    high = -special.ndtri(level / len(shape)) / shape.min()
    low = -0.5 * special.ndtri(level) / shape[-1]
    if compute_error(low) < level:
        low = 0.0
    if compute_error(low) < level:
        return np.zeros(len(shape))
    return np.asarray(_find_root(compute_error, level, low, high) * shape)


def _find_root(compute: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Return where a probability is `target`; as a normal quantile it is almost a straight line."""
    wanted = special.ndtri(target)

    def excess(x: float) -> float:
        return float(np.clip(special.ndtri(min(compute(x), 1.0)), -37, 37) - wanted)

    return float(optimize.brentq(excess, low, high, xtol=1e-10))


def _compute_error(rates: FloatArray, lower: FloatArray, upper: FloatArray) -> float:
    return float(compute_crossings(rates, lower, upper).above.sum())


def find_bounds(looks: Looks, efficacy: Rule, lower: FloatArray | None, drift: Drift) -> Bounds:
    """Return upper and lower bounds that spend what their rules say, look after look.

    Parameters
    ----------
    looks
        When the trial is looked at.
    efficacy
        Rule of the upper bounds, without a constant left to be found.
    lower
        Lower bounds that the type I error counts on; None: found as the futility rule says.
    drift
        At which the type II error is spent.
    """
    n = len(looks.rates)
    upper, found = np.empty(n), np.full(n, -np.inf) if lower is None else lower.copy()
    null = Walk(NO_EFFECT)
    alternative = Walk(drift) if lower is None and looks.futility is not None else None
    spent = missed = power = 0.0
    for k, t in enumerate(looks.rates):
        root = np.sqrt(t)
        null.go_to(t)
        upper[k] = _find_upper(efficacy, k, null, spent, root)
        spent += float(null.compute_above(upper[k] * root))
        if alternative is not None:
            alternative.go_to(t)
            found[k] = _find_lower(looks, k, alternative, missed, root, upper[k])
            missed += float(alternative.compute_below(found[k] * root))
            power += float(alternative.compute_above(upper[k] * root))
        elif looks.sides == 2:
            found[k] = -upper[k]
        found[k] = min(found[k], upper[k])
        if k + 1 < n:
            for walk in filter(None, (null, alternative)):
                walk.go_on(found[k] * root, upper[k] * root, looks.rates[k + 1])
    return Bounds(upper, found, power)


def find_lower_bounds(looks: Looks, upper: FloatArray, drift: float) -> Bounds:
    """Return the lower bounds under given upper ones, at the drift where they spend their error."""
    lower = -upper if looks.sides == 2 else np.full(len(upper), -np.inf)
    walk, missed, power = Walk(Drift(drift)), 0.0, 0.0
    for k, t in enumerate(looks.rates):
        root = np.sqrt(t)
        walk.go_to(t)
        if looks.sides == 1:
            lower[k] = _find_lower(looks, k, walk, missed, root, upper[k])
        power += float(walk.compute_above(upper[k] * root))
        if k + 1 < len(upper):
            if looks.futility is not None:
                missed += float(walk.compute_below(lower[k] * root))
            walk.go_on(lower[k] * root, upper[k] * root, looks.rates[k + 1])
    return Bounds(upper, lower, power)


def _find_upper(efficacy: Rule, k: int, walk: Walk, spent: float, root: float) -> float:
    if not np.isnan(efficacy.z[k]):
        return float(efficacy.z[k])
    left = efficacy.spent[k] - spent
    if left < _NO_SPENDING:
        return np.inf
    return walk.find_upper(left) / root


def _find_lower(
    looks: Looks, k: int, walk: Walk, missed: float, root: float, upper: float
) -> float:
    rule = looks.futility
    if k + 1 == len(looks.rates):
        return upper
    if rule is None:
        return -np.inf
    if not np.isnan(rule.z[k]):
        return min(upper, float(rule.z[k]))
    left = rule.spent[k] - missed
    if left < _NO_SPENDING:
        return -np.inf
    return min(upper, walk.find_lower(left) / root)
