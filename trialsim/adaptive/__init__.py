"""Decisions during a trial: sizes, populations, doses changed at a look, with alpha kept."""

from typing import TYPE_CHECKING

from cohorts.lazy import attach

if TYPE_CHECKING:
    from trialsim.adaptive.blinded import reestimate_blinded, simulate_blinded_reestimation
    from trialsim.adaptive.combination import StageResults, analyze_stages, combine_stages
    from trialsim.adaptive.doses import simulate_dose_selection
    from trialsim.adaptive.enrichment import (
        EnrichmentRule,
        Population,
        simulate_adaptive_enrichment,
    )
    from trialsim.adaptive.promising import PromisingZone
else:
    __getattr__, __dir__ = attach(__name__)

__all__ = [
    "EnrichmentRule",
    "Population",
    "PromisingZone",
    "StageResults",
    "analyze_stages",
    "combine_stages",
    "reestimate_blinded",
    "simulate_adaptive_enrichment",
    "simulate_blinded_reestimation",
    "simulate_dose_selection",
]
