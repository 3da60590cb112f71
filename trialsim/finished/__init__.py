"""What the treatment did in a finished or running trial."""

from typing import TYPE_CHECKING

from cohorts.lazy import attach

if TYPE_CHECKING:
    from trialsim.finished.analysis import TrialAnalysis, analyze
    from trialsim.finished.effects import EffectEstimate, estimate_effects, tabulate_effects
    from trialsim.finished.reading import read_trial
    from trialsim.finished.trial import FinishedTrial
    from trialsim.finished.twin_gain import estimate_twin_gain
    from trialsim.finished.twin_table import add_twins
else:
    __getattr__, __dir__ = attach(__name__)

__all__ = [
    "EffectEstimate",
    "FinishedTrial",
    "TrialAnalysis",
    "add_twins",
    "analyze",
    "estimate_effects",
    "estimate_twin_gain",
    "read_trial",
    "tabulate_effects",
]
