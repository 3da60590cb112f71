"""Missing outcomes imputed under a named assumption, for many trials at once."""

from typing import TYPE_CHECKING

from cohorts.lazy import attach

if TYPE_CHECKING:
    from trialsim.imputation.estimation import fit_imputed
    from trialsim.imputation.imputing import impute
    from trialsim.imputation.jackknife import Jackknife, leave_each_out
    from trialsim.imputation.model import ImputationModel, estimate_imputation_model
    from trialsim.imputation.strategies import STRATEGIES
    from trialsim.imputation.tipping_point import TippingPoint, find_tipping_point
else:
    __getattr__, __dir__ = attach(__name__)

__all__ = [
    "STRATEGIES",
    "ImputationModel",
    "Jackknife",
    "TippingPoint",
    "estimate_imputation_model",
    "find_tipping_point",
    "fit_imputed",
    "impute",
    "leave_each_out",
]
