"""Futility bounds that follow from a chance of success, or from what is believed of the effect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from scipy import optimize, special

from trialsim.analytic.arguments import raise_problems
from trialsim.analytic.point import FloatArray
from trialsim.analytic.priors import find_benefit_problems
from trialsim.analytic.sequential.design import Effect, GroupSequentialDesign
from trialsim.errors import DesignError

MEASURES = ("conditional_power", "predictive_power", "posterior")

_FARTHEST = 12.0


@dataclass(frozen=True)
class FutilityRule:
    """Stop where a probability is below a threshold.

    Attributes
    ----------
    measure
        "conditional_power" and "predictive_power": to cross an efficacy bound at any later look.
        "posterior": that the effect is above `minimum`.
    below
        Threshold at each look before the last, (n_looks - 1,); NaN where nobody stops.
    effect
        Of conditional power: a multiple of the design effect, or "observed".
    minimum
        Of the posterior, in multiples of the design effect.
    prior
        Mean and standard deviation of the effect before the trial, in multiples of the design
        effect; None for a flat one. Of predictive power and the posterior.
    """

    measure: str
    below: FloatArray
    effect: Effect = 1.0
    minimum: float = 0.0
    prior: tuple[float, float] | None = None

    def find_z(self, design: GroupSequentialDesign) -> FloatArray:
        """Return the z below which the probability is below its threshold, (n_looks,).

        Conditional and predictive power ignore futility at later looks. The last one is the
        efficacy bound.
        """
        found = [
            -np.inf if np.isnan(below) else self._find(design, look, float(below))
            for look, below in enumerate(self.below, start=1)
        ]
        return np.append(np.minimum(found, design.efficacy_z[:-1]), design.efficacy_z[-1])

    def _find(self, design: GroupSequentialDesign, look: int, below: float) -> float:
        if self.measure == "posterior":
            return self._find_posterior(design, look, below)

        def excess(z: float) -> float:
            if self.measure == "predictive_power":
                return float(design.predictive_power(look, z, self.prior)) - below
            return float(design.conditional_power(look, z, self.effect)) - below

        if excess(_FARTHEST) < 0 or excess(-_FARTHEST) > 0:
            return np.inf if excess(_FARTHEST) < 0 else -np.inf
        return float(optimize.brentq(excess, -_FARTHEST, _FARTHEST, xtol=1e-9))

    def _find_posterior(self, design: GroupSequentialDesign, look: int, below: float) -> float:
        # in multiples of the design effect the estimate has mean z / root and variance 1 / root^2
        root = design.drift * np.sqrt(design.information_rates[look - 1])
        mean, precision = (0.0, 0.0) if self.prior is None else (self.prior[0], self.prior[1] ** -2)
        total = root**2 + precision
        wanted = self.minimum + special.ndtri(below) / np.sqrt(total)
        return float((wanted * total - mean * precision) / root)


def is_rule(boundary: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a boundary is a chance below which to stop."""
    return isinstance(boundary, Mapping) and any(name in boundary for name in MEASURES)


def read_rule(values: Mapping[str, Any], n_looks: int) -> FutilityRule:
    """Return the rule of plain values, such as `{"posterior": 0.1, "minimum": 0.5}`.

    Parameters
    ----------
    values
        A measure with its threshold, one or one a look before the last; "effect" with conditional
        power; "minimum" with the posterior; "prior" (mean, sd) with the last two.
    n_looks
        The last one counted.

    Raises
    ------
    DesignError
        One sentence for a key or value that cannot be.
    """
    measure = next(name for name in MEASURES if name in values)
    allowed = {
        "conditional_power": {"effect"},
        "predictive_power": {"prior"},
        "posterior": {"minimum", "prior"},
    }[measure]
    unknown = sorted(set(values) - allowed - {measure})
    if unknown:
        raise DesignError(
            f"futility by {measure} takes {', '.join(sorted(allowed))} beside its threshold, got "
            f"{', '.join(unknown)}."
        )
    below = np.asarray(values[measure], dtype=float)
    if below.size == 1:
        below = np.full(n_looks - 1, below.item())
    if below.shape != (n_looks - 1,) or np.any((below <= 0) | (below >= 1)):
        raise DesignError(
            f"futility by {measure} needs a threshold between 0 and 1, one or one for each of the "
            f"{n_looks - 1} looks before the last, got {np.ravel(values[measure]).tolist()}."
        )
    effect = values.get("effect", 1.0)
    if effect != "observed" and not _is_finite(effect):
        raise DesignError(
            f'effect of futility must be a multiple of the design effect or "observed", got '
            f"{effect!r}."
        )
    minimum = values.get("minimum", 0.0)
    if not _is_finite(minimum):
        raise DesignError(
            f"minimum of futility must be a multiple of the design effect, got {minimum!r}."
        )
    return FutilityRule(measure, below, effect, float(minimum), _read_prior(values.get("prior")))


def _read_prior(prior: object) -> tuple[float, float] | None:
    if prior is None:
        return None
    if not isinstance(prior, (list, tuple)) or len(prior) != 2 or not all(map(_is_finite, prior)):
        raise DesignError(
            "prior of futility must be mean and standard deviation in multiples of the design "
            f"effect, got {prior!r}."
        )
    mean, sd = float(prior[0]), float(prior[1])
    if sd <= 0:
        raise DesignError(f"The standard deviation of the prior must be above 0, got {sd:g}.")
    raise_problems(find_benefit_problems(mean, sd))
    return mean, sd


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and bool(np.isfinite(value))
