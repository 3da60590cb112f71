"""Unblinded re-estimation in a promising zone."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from trialsim.adaptive.combination import compute_next_bound
from trialsim.analytic import GroupSequentialDesign
from trialsim.analytic.arguments import ANY, COUNT, find_problems, raise_problems
from trialsim.analytic.point import FloatArray
from trialsim.errors import DesignError

Statistic = Literal["weighted", "conventional"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


@dataclass(frozen=True)
class PromisingZone:
    """A rule for the size of the second stage (Mehta & Pocock 2011, Stat Med 30:3267).

    With conditional power at the observed effect below `lowest` or at `target` and above the
    planned size is kept; between them the second stage grows until conditional power is `target` or
    the cap is reached.

    Attributes
    ----------
    design
        Two looks, one side.
    target
        Conditional power aimed at.
    lowest
        Conditional power from which results are promising.
    maximum
        Cap of the total information, as a multiple of what was planned.

    Raises
    ------
    DesignError
        A design of other than two looks, values that cannot be.
    """

    design: GroupSequentialDesign
    target: float = 0.9
    lowest: float = 0.4
    maximum: float = 2.0

    def __post_init__(self) -> None:
        problems = []
        if self.design.n_looks != 2 or self.design.sides != 1:
            problems.append(
                "A promising zone needs a one-sided design of two looks, got "
                f"{self.design.n_looks} looks, {self.design.sides} sides."
            )
        if not 0 < self.lowest < self.target < 1:
            problems.append(
                f"lowest must lie below target, both between 0 and 1, got {self.lowest:g} and "
                f"{self.target:g}."
            )
        if not 1 <= self.maximum < np.inf:
            problems.append(f"maximum must be 1 or more, got {self.maximum:g}.")
        if problems:
            raise DesignError(*problems)

    def compute_total(self, z: FloatArray) -> FloatArray:
        """Return the total information, as a multiple of the planned, for z at the look."""
        z = np.asarray(z, dtype=float)
        t, needed = self._time, compute_next_bound(self.design, 1, z)
        observed = z / np.sqrt(t)
        planned = special.ndtr(observed * np.sqrt(1 - t) - needed)
        with np.errstate(divide="ignore", invalid="ignore"):
            second = np.square((needed + special.ndtri(self.target)) / observed)
        promising = (planned >= self.lowest) & (planned < self.target)
        return np.where(promising, np.clip(t + second, 1.0, self.maximum), 1.0)

    def tabulate(
        self,
        effects: tuple[float, ...] = (0.0, 0.5, 1.0),
        *,
        statistic: Statistic = "weighted",
    ) -> pd.DataFrame:
        """Return power and expected information, one row an effect, by integration over z.

        Parameters
        ----------
        effects
            Multiples of the design effect; 0 shows the type I error.
        statistic
            "weighted" keeps the planned weights of the stages (Cui, Hung & Wang 1999), which keeps
            alpha whatever the rule; "conventional" weighs everyone alike, which keeps it only where
            conditional power at the look is high enough.
        """
        rows = []
        for effect in effects:
            drift = effect * self.design.drift
            mean = drift * np.sqrt(self._time)
            low, high = self._ends(mean)
            z = (low + high) / 2 + (high - low) / 2 * _NODES
            weight = (
                (high - low) / 2 * _WEIGHTS * np.exp(-((z - mean) ** 2) / 2) / np.sqrt(2 * np.pi)
            )
            total = self.compute_total(z)
            second = total - self._time
            chance = special.ndtr(drift * np.sqrt(second) - self._need(z, total, statistic))
            early = special.ndtr(mean - self.design.efficacy_z[0])
            stopped = early + special.ndtr(self.design.futility_z[0] - mean)
            rows.append(
                {
                    "effect": effect,
                    "power": early + weight @ chance,
                    "power_planned": float(self.design.stop_probabilities(effect).efficacy.sum()),
                    "expected_information": stopped * self._time + weight @ total,
                    "share_promising": weight @ (total > 1),
                }
            )
        return pd.DataFrame(rows)

    def simulate(
        self, effect: float, *, n_simulations: int = 100_000, seed: int = 1
    ) -> dict[str, float]:
        """Return rejections by the weighted statistic in simulated trials, with their error.

        Raises
        ------
        DesignError
            No simulations, an effect that is no number.
        """
        raise_problems(find_problems(effect=(effect, ANY), n_simulations=(n_simulations, COUNT)))
        rng = np.random.default_rng(seed)
        drift, t = effect * self.design.drift, self._time
        first = drift * np.sqrt(t) + rng.standard_normal(n_simulations)
        total = self.compute_total(first)
        second = drift * np.sqrt(total - t) + rng.standard_normal(n_simulations)
        early, futile = first >= self.design.efficacy_z[0], first < self.design.futility_z[0]
        late = second >= compute_next_bound(self.design, 1, first)
        share = float((early | (~futile & late)).mean())
        return {"power": share, "mcse": float(np.sqrt(share * (1 - share) / n_simulations))}

    @property
    def _time(self) -> float:
        return float(self.design.information_rates[0])

    def _ends(self, mean: float) -> tuple[float, float]:
        low = max(float(self.design.futility_z[0]), mean - 8)
        return low, max(low, min(float(self.design.efficacy_z[0]), mean + 8))

    def _need(self, z: FloatArray, total: FloatArray, statistic: Statistic) -> FloatArray:
        """Return what the second stage's own z must reach."""
        if statistic == "weighted":
            return compute_next_bound(self.design, 1, z)
        score = self.design.efficacy_z[1] * np.sqrt(total) - z * np.sqrt(self._time)
        return np.asarray(score / np.sqrt(total - self._time))
