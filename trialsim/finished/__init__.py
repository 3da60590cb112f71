"""What the treatment did in a finished or running trial."""

from importlib import import_module
from typing import Any

_HOMES = {
    "TrialAnalysis": "trialsim.finished.analysis",
    "analyze": "trialsim.finished.analysis",
    "EffectEstimate": "trialsim.finished.effects",
    "FinishedTrial": "trialsim.finished.trial",
    "add_twins": "trialsim.finished.twin_table",
    "estimate_effects": "trialsim.finished.effects",
    "estimate_twin_gain": "trialsim.finished.twin_gain",
    "read_trial": "trialsim.finished.reading",
    "tabulate_effects": "trialsim.finished.effects",
}

__all__ = [*sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
