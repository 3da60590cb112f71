"""Missing outcomes imputed under a named assumption, for many trials at once."""

from importlib import import_module
from typing import Any

_HOMES = {
    "ImputationModel": "trialsim.imputation.model",
    "STRATEGIES": "trialsim.imputation.strategies",
    "TippingPoint": "trialsim.imputation.tipping_point",
    "estimate_imputation_model": "trialsim.imputation.model",
    "find_tipping_point": "trialsim.imputation.tipping_point",
    "fit_imputed": "trialsim.imputation.estimation",
    "impute": "trialsim.imputation.imputing",
}

__all__ = [*sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
