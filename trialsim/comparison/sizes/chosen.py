"""The size to propose for the cheapest of several choices, after the winner's curse.

The choice that comes out cheapest of several in one cohort owes part of that to chance, so its
sample size is too small on average. The bootstrap repeats the choice: whatever comes out cheapest
in a sample needs fewer people there than it does on average; the mean of this optimism, on the log
scale, is taken off. Then power, which loses more by a size too small than it gains by one too
large, is averaged over the error that remains, and the size is raised until this expected power is
the target.

References
----------
Efron 1983 (J Am Stat Assoc 78:316), the bootstrap's optimism; Tibshirani & Tibshirani 2009 (Ann
Appl Stat 3:822), who take that of a chosen minimum off.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from trialsim.analysis.result import Floats
from trialsim.comparison.cohort_error.intervals import MIN_SAMPLES
from trialsim.design import TrialDesign

LOW_POWER = 0.70
"""Power below which a proposed trial is told to be too small."""

ASSURANCE = 0.90
"""Probability with which the assured size has at least `LOW_POWER`."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


@dataclass(frozen=True)
class ChosenSize:
    """What to propose for the choice, over the error of cohort and choice.

    Attributes
    ----------
    optimism
        Factor that takes the optimism off the sample size found; NaN without 200 bootstrap samples.
    proposed
        Factor of the sample size found: that of the size whose expected power is the target.
    uncorrected_power
        Expected power of the size as found.
    low_power_probability
        That the power of the proposed size is below .70.
    assured
        Factor of the sample size as found: that of the size whose power is at least .70 with
        probability at least .90.
    """

    optimism: float
    proposed: float
    uncorrected_power: float
    low_power_probability: float
    assured: float


def correct_choice(
    chosen: int,
    log_ratios: Floats,
    log_costs: Floats,
    df: float,
    design: TrialDesign,
) -> ChosenSize:
    """Return the size to propose for the cheapest choice, its power, the assured size.

    Parameters
    ----------
    chosen
        Row of the choice.
    log_ratios
        ln of the size of each bootstrap sample over the cohort's, (n_candidates, n_bootstrap).
    log_costs
        ln of what is minimized, of each candidate in each bootstrap sample, the same shape.
    df
        Degrees of freedom of the standard error of the choice's ln size.
    design
        Error rates and target.
    """
    own = log_ratios[chosen]
    known = np.isfinite(own)
    if len(own) < MIN_SAMPLES or known.mean() < 0.5 or np.ptp(own[known]) == 0:
        return ChosenSize(*[np.nan] * 5)
    optimism = compute_optimism(log_ratios, log_costs)
    error = _SizeError(float(own[known].std(ddof=1)), max(df, 1.0), design)
    proposed = error.find_size(design.target_power)
    return ChosenSize(
        float(np.exp(optimism)),
        float(np.exp(optimism + proposed)),
        error.compute_power(-optimism),
        error.compute_low_probability(proposed),
        float(np.exp(optimism + error.assure())),
    )


def compute_optimism(log_ratios: Floats, log_costs: Floats) -> float:
    """Return how much smaller ln size is for the cheapest of a sample than it is on average.

    Parameters
    ----------
    log_ratios
        ln of sizes over the cohort's, (n_candidates, n_bootstrap).
    log_costs
        (n_candidates, n_bootstrap), infinite where the target is not reached.
    """
    samples = np.arange(log_costs.shape[1])
    known = np.isfinite(log_ratios)
    total = np.where(known, log_ratios, 0.0).sum(axis=1)
    mean = total / np.maximum(known.sum(axis=1), 1)
    best = log_costs.argmin(axis=0)
    gained = mean[best] - log_ratios[best, samples]
    return float(gained[np.isfinite(gained)].mean())


class _SizeError:
    """The true ln size around a size without optimism: the t distribution of its interval."""

    def __init__(self, spread: float, df: float, design: TrialDesign) -> None:
        self.spread, self.df = spread, df
        self.critical = float(special.ndtri(1 - design.alpha / design.sides))
        self.drift = float(special.ndtri(design.target_power)) + self.critical
        low = float(special.ndtri(LOW_POWER)) + self.critical
        # power is below .70 where the true ln size exceeds the proposed one by this much
        self.enough = 2 * float(np.log(self.drift / low))
        self.deviations = spread * special.stdtrit(df, (_NODES + 1) / 2)

    def compute_power(self, raised: float) -> float:
        """Return the expected power of a size raised by so much on the log scale."""
        # with few degrees of freedom the far ends lie beyond what a number holds
        shift = np.minimum((raised - self.deviations) / 2, 100.0)
        return float(_WEIGHTS @ special.ndtr(self.drift * np.exp(shift) - self.critical) / 2)

    def find_size(self, power: float) -> float:
        """Return how much a size must be raised for its expected power to be the target."""

        def miss(raised: float) -> float:
            return self.compute_power(raised) - power

        return float(optimize.brentq(miss, -10.0, 20.0))

    def compute_low_probability(self, raised: float) -> float:
        """Return the probability that the power of a raised size is below .70."""
        return float(special.stdtr(self.df, -(raised + self.enough) / self.spread))

    def assure(self) -> float:
        """Return how much a size must be raised to be assured."""
        return float(self.spread * special.stdtrit(self.df, ASSURANCE) - self.enough)
