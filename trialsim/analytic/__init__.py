"""Closed forms for power, sample size, detectable effect.

Every function is keyword-only, takes scalars or arrays that broadcast, leaves exactly one of
`n_control`, `power` and the effect (`delta`, `slowing` or `reduction`) as None, solves for it, and
returns a frozen `DesignPoint`. Each public name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialsim.analytic.anchors import check_anchors
    from trialsim.analytic.binary import (
        BinaryPoint,
        binary_enrichment,
        compute_binormal_event_rate,
        compute_observed_event_rate,
    )
    from trialsim.analytic.correlation import ar1, exchangeable
    from trialsim.analytic.point import DesignPoint, RoundedSize
    from trialsim.analytic.prognostic import (
        EnrichmentPoint,
        optimal_fraction,
        prognostic_enrichment,
    )
    from trialsim.analytic.repeated_measures import MmrmPoint, marginal_slope, mmrm, time_averaged
    from trialsim.analytic.sequential.accrual import Accrual
    from trialsim.analytic.sequential.design import GroupSequentialDesign
    from trialsim.analytic.sequential.endpoint import MmrmEndpoint, SlopeEndpoint
    from trialsim.analytic.sequential.group_sequential import group_sequential
    from trialsim.analytic.sequential.plan import LookPlan, plan_looks
    from trialsim.analytic.slopes import random_slope
    from trialsim.analytic.two_sample import ancova, means, prognostic_ancova

_HOMES = {
    "DesignPoint": "point",
    "RoundedSize": "point",
    "means": "two_sample",
    "ancova": "two_sample",
    "prognostic_ancova": "two_sample",
    "random_slope": "slopes",
    "marginal_slope": "repeated_measures",
    "time_averaged": "repeated_measures",
    "mmrm": "repeated_measures",
    "MmrmPoint": "repeated_measures",
    "ar1": "correlation",
    "exchangeable": "correlation",
    "prognostic_enrichment": "prognostic",
    "optimal_fraction": "prognostic",
    "EnrichmentPoint": "prognostic",
    "binary_enrichment": "binary",
    "compute_binormal_event_rate": "binary",
    "compute_observed_event_rate": "binary",
    "BinaryPoint": "binary",
    "group_sequential": "sequential.group_sequential",
    "GroupSequentialDesign": "sequential.design",
    "Accrual": "sequential.accrual",
    "MmrmEndpoint": "sequential.endpoint",
    "SlopeEndpoint": "sequential.endpoint",
    "plan_looks": "sequential.plan",
    "LookPlan": "sequential.plan",
    "check_anchors": "anchors",
}

__all__ = [
    "Accrual",
    "BinaryPoint",
    "DesignPoint",
    "EnrichmentPoint",
    "GroupSequentialDesign",
    "LookPlan",
    "MmrmEndpoint",
    "MmrmPoint",
    "RoundedSize",
    "SlopeEndpoint",
    "ancova",
    "ar1",
    "binary_enrichment",
    "check_anchors",
    "compute_binormal_event_rate",
    "compute_observed_event_rate",
    "exchangeable",
    "group_sequential",
    "marginal_slope",
    "means",
    "mmrm",
    "optimal_fraction",
    "plan_looks",
    "prognostic_ancova",
    "prognostic_enrichment",
    "random_slope",
    "time_averaged",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
