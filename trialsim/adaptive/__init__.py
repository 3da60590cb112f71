"""Decisions during a trial: sizes, populations, doses changed at a look, with alpha kept."""

from importlib import import_module
from typing import Any

_HOMES = {
    "EnrichmentRule": "enrichment",
    "Population": "enrichment",
    "PromisingZone": "promising",
    "StageResults": "combination",
    "analyze_stages": "combination",
    "combine_stages": "combination",
    "reestimate_blinded": "blinded",
    "simulate_adaptive_enrichment": "enrichment",
    "simulate_blinded_reestimation": "blinded",
    "simulate_dose_selection": "doses",
}

__all__ = [*sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
