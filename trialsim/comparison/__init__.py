"""Which choice of people to make: power, sample size and cost of each, with every error told."""

from typing import TYPE_CHECKING

from cohorts.lazy import attach

if TYPE_CHECKING:
    from trialsim.comparison.comparison import Comparison, compare_strategies
else:
    __getattr__, __dir__ = attach(__name__)

__all__ = ["Comparison", "compare_strategies"]
