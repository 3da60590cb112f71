"""The choices under comparison: a strategy with the fraction that it enrolls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trialsim.enrichment.strategies.registry import STRATEGIES
from trialsim.errors import DesignError

EVERYONE: Final = "everyone"
"""What is expected of people without regard to a score."""


@dataclass(frozen=True)
class Candidate:
    """A strategy at one fraction enrolled."""

    strategy: str
    fraction_enrolled: float

    @property
    def label(self) -> str:
        """Its name in a sentence: one in a thousand is 0.1%."""
        return f"{self.strategy}, {100 * self.fraction_enrolled:.3g}% enrolled"

    @property
    def is_screened(self) -> bool:
        """Whether people are chosen by a scan, rather than everyone eligible enrolled."""
        known = STRATEGIES.get(self.strategy)
        return known is None or not known.enrolls_everyone

    @property
    def expectation(self) -> str:
        """Which of `Screened.expected` holds: the strategy's own where it leaves someone out."""
        leaves_out = self.is_screened and self.fraction_enrolled < 1
        return self.strategy if leaves_out else EVERYONE

    @property
    def is_attainable(self) -> bool:
        """Whether a trial could do this: the oracle is shown, never chosen."""
        known = STRATEGIES.get(self.strategy)
        return known is None or known.is_attainable


def list_candidates(strategies: Sequence[str], fractions: Sequence[float]) -> list[Candidate]:
    """Return every strategy at every fraction; a strategy that screens nobody out, once.

    Raises
    ------
    DesignError
        A fraction outside (0, 1], or none at all.
    """
    wrong = [f for f in fractions if not 0 < f <= 1]
    if wrong or not fractions:
        got = ", ".join(f"{f:g}" for f in wrong) or "none"
        raise DesignError(f"fractions_enrolled must lie above 0 and at most at 1, got {got}.")
    candidates = []
    for strategy in strategies:
        everyone = Candidate(strategy, 1.0)
        own = fractions if everyone.is_screened else [1.0]
        candidates += [Candidate(strategy, float(fraction)) for fraction in own]
    return candidates
