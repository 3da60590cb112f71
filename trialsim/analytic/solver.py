"""Closed forms solved for whichever of sample size, power, effect is missing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import special
from scipy.optimize import elementwise

from trialsim.analytic.arguments import (
    ANY,
    OPEN_SHARE,
    PEOPLE,
    POSITIVE,
    Check,
    find_problems,
    raise_problems,
)
from trialsim.analytic.point import FloatArray, Quantity, simplify
from trialsim.analytic.two_arm_test import Distribution, TwoArmTest, compute_power
from trialsim.errors import DesignError

_UNREACHED: Final = "No value reaches the power asked for: check the effect and the power."


@dataclass(frozen=True)
class SizeQuestion:
    """The three numbers of which one is missing, with the rules of the test."""

    effect: Quantity | None
    n_control: Quantity | None
    power: Quantity | None
    alpha: Quantity
    sides: int
    allocation_ratio: Quantity
    distribution: Distribution
    effect_name: str = "delta"

    def check(self, *further_problems: str, **checks: Check) -> None:
        """Raise one `DesignError` naming every argument that cannot be right."""
        problems = [*self._find_wrong_question(), *further_problems]
        problems += find_problems(
            n_control=(self.n_control, PEOPLE),
            power=(self.power, OPEN_SHARE),
            alpha=(self.alpha, OPEN_SHARE),
            allocation_ratio=(self.allocation_ratio, POSITIVE),
            **({self.effect_name: (self.effect, ANY)} | checks),
        )
        raise_problems(problems)

    def _find_wrong_question(self) -> list[str]:
        problems = []
        given = [value is not None for value in (self.n_control, self.power, self.effect)]
        if sum(given) != 2:
            problems.append(
                f"Exactly two of n_control, power and {self.effect_name} must be given, the third "
                f"is solved for; got {sum(given)}."
            )
        if self.sides not in (1, 2):
            problems.append(f"sides must be 1 or 2, got {self.sides}.")
        if self.distribution not in ("t", "z"):
            problems.append(f'distribution must be "t" or "z", got "{self.distribution}".')
        if self.power is not None and np.any(np.asarray(self.power) <= self.alpha):
            problems.append(
                f"power must exceed alpha, got power {np.min(self.power):g} "
                f"with alpha {np.max(self.alpha):g}."
            )
        sizing = self.power is not None and self.n_control is None
        if sizing and self.effect is not None and np.any(np.equal(self.effect, 0)):
            problems.append(
                f"{self.effect_name} must differ from 0: no sample size detects an effect of 0."
            )
        return problems


def solve_question(
    question: SizeQuestion,
    *,
    unit_variance: npt.ArrayLike,
    control_variance: npt.ArrayLike = np.nan,
    n_covariates: npt.ArrayLike = 0.0,
) -> dict[str, Quantity]:
    """Return the attributes of the `DesignPoint` that answers `question`.

    Parameters
    ----------
    question
        Checked already.
    unit_variance, control_variance, n_covariates
        As in `TwoArmTest`.

    Raises
    ------
    DesignError
        Where "t" is asked for with too few people, or no solution exists.
    """
    comparison = TwoArmTest.build(
        unit_variance=unit_variance,
        control_variance=control_variance,
        n_covariates=n_covariates,
        alpha=question.alpha,
        sides=question.sides,
        allocation_ratio=question.allocation_ratio,
    )
    n, power, delta = np.broadcast_arrays(*_solve(question, comparison))
    treated = n * question.allocation_ratio
    values = {"n_control": n, "n_treatment": treated, "n_total": n + treated}
    values |= {"power": power, "delta": delta}
    return {name: simplify(value) for name, value in values.items()}


def _solve(
    question: SizeQuestion, comparison: TwoArmTest
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return `n_control`, `power` and the difference, the missing one computed."""
    kind = question.distribution
    n, power, delta = (
        np.asarray(value, dtype=float)
        for value in (question.n_control, question.power, question.effect)
    )
    if question.n_control is not None and kind == "t":
        _refuse_tiny_arms(n, comparison)
    if question.power is None:
        power = compute_power(n, delta, comparison, distribution=kind)
    elif question.n_control is None:
        n = _solve_n_control(power, delta, comparison, kind)
        # Where two people an arm are more than enough, the power attained is above the target.
        power = np.maximum(power, compute_power(n, delta, comparison, distribution=kind))
    else:
        delta = _solve_delta(power, n, comparison, kind)
    return n, power, delta


def _refuse_tiny_arms(n: FloatArray, comparison: TwoArmTest) -> None:
    smallest = comparison.smallest_n_control()
    if np.any(n < smallest):
        raise DesignError(
            f"n_control must be at least {np.max(smallest):g} with an outcome here (two people an "
            f"arm, and more people than covariates), got {np.min(n):g} with one."
        )


def _sum_of_quantiles(power: FloatArray, comparison: TwoArmTest) -> FloatArray:
    level = comparison.alpha / comparison.sides
    return np.asarray(special.ndtri(power) - special.ndtri(level))


def _solve_n_control(
    power: FloatArray, delta: FloatArray, comparison: TwoArmTest, kind: Distribution
) -> FloatArray:
    quantiles = _sum_of_quantiles(power, comparison)
    # an effect of next to nothing takes more people than there are numbers
    with np.errstate(over="ignore"):
        by_z = np.asarray(comparison.unit_variance * (quantiles / delta) ** 2)
    if not np.isfinite(by_z).all():
        raise DesignError(_UNREACHED)
    low = comparison.smallest_n_control()
    if kind == "z":
        return np.maximum(by_z, low)
    high = 4 * by_z + 20 * low + 10 * comparison.n_covariates
    return _find_root(_power_by_n_control, low, high, power, delta, comparison)


def _solve_delta(
    power: FloatArray, n: FloatArray, comparison: TwoArmTest, kind: Distribution
) -> FloatArray:
    se = np.sqrt(comparison.unit_variance / n)
    if kind == "z":
        return np.asarray(_sum_of_quantiles(power, comparison) * se)
    high = 100 * (1 + comparison.n_covariates) * se
    return _find_root(_power_by_delta, 0 * se, high, power, n, comparison)


def _power_by_n_control(n: FloatArray, delta: FloatArray, comparison: TwoArmTest) -> FloatArray:
    return compute_power(n, delta, comparison, distribution="t")


def _power_by_delta(delta: FloatArray, n: FloatArray, comparison: TwoArmTest) -> FloatArray:
    return compute_power(n, delta, comparison, distribution="t")


def _find_root(
    power_of: Callable[[FloatArray, FloatArray, TwoArmTest], FloatArray],
    low: FloatArray,
    high: FloatArray,
    target: FloatArray,
    other: FloatArray,
    comparison: TwoArmTest,
) -> FloatArray:
    """Return where `power_of` reaches `target`; `low` where it does so from the start."""
    arrays = np.broadcast_arrays(low, high, target, other, *comparison.list_arrays())
    low, high, *rest = arrays

    # The root finder drops finished elements, so whatever varies passes through its arguments.
    def excess(
        x: FloatArray, wanted: FloatArray, fixed: FloatArray, *own: FloatArray
    ) -> FloatArray:
        return power_of(x, fixed, TwoArmTest(*own)) - wanted

    enough = excess(low, *rest) >= 0
    found = elementwise.find_root(
        excess, (low, high), args=tuple(rest), tolerances={"xrtol": 1e-12}
    )
    if not np.all(found.success | enough):
        raise DesignError(_UNREACHED)
    return np.where(enough, low, found.x)
