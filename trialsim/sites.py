"""Sites of a trial: how they differ, how people are randomized, how the analysis sees them."""

import math
from dataclasses import dataclass
from typing import Final, Literal

SiteEffect = Literal["none", "fixed", "random"]

_CHOICES: Final = {
    "randomization": ("simple", "stratified"),
    "effect": ("none", "fixed", "random"),
}


@dataclass(frozen=True)
class Sites:
    """Where people are seen.

    Attributes
    ----------
    n
        Number of sites of equal size; 1 for none.
    sd
        Standard deviation between sites of the level of an outcome, in the unit of the endpoint.
    change_sd
        Standard deviation between sites of the change to the last visit, in that unit.
    randomization
        "simple", or "stratified" by site: every site then has the arms in the trial's ratio.
    effect
        In the analysis: "none", a "fixed" effect of each site (crossed with time in mixed models),
        or a "random" one (in mixed models an intercept and, independent of it, a slope over time).
    """

    n: int = 1
    sd: float = 0.0
    change_sd: float = 0.0
    randomization: Literal["simple", "stratified"] = "simple"
    effect: SiteEffect = "none"

    @property
    def n_columns(self) -> int:
        """Columns that the analysis has for sites, beside the intercept."""
        return {"none": 0, "fixed": self.n - 1, "random": self.n}[self.effect]

    def find_problems(self) -> list[str]:
        """Return one sentence for each value that cannot be."""
        problems = []
        if self.n < 1 or self.n != int(self.n):
            problems.append(f"sites.n must be a whole number from 1, got {self.n:g}.")
        for name in ("sd", "change_sd"):
            if not 0 <= getattr(self, name) < math.inf:
                problems.append(f"sites.{name} must be 0 or more, got {getattr(self, name):g}.")
        problems += [
            f"sites.{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}."
            for name, known in _CHOICES.items()
            if getattr(self, name) not in known
        ]
        stated = self.sd or self.change_sd or self.effect != "none"
        if self.n == 1 and (stated or self.randomization != "simple"):
            problems.append("sites.n must be at least 2 where sites are to differ, got 1.")
        return problems
