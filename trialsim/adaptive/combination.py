"""Stages whose data were gathered in different ways, combined into one test."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from trialsim.analytic import GroupSequentialDesign
from trialsim.analytic.arguments import ANY, POSITIVE, find_problems
from trialsim.analytic.point import FloatArray, Quantity
from trialsim.errors import DesignError


def combine_stages(p_values: npt.ArrayLike, information_rates: npt.ArrayLike) -> FloatArray:
    """Return the combined z after each stage by the inverse-normal method.

    z_k = sum_j w_j Phi^-1(1 - p_j) / sqrt(sum_j w_j^2) with the planned weights
    w_j = sqrt(t_j - t_{j-1}), whatever the stages became (Lehmacher & Wassmer 1999, Biometrics
    55:1286; with normal stages Cui, Hung & Wang 1999, Biometrics 55:853).

    Parameters
    ----------
    p_values
        One-sided, each from the data of its stage alone, (n_stages, ...).
    information_rates
        Planned, (n_stages,) or more.

    Raises
    ------
    DesignError
        A p value that is missing or no share, rates that do not increase.

    Examples
    --------
    >>> combine_stages([0.1, 0.02], [0.5, 1]).round(3).tolist()
    [1.282, 2.358]
    """
    p = np.asarray(p_values, dtype=float)
    rates = np.asarray(information_rates, dtype=float)
    problems = []
    if p.ndim == 0 or not 0 < len(p) <= rates.size or not np.all((p >= 0) & (p <= 1)):
        problems.append(
            f"p_values must hold shares between 0 and 1 of at most {rates.size} stages, got "
            f"{np.ravel(p)[:5].tolist()}."
        )
    if rates.ndim != 1 or not np.all(np.diff(rates, prepend=0.0) > 0) or not rates[-1:] <= 1:
        problems.append(
            f"information_rates must increase from above 0 to at most 1, got {rates.tolist()}."
        )
    if problems:
        raise DesignError(*problems)
    steps = np.diff(rates[: len(p)], prepend=0.0).reshape(-1, *[1] * (p.ndim - 1))
    scores = np.cumsum(np.sqrt(steps) * -special.ndtri(p), axis=0)
    return np.asarray(scores / np.sqrt(np.cumsum(steps, axis=0)))


@dataclass(frozen=True)
class StageResults:
    """What the data of each stage alone say, (n_stages,).

    Attributes
    ----------
    estimate, se
        Of the difference between the arms.
    df
        Degrees of freedom of its t statistic; infinite for z.

    Raises
    ------
    DesignError
        Estimates without a standard error above 0 and degrees of freedom.
    """

    estimate: FloatArray
    se: FloatArray
    df: FloatArray

    def __post_init__(self) -> None:
        shapes = {np.shape(values) for values in (self.estimate, self.se, self.df)}
        problems = find_problems(estimate=(self.estimate, ANY), se=(self.se, POSITIVE))
        if len(shapes) != 1:
            problems.append("estimate, se and df must have one number for each stage.")
        if not np.all(np.asarray(self.df) > 0):
            problems.append("df must be greater than 0.")
        if problems:
            raise DesignError(*problems)

    def compute_p(self, difference: float = 0.0) -> FloatArray:
        """Return one-sided p values of "the difference is at most `difference`"."""
        t = (self.estimate - difference) / self.se
        with np.errstate(invalid="ignore"):
            by_t = special.stdtr(self.df, -t)
        return np.where(np.isinf(self.df), special.ndtr(-t), by_t)


@dataclass(frozen=True)
class CombinedStages:
    """Inference after each stage, (n_stages,).

    Attributes
    ----------
    z
        Combined statistic.
    rejected
        Whether it is at the efficacy bound or above.
    repeated_lower, repeated_upper
        Repeated confidence interval of the difference; infinite where nobody may stop.
    repeated_p
        Smallest alpha at which the boundary would have been crossed.
    """

    z: FloatArray
    rejected: npt.NDArray[np.bool_]
    repeated_lower: FloatArray
    repeated_upper: FloatArray
    repeated_p: FloatArray


def analyze_stages(design: GroupSequentialDesign, stages: StageResults) -> CombinedStages:
    """Return the combined inference after each stage so far.

    Parameters
    ----------
    design
        Whose information rates give the weights.
    stages
        Of the stages held.

    Raises
    ------
    DesignError
        More stages than looks.
    """
    rates, n = design.information_rates, len(stages.estimate)
    z = combine_stages(stages.compute_p(), rates)
    lower, upper = np.full(n, -np.inf), np.full(n, np.inf)
    for k in range(n):
        bound = design.efficacy_z[k]
        if np.isfinite(bound):
            lower[k], upper[k] = (
                _find_difference(stages, rates, k, sign * bound) for sign in (1, -1)
            )
    repeated = [design.infer(k + 1, float(value)).repeated_p for k, value in enumerate(z)]
    return CombinedStages(z, z >= design.efficacy_z[:n], lower, upper, np.array(repeated))


def compute_next_bound(design: GroupSequentialDesign, look: int, z: Quantity) -> FloatArray:
    """Return what the next stage's own z must reach for the combined one to cross its bound."""
    t, then = design.information_rates[look - 1 : look + 1]
    needed = design.efficacy_z[look] * np.sqrt(then) - np.multiply(z, np.sqrt(t))
    return np.asarray(needed / np.sqrt(then - t))


def _find_difference(stages: StageResults, rates: FloatArray, k: int, z: float) -> float:
    """Return the difference at which the combined statistic after stage k is `z`."""
    held = StageResults(*(values[: k + 1] for values in (stages.estimate, stages.se, stages.df)))

    def excess(difference: float) -> float:
        return float(combine_stages(held.compute_p(difference), rates)[-1]) - z

    reach = 60 * float(held.se.max())
    low, high = float(held.estimate.min()) - reach, float(held.estimate.max()) + reach
    return float(optimize.brentq(excess, low, high, xtol=1e-12))
