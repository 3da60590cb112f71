"""Rules that say how much of the type I or type II error may be used up by each look."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from scipy import special

from trialsim.analytic.point import FloatArray
from trialsim.errors import DesignError

BoundaryName = Literal[
    "obrien_fleming",
    "pocock",
    "wang_tsiatis",
    "lan_demets_obrien_fleming",
    "lan_demets_pocock",
    "hwang_shih_decani",
    "kim_demets",
    "haybittle_peto",
]
Bounds = Mapping[str, Sequence[float]]
"""`{"z": bounds}` or `{"spent": cumulative errors}`, one a look; NaN where nobody may stop."""

NAMES: Final = get_args(BoundaryName)
_HAYBITTLE_PETO_Z: Final = 3.0


@dataclass(frozen=True)
class SpendingFunction:
    """A family of spending functions.

    Attributes
    ----------
    compute
        (share of information, total error, parameter) -> error spent.
    parameter
        The name of its parameter in the literature; None where it has none.
    allowed
        Whether a parameter may be used, and the same in words.
    """

    compute: Callable[[FloatArray, float, float], FloatArray]
    parameter: str | None = None
    allowed: tuple[Callable[[float], bool], str] = (np.isfinite, "a finite number")


def _spend_obrien_fleming(t: FloatArray, total: float, _: float) -> FloatArray:
    return np.asarray(2 * special.ndtr(special.ndtri(total / 2) / np.sqrt(t)))


def _spend_pocock(t: FloatArray, total: float, _: float) -> FloatArray:
    return np.asarray(total * np.log1p((np.e - 1) * t))


def _spend_exponentially(t: FloatArray, total: float, gamma: float) -> FloatArray:
    return np.asarray(total * (t if gamma == 0 else np.expm1(-gamma * t) / np.expm1(-gamma)))


def _spend_power(t: FloatArray, total: float, rho: float) -> FloatArray:
    return np.asarray(total * t**rho)


SPENDING_FUNCTIONS: Final = {
    "lan_demets_obrien_fleming": SpendingFunction(_spend_obrien_fleming),
    "lan_demets_pocock": SpendingFunction(_spend_pocock),
    "hwang_shih_decani": SpendingFunction(
        _spend_exponentially,
        "gamma",
        (lambda gamma: abs(gamma) <= 40, "between -40 and 40"),
    ),
    "kim_demets": SpendingFunction(
        _spend_power, "rho", (lambda rho: 0 < rho <= 50, "greater than 0 and at most 50")
    ),
}
"""Lan & DeMets 1983 (Biometrika 70:659), Hwang, Shih & DeCani 1990 (Stat Med 9:1439), Kim & DeMets
1987 (Biometrika 74:149)."""


@dataclass(frozen=True)
class Rule:
    """What is known of one boundary before it is computed.

    Attributes
    ----------
    z
        (n_looks,), bounds that are given; NaN where a bound follows from `spent`.
    spent
        (n_looks,), cumulative error of one side by each look; NaN where `z` is given.
    shape
        (n_looks,), what the bounds are proportional to (Wang & Tsiatis 1987, Biometrics 43:193);
        None where they do not share a constant.
    function
        (share of information, total error) -> error spent; None where the rule is no function.
    """

    z: FloatArray
    spent: FloatArray
    shape: FloatArray | None = None
    function: Callable[[FloatArray, float], FloatArray] | None = None

    @classmethod
    def from_spent(cls, spent: FloatArray) -> "Rule":
        """Return the rule that spends by each look what is given."""
        return cls(np.full(len(spent), np.nan), spent)

    @classmethod
    def from_z(cls, z: FloatArray) -> "Rule":
        """Return the rule of given bounds."""
        return cls(z, np.full(len(z), np.nan))


def read_efficacy(
    boundary: BoundaryName | Bounds,
    parameter: float | None,
    rates: FloatArray,
    times: FloatArray | None,
    level: float,
    sides: int,
) -> Rule:
    """Return the rule of the efficacy boundary.

    Parameters
    ----------
    boundary, parameter
        As in `group_sequential`.
    rates
        Information at the looks.
    times
        Where spending functions are read, if elsewhere.
    level
        Type I error of one side.
    sides
        1 or 2; an explicit `spent` counts both.
    """
    name = _check_choice("efficacy", boundary, parameter, times)
    if not isinstance(boundary, str):
        return _read_bounds("efficacy", boundary, len(rates), level, sides)
    if name in SPENDING_FUNCTIONS:
        return _read_function("efficacy", name, parameter, rates if times is None else times, level)
    if name == "haybittle_peto":
        early = _HAYBITTLE_PETO_Z if parameter is None else parameter
        if early <= 0:
            raise DesignError(
                f"efficacy_parameter of haybittle_peto must be greater than 0, got {early:g}."
            )
        spent = np.full(len(rates), np.nan)
        spent[-1] = level
        return Rule(np.where(np.isnan(spent), early, np.nan), spent)
    delta = {"obrien_fleming": 0.0, "pocock": 0.5}.get(name, parameter)
    if delta is None or not -5 <= delta <= 5:
        raise DesignError(
            "efficacy_parameter of wang_tsiatis must be Delta, usually between 0 (O'Brien-Fleming) "
            f"and 0.5 (Pocock), got {delta}."
        )
    missing = np.full(len(rates), np.nan)
    return Rule(missing, missing, rates ** (delta - 0.5))


def read_futility(
    boundary: BoundaryName | Bounds,
    parameter: float | None,
    rates: FloatArray,
    times: FloatArray | None,
    level: float,
) -> Rule:
    """Return the rule of the futility boundary; arguments as in `read_efficacy`."""
    name = _check_choice("futility", boundary, parameter, None)
    if not isinstance(boundary, str):
        return _read_bounds("futility", boundary, len(rates), level, 1)
    if name not in SPENDING_FUNCTIONS:
        raise DesignError(
            f"futility must be a spending function ({', '.join(SPENDING_FUNCTIONS)}) or explicit "
            f'bounds such as {{"z": [0.0]}}, got "{name}".'
        )
    return _read_function("futility", name, parameter, rates if times is None else times, level)


def _check_choice(
    which: str,
    boundary: BoundaryName | Bounds,
    parameter: float | None,
    times: FloatArray | None,
) -> str:
    name = boundary if isinstance(boundary, str) else "explicit bounds"
    if isinstance(boundary, str) and name not in NAMES:
        raise DesignError(
            f"{which} must be one of {', '.join(NAMES)}, or explicit bounds, got {name!r}."
        )
    takes = {"wang_tsiatis", "haybittle_peto"} | {
        known for known, family in SPENDING_FUNCTIONS.items() if family.parameter
    }
    if parameter is not None and name not in takes:
        raise DesignError(f"{which}_parameter means nothing for {name}: leave it out.")
    if times is not None and name not in SPENDING_FUNCTIONS:
        raise DesignError(f"spending_times need a spending function for efficacy, got {name}.")
    return name


def _read_function(
    which: str, name: str, parameter: float | None, times: FloatArray, level: float
) -> Rule:
    family = SPENDING_FUNCTIONS[name]
    if family.parameter and (parameter is None or not family.allowed[0](parameter)):
        raise DesignError(
            f"{which}_parameter of {name} must be {family.parameter}, {family.allowed[1]}, "
            f"got {parameter}."
        )
    value = parameter or 0.0

    def spend(share: FloatArray, total: float) -> FloatArray:
        return family.compute(share, total, value)

    return Rule(np.full(len(times), np.nan), spend(times, level), function=spend)


def _read_bounds(which: str, bounds: Bounds, n_looks: int, level: float, sides: int) -> Rule:
    if set(bounds) not in ({"z"}, {"spent"}):
        raise DesignError(
            f'{which} must hold "z" or "spent" where bounds are explicit, got {sorted(bounds)}.'
        )
    ((kind, given),) = bounds.items()
    values = np.array([np.nan if value is None else value for value in given], dtype=float)
    if which == "futility" and len(values) == n_looks - 1:
        # the last futility bound is the efficacy bound, so it may be left out
        values = np.append(values, np.nan)
    if values.shape != (n_looks,):
        raise DesignError(f"{which} must hold {n_looks} numbers, one a look, got {len(values)}.")
    if which == "efficacy" and not np.isfinite(values[-1]):
        raise DesignError(
            "efficacy must hold a bound at the last look: nobody could win otherwise."
        )
    if kind == "z":
        nowhere = np.inf if which == "efficacy" else -np.inf
        return Rule.from_z(np.where(np.isnan(values), nowhere, values))
    return _read_spent(which, values, level, sides)


def _read_spent(which: str, values: FloatArray, level: float, sides: int) -> Rule:
    total, error = level * sides, "alpha" if which == "efficacy" else "1 - power"
    if which == "futility":
        # the last look takes all that is left, but not more than that was asked for
        values = np.append(values[:-1], np.nan_to_num(values[:-1]).max(initial=total))
    known = values[~np.isnan(values)]
    if np.any(known < 0) or np.any(np.diff(known) < 0):
        raise DesignError(f"{which} must spend errors that do not fall, got {known.tolist()}.")
    if known[-1] > total * (1 + 1e-9):
        raise DesignError(
            f"{which} must not spend more than {error} ({total:g}), got {known[-1]:g} by the last "
            "look."
        )
    # where nobody may stop, nothing more is spent than before
    filled = np.maximum.accumulate(np.where(np.isnan(values), 0.0, values))
    return Rule.from_spent(filled / sides)
