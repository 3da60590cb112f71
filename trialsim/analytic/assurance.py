"""Power averaged over what is not known."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
from scipy import special

from cohorts.entrances import entrance
from trialsim.analytic.arguments import (
    OPEN_SHARE,
    PEOPLE,
    POSITIVE,
    SHARE_TO_1,
    find_problems,
    find_sides_problems,
    raise_problems,
)
from trialsim.analytic.point import FloatArray
from trialsim.analytic.priors import Prior, draw_beliefs
from trialsim.analytic.prognostic import compute_selected_decline
from trialsim.analytic.two_arm_test import Distribution, TwoArmTest, compute_power
from trialsim.errors import DesignError

_NO_MASS = 1e-6

Belief = Prior | float


@dataclass(frozen=True)
class Assurance:
    """Power averaged over a prior.

    Attributes
    ----------
    assurance
        The average: the probability that the trial succeeds.
    power_at_means
        Power were every quantity its mean.
    benefit
        Probability that the treatment helps at all; no trial's assurance comes above it by much.
    power_quantiles
        5, 25, 50, 75, 95 % of the power over the prior.
    """

    assurance: float
    power_at_means: float
    benefit: float
    power_quantiles: tuple[float, ...]


@entrance
def assure(
    *,
    delta: Belief,
    sd: Belief,
    n_control: float,
    score_correlation: Belief = 0.0,
    dropout: Belief = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
    allocation_ratio: float = 1.0,
    distribution: Distribution = "z",
    n_draws: int = 16_384,
    seed: int = 1,
) -> Assurance:
    """Average the power of a comparison of means, adjusted for a score, over what is believed.

    O'Hagan, Stevens & Campbell 2005 (Pharm Stat 4:187). Rejections count in the direction of
    benefit only. Where the effect alone is uncertain and normal, and the test is one by z, the
    average is Phi((m / se - z) / sqrt(1 + tau^2 / se^2)).

    Parameters
    ----------
    delta
        Effect; positive is benefit. A number or a prior, as the next three.
    sd
        Within an arm.
    score_correlation
        Of the prognostic score with the outcome: the residual variance is 1 - rho^2 of it.
    dropout
        Share without the endpoint.
    n_control
        People randomized to control.
    alpha, sides, allocation_ratio, distribution
        As in `trialsim.analytic.means`.
    n_draws, seed
        Points of the prior.

    Returns
    -------
    Assurance
        The average power, beside that at the means of what is believed.

    Raises
    ------
    DesignError
        A prior without mass on benefit, or with mass on what cannot be; an unknown distribution;
        fewer than 2 draws.

    Examples
    --------
    >>> from trialsim.analytic.priors import NormalPrior
    >>> found = assure(delta=NormalPrior(0.4, 0.15), sd=1, n_control=100, alpha=0.025, sides=1)
    >>> round(found.assurance, 4)
    0.7243
    """
    beliefs = (delta, sd, score_correlation, dropout)
    effect, spread, correlation, leaving = draw_beliefs(beliefs, n_draws, seed)
    _check(effect, spread, correlation, leaving)
    fewest = n_control * (1 + allocation_ratio) * (1 - float(leaving.max()))
    if distribution == "t" and fewest <= 2:
        raise DesignError(
            f"A t test needs more than 2 people with the endpoint, got {fewest:g} in both arms."
        )
    _check_test(n_control, alpha, sides, allocation_ratio, distribution)

    def power(d: FloatArray, s: FloatArray, rho: FloatArray, left: FloatArray) -> FloatArray:
        seen = np.asarray(n_control * (1 - left))
        residual = s**2 * (1 - rho**2) * (1 + 1 / allocation_ratio)
        return compute_directed_power(
            d, residual, seen, alpha / sides, allocation_ratio, distribution
        )

    drawn = power(effect, spread, correlation, leaving)
    means = [np.asarray(values.mean()) for values in (effect, spread, correlation, leaving)]
    return summarize_power(drawn, float(power(*means)), effect)


@entrance
def assure_enrichment(
    *,
    slowing: Belief,
    mean_decline: Belief,
    sd_decline: Belief,
    score_correlation: Belief,
    fraction_enrolled: float,
    n_control: float,
    dropout: Belief = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
    allocation_ratio: float = 1.0,
    n_draws: int = 16_384,
    seed: int = 1,
) -> Assurance:
    """Average the power of an enriched trial over how good the score will really be.

    Parameters
    ----------
    slowing, mean_decline, sd_decline, score_correlation
        As in `prognostic_enrichment`; numbers or priors. The bootstrap of the cohort gives an
        `Empirical` prior of the correlation.
    fraction_enrolled
        Share of the screened people who are selected.
    dropout, n_control, alpha, sides, allocation_ratio, n_draws, seed
        As in `assure`.

    Returns
    -------
    Assurance
        As `assure` gives it.

    Raises
    ------
    DesignError
        As in `assure`.

    Examples
    --------
    >>> from trialsim import analytic
    >>> from trialsim.analytic import NormalPrior
    >>> found = analytic.assure_enrichment(
    ...     slowing=NormalPrior(0.3, 0.1), mean_decline=100, sd_decline=100, score_correlation=0.5,
    ...     fraction_enrolled=0.3, n_control=100, n_draws=1024,
    ... )
    >>> found.assurance < found.power_at_means
    True
    """
    raise_problems(find_problems(fraction_enrolled=(fraction_enrolled, SHARE_TO_1)))
    _check_test(n_control, alpha, sides, allocation_ratio)
    beliefs = (slowing, mean_decline, sd_decline, score_correlation, dropout)
    slow, mean, spread, correlation, leaving = draw_beliefs(beliefs, n_draws, seed)
    _check(slow * mean, spread, correlation, leaving)

    def power(
        f: FloatArray, m: FloatArray, s: FloatArray, rho: FloatArray, left: FloatArray
    ) -> FloatArray:
        chosen = compute_selected_decline(m, s, rho, fraction_enrolled)
        unit = np.square(chosen.sd) * (1 + 1 / allocation_ratio)
        seen = np.asarray(n_control * (1 - left))
        return compute_directed_power(
            f * chosen.mean, unit, seen, alpha / sides, allocation_ratio, "z"
        )

    drawn = power(slow, mean, spread, correlation, leaving)
    means = [np.asarray(values.mean()) for values in (slow, mean, spread, correlation, leaving)]
    return summarize_power(drawn, float(power(*means)), slow * mean)


def compute_directed_power(
    delta: FloatArray,
    unit_variance: FloatArray,
    n_control: FloatArray,
    level: float,
    allocation_ratio: float,
    distribution: Distribution,
) -> FloatArray:
    """Return the probability to reject in the direction of benefit, for effects of either sign."""
    if distribution == "z":
        drift = delta * np.sqrt(n_control / unit_variance)
        return np.asarray(special.ndtr(drift + special.ndtri(level)))
    comparison = TwoArmTest.build(
        unit_variance=unit_variance,
        control_variance=np.nan,
        n_covariates=0.0,
        alpha=level,
        sides=1,
        allocation_ratio=allocation_ratio,
    )
    helps = compute_power(n_control, np.maximum(delta, 0), comparison, distribution="t")
    # the noncentral t of a harmful effect, far below alpha, by z
    drift = delta * np.sqrt(n_control / unit_variance)
    return np.where(delta >= 0, helps, special.ndtr(drift + special.ndtri(level)))


def summarize_power(power: FloatArray, at_means: float, effect: FloatArray) -> Assurance:
    """Return what a sample of powers over a prior amounts to."""
    quantiles = np.quantile(power, [0.05, 0.25, 0.5, 0.75, 0.95])
    return Assurance(
        float(power.mean()),
        at_means,
        float((effect > 0).mean()),
        tuple(float(value) for value in quantiles),
    )


def _check_test(
    n_control: float,
    alpha: float,
    sides: int,
    allocation_ratio: float,
    distribution: Distribution = "z",
) -> None:
    unknown = distribution not in get_args(Distribution)
    raise_problems(
        [f"distribution must be z or t, got {distribution!r}."] * unknown
        + find_sides_problems(sides)
        + find_problems(
            n_control=(n_control, PEOPLE),
            alpha=(alpha, OPEN_SHARE),
            allocation_ratio=(allocation_ratio, POSITIVE),
        )
    )


def _check(
    effect: FloatArray, sd: FloatArray, correlation: FloatArray, dropout: FloatArray
) -> None:
    problems = []
    if (effect > 0).mean() < _NO_MASS:
        problems.append("The prior of the effect has no mass on benefit (above 0): check its sign.")
    if not np.all(sd > 0):
        problems.append(
            f"The prior of the sd must stay above 0, {np.mean(sd <= 0):.1%} of it does not."
        )
    if np.any(np.abs(correlation) >= 1):
        problems.append("The prior of the correlation must stay between -1 and 1.")
    if np.any((dropout < 0) | (dropout >= 1)):
        problems.append("The prior of drop-out must stay at 0 or more and below 1.")
    if problems:
        raise DesignError(*problems)
