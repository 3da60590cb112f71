"""Closed forms for power, sample size, detectable effect.

Every function is keyword-only, takes scalars or arrays that broadcast, leaves exactly one of
`n_control`, `power` and the effect (`delta`, `slowing` or `reduction`) as None, solves for it, and
returns a frozen `DesignPoint`. Each public name is imported when it is first used.
"""

from typing import TYPE_CHECKING

from cohorts.lazy import attach

if TYPE_CHECKING:
    from trialsim.analytic.anchors import check_anchors
    from trialsim.analytic.assurance import Assurance, assure, assure_enrichment
    from trialsim.analytic.binary import (
        BinaryPoint,
        binary_enrichment,
        compute_binormal_event_rate,
        compute_observed_event_rate,
    )
    from trialsim.analytic.correlation import ar1, exchangeable
    from trialsim.analytic.doses import dunnett
    from trialsim.analytic.endpoints import several_endpoints
    from trialsim.analytic.events.conversion import (
        conversion_enrichment,
        conversion_trial,
        logrank_events,
    )
    from trialsim.analytic.events.hazard import Hazard, estimate_hazard
    from trialsim.analytic.go_no_go import GoNoGo
    from trialsim.analytic.margin import non_inferiority
    from trialsim.analytic.point import DesignPoint, RoundedSize
    from trialsim.analytic.priors import Empirical, NormalPrior, elicit_prior, summarize_studies
    from trialsim.analytic.prognostic import (
        EnrichmentPoint,
        optimal_fraction,
        prognostic_enrichment,
    )
    from trialsim.analytic.repeated_measures import MmrmPoint, marginal_slope, mmrm, time_averaged
    from trialsim.analytic.sequential.accrual import Accrual
    from trialsim.analytic.sequential.design import GroupSequentialDesign
    from trialsim.analytic.sequential.endpoint import (
        CompleterEndpoint,
        MmrmEndpoint,
        SlopeEndpoint,
    )
    from trialsim.analytic.sequential.group_sequential import group_sequential
    from trialsim.analytic.sequential.plan import LookPlan, plan_looks
    from trialsim.analytic.slopes import random_slope
    from trialsim.analytic.two_sample import ancova, means, prognostic_ancova
else:
    __getattr__, __dir__ = attach(__name__)

__all__ = [
    "Accrual",
    "Assurance",
    "BinaryPoint",
    "CompleterEndpoint",
    "DesignPoint",
    "Empirical",
    "EnrichmentPoint",
    "GoNoGo",
    "GroupSequentialDesign",
    "Hazard",
    "LookPlan",
    "MmrmEndpoint",
    "MmrmPoint",
    "NormalPrior",
    "RoundedSize",
    "SlopeEndpoint",
    "ancova",
    "ar1",
    "assure",
    "assure_enrichment",
    "binary_enrichment",
    "check_anchors",
    "compute_binormal_event_rate",
    "compute_observed_event_rate",
    "conversion_enrichment",
    "conversion_trial",
    "dunnett",
    "elicit_prior",
    "estimate_hazard",
    "exchangeable",
    "group_sequential",
    "logrank_events",
    "marginal_slope",
    "means",
    "mmrm",
    "non_inferiority",
    "optimal_fraction",
    "plan_looks",
    "prognostic_ancova",
    "prognostic_enrichment",
    "random_slope",
    "several_endpoints",
    "summarize_studies",
    "time_averaged",
]
