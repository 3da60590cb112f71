"""The analyses that a design may list."""

from dataclasses import dataclass
from typing import Final, Literal

from trialsim.imputation.strategies import STRATEGIES


@dataclass(frozen=True)
class Analysis:
    """What an analysis fits.

    Attributes
    ----------
    model
        The change score, the last visit adjusted for baseline, or a mixed model of all visits.
    uses_score
        Whether the prognostic score is a covariate besides, crossed with time in a mixed model.
    imputation
        What is assumed of people who left, a name in `trialsim.imputation.STRATEGIES`; their
        outcomes are then imputed from the mixed model.
    """

    model: Literal["change", "ancova", "random_slope", "mmrm"]
    uses_score: bool = False
    imputation: str | None = None

    @property
    def is_mixed(self) -> bool:
        """Whether it is a mixed model."""
        return self.model in {"random_slope", "mmrm"}

    @property
    def takes_inference(self) -> bool:
        """Whether the design says how its standard error and degrees of freedom are found."""
        return self.is_mixed and self.imputation is None

    @property
    def compares_slopes(self) -> bool:
        """Whether it estimates a difference in slope, rather than at the last visit."""
        return self.model == "random_slope"


ANALYSES: Final[dict[str, Analysis]] = {
    "change": Analysis("change"),
    "ancova": Analysis("ancova"),
    "ancova_score": Analysis("ancova", uses_score=True),
    "random_slope": Analysis("random_slope"),
    "mmrm": Analysis("mmrm"),
    "random_slope_score": Analysis("random_slope", uses_score=True),
    "mmrm_score": Analysis("mmrm", uses_score=True),
    **{name: Analysis("mmrm", imputation=name) for name in STRATEGIES},
}
"""What a design may list as its analyses."""
