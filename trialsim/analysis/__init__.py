"""Analyses of simulated trials, each fitted to thousands of trials at once."""

from typing import TYPE_CHECKING

from cohorts.lazy import attach

if TYPE_CHECKING:
    from trialsim.analysis.mmrm import fit_mmrm
    from trialsim.analysis.random_slope import fit_random_slope
    from trialsim.analysis.regression import fit_ancova, fit_change
    from trialsim.analysis.result import FitResult
else:
    __getattr__, __dir__ = attach(__name__)

__all__ = [
    "FitResult",
    "fit_ancova",
    "fit_change",
    "fit_mmrm",
    "fit_random_slope",
]
