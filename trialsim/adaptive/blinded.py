"""Sample size re-estimated at a look that nobody was unblinded for."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from trialsim.adaptive.stages import StageSample, compare_samples, draw_sample
from trialsim.analytic.arguments import (
    ANY,
    COUNT,
    OPEN_SHARE,
    POSITIVE,
    SHARE_TO_1,
    find_problems,
    find_sides_problems,
    raise_problems,
)
from trialsim.analytic.point import FloatArray, Quantity, simplify
from trialsim.errors import DesignError


@dataclass(frozen=True)
class ReestimatedSize:
    """People that the variance and drop-out seen so far ask for.

    Attributes
    ----------
    n_control
        With an outcome, in control, not rounded and not capped.
    n_control_randomized
        The same with those who leave, within the caps.
    sd
        Standard deviation within an arm that the size is for.
    """

    n_control: Quantity
    n_control_randomized: Quantity
    sd: Quantity


def reestimate_blinded(
    variance: Quantity,
    *,
    delta: float,
    alpha: float = 0.05,
    sides: int = 2,
    power: float = 0.8,
    allocation_ratio: float = 1.0,
    retention: Quantity = 1.0,
    adjusted: bool = True,
    minimum: float = 0.0,
    maximum: float = np.inf,
) -> ReestimatedSize:
    """Return the sample size from the variance of both arms together.

    n = (1 + 1/r) (z_{1-a} + z_{1-b})^2 s^2 / delta^2 with s^2 the variance of all outcomes about
    their common mean (Gould & Shih 1992, Commun Stat 21:2833; Kieser & Friede 2003, Stat Med
    22:3571). No arm is known, so alpha is kept for all practical purposes.

    Parameters
    ----------
    variance
        Of the outcomes of both arms about one mean.
    delta
        Difference between the arms that the trial was planned for.
    alpha, sides, power, allocation_ratio
        As planned.
    retention
        Share of the people of both arms that has the endpoint, seen so far.
    adjusted
        Whether the part of the variance that the planned difference makes,
        delta^2 r / (1 + r)^2, is taken off.
    minimum, maximum
        Caps of the people randomized to control.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> round(reestimate_blinded(67600, delta=100, power=0.9).n_control, 3)
    136.807
    """
    problems = find_sides_problems(sides) + find_problems(
        variance=(variance, POSITIVE),
        delta=(delta, ANY),
        alpha=(alpha, OPEN_SHARE),
        power=(power, OPEN_SHARE),
        allocation_ratio=(allocation_ratio, POSITIVE),
        retention=(retention, SHARE_TO_1),
    )
    if delta == 0:
        problems.append("delta must differ from 0: no number of people detects it.")
    if not 0 <= minimum <= maximum:
        problems.append(f"minimum must not exceed maximum, got {minimum:g} and {maximum:g}.")
    raise_problems(problems)
    ratio = allocation_ratio
    within = np.asarray(variance, dtype=float)
    if adjusted:
        within = within - delta**2 * ratio / (1 + ratio) ** 2
        if np.any(within <= 0):
            raise DesignError(
                "The variance is no larger than the part that the planned difference makes "
                f"({delta**2 * ratio / (1 + ratio) ** 2:g}): take adjusted=False."
            )
    quantiles = special.ndtri(power) - special.ndtri(alpha / sides)
    n = (1 + 1 / ratio) * quantiles**2 * within / delta**2
    randomized = np.clip(n / retention, minimum, maximum)
    return ReestimatedSize(simplify(n), simplify(randomized), simplify(np.sqrt(within)))


def simulate_blinded_reestimation(
    *,
    sd: float,
    planned_sd: float,
    delta: float,
    first_stage: int,
    alpha: float = 0.05,
    sides: int = 2,
    power: float = 0.8,
    maximum: float = np.inf,
    effects: tuple[float, ...] = (0.0, 0.5, 1.0),
    n_simulations: int = 100_000,
    seed: int = 1,
) -> pd.DataFrame:
    """Return what re-estimating does, beside keeping the planned size; arms are equal.

    Parameters
    ----------
    sd
        The truth.
    planned_sd
        What the trial was planned with.
    delta, alpha, sides, power
        As in `reestimate_blinded`.
    first_stage
        People in each arm whose outcomes are looked at; the trial never ends before.
    maximum
        Cap of the people in each arm.
    effects
        True differences as multiples of `delta`; 0 shows the type I error.
    n_simulations, seed
        Trials an effect, and the stream they come from.

    Returns
    -------
    DataFrame
        A row an effect: rejections in its direction (a side's alpha) with Monte Carlo error, people
        an arm.

    Raises
    ------
    DesignError
        Fewer than 2 people an arm at the first look, or values that cannot be.
    """
    raise_problems(
        find_problems(
            sd=(sd, POSITIVE),
            planned_sd=(planned_sd, POSITIVE),
            n_simulations=(n_simulations, COUNT),
        )
    )
    if first_stage < 2:
        raise DesignError(f"first_stage must be at least 2 people an arm, got {first_stage}.")
    rules: dict[str, Any] = {"delta": delta, "alpha": alpha, "sides": sides, "power": power}
    planned = reestimate_blinded(planned_sd**2, adjusted=False, minimum=first_stage, **rules)
    kept = np.ceil(np.asarray(planned.n_control_randomized) - 1e-9)
    rng, rows = np.random.default_rng(seed), []
    for effect in effects:
        means = (0.0, effect * delta)
        first = [draw_sample(rng, n_simulations, first_stage, mean, sd) for mean in means]
        size = reestimate_blinded(
            pool_variance(*first),
            adjusted=False,
            minimum=first_stage,
            maximum=max(maximum, first_stage),
            **rules,
        )
        total = np.ceil(np.asarray(size.n_control_randomized) - 1e-9)
        shares = {}
        for name, n in (("reestimated", total), ("planned", np.full(n_simulations, kept))):
            arms = [first[arm].extend(rng, n - first_stage, means[arm], sd) for arm in (0, 1)]
            shares[name] = float((compare_samples(*arms)[0] < alpha / sides).mean())
        rows.append(
            {
                "effect": effect,
                "power_reestimated": shares["reestimated"],
                "power_planned": shares["planned"],
                "mcse": np.sqrt(
                    shares["reestimated"] * (1 - shares["reestimated"]) / n_simulations
                ),
                "mean_n_per_arm": total.mean(),
                "planned_n_per_arm": float(kept),
            }
        )
    return pd.DataFrame(rows)


def pool_variance(control: StageSample, treatment: StageSample) -> FloatArray:
    """Return the variance of all outcomes about their common mean, which needs no arm."""
    n = control.n + treatment.n
    between = control.n * treatment.n / n * (control.mean - treatment.mean) ** 2
    return np.asarray((control.squares + treatment.squares + between) / (n - 1))
