"""Bayesian decisions to go on, with how often they are right."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from trialsim.analytic.arguments import ANY, OPEN_SHARE, POSITIVE, find_problems, raise_problems
from trialsim.analytic.point import Quantity
from trialsim.analytic.priors import NormalPrior, find_benefit_problems


@dataclass(frozen=True)
class GoNoGo:
    """Go where the effect is probably large enough, no go where it is probably not.

    Go: P(effect > target | data) >= go. No go: P(effect > minimum | data) <= no_go. Else: consider
    (Frewer et al. 2016, Pharm Stat 15:255).

    Attributes
    ----------
    target, minimum
        Effects that are aimed at, that would just do.
    go, no_go
        Posterior probabilities that decide.
    prior
        Of the effect; None for a flat one.

    Raises
    ------
    DesignError
        One sentence for each attribute that cannot be.
    """

    target: float
    minimum: float
    go: float = 0.8
    no_go: float = 0.2
    prior: NormalPrior | None = None

    def __post_init__(self) -> None:
        problems = find_problems(
            target=(self.target, ANY),
            minimum=(self.minimum, ANY),
            go=(self.go, OPEN_SHARE),
            no_go=(self.no_go, OPEN_SHARE),
        )
        if self.minimum > self.target:
            problems.append(
                f"minimum must not lie above target, got {self.minimum:g} and {self.target:g}."
            )
        if self.prior is not None:
            problems += find_benefit_problems(self.prior.mean, self.prior.sd)
        raise_problems(problems)

    def compute_posterior(self, estimate: Quantity, se: float) -> tuple[Quantity, float]:
        """Return mean and sd of what is believed after an estimate."""
        raise_problems(find_problems(se=(se, POSITIVE)))
        if self.prior is None:
            return estimate, se
        precision = se**-2 + self.prior.sd**-2
        mean = (np.asarray(estimate) * se**-2 + self.prior.mean * self.prior.sd**-2) / precision
        return mean, precision**-0.5

    def find_bounds(self, se: float) -> tuple[float, float]:
        """Return the estimates from which to go, up to which not to."""
        _, sd = self.compute_posterior(0.0, se)
        wanted = self.target + sd * special.ndtri(self.go)
        least = self.minimum + sd * special.ndtri(self.no_go)
        if self.prior is None:
            return float(wanted), float(least)
        weight = sd**2 / se**2
        pull = (1 - weight) * self.prior.mean
        return float((wanted - pull) / weight), float((least - pull) / weight)

    def tabulate(self, effects: list[float], *, se: float) -> pd.DataFrame:
        """Return how often each decision is taken, one row a true effect.

        Where the two bounds overlap, going wins.
        """
        upper, lower = self.find_bounds(se)
        truth = np.asarray(effects, dtype=float)
        go = special.ndtr((truth - upper) / se)
        stop = special.ndtr((np.minimum(lower, upper) - truth) / se)
        return pd.DataFrame({"effect": truth, "go": go, "consider": 1 - go - stop, "no_go": stop})
