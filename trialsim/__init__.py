"""Decide whom to enroll in a clinical trial: predicted atrophy, selection, power, sample size.

Examples
--------
A folder `screened` of people, such as `trialsim cohort synthesize screened` makes:

>>> import trialsim as ts
>>> question = ts.protocol("screened", strategies=["random", "baseline_volume"])
>>> study = ts.rank(question, output="ranked")
>>> list(study.table("scores").columns)
['participant_id', 'strategy', 'score', 'fold']
"""

from cohorts.lazy import attach

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from cohorts.cohort import Cohort
    from cohorts.sources.loading import load_cohort
    from trialsim import analytic
    from trialsim.costs import Costs
    from trialsim.design import TrialDesign
    from trialsim.finished.analysis import TrialAnalysis, analyze
    from trialsim.study.planning import StudyPlan
    from trialsim.study.protocol import Protocol
    from trialsim.study.result import StudyResult
    from trialsim.study.stating import protocol
    from trialsim.study.verbs import (
        compare,
        load_model,
        open_study,
        optimize,
        plan,
        power,
        predict,
        rank,
        run,
    )
else:
    __getattr__, __dir__ = attach(__name__)

__version__ = "0.2.0"

__all__ = [
    "Cohort",
    "Costs",
    "Protocol",
    "StudyPlan",
    "StudyResult",
    "TrialAnalysis",
    "TrialDesign",
    "__version__",
    "analytic",
    "analyze",
    "compare",
    "load_cohort",
    "load_model",
    "open_study",
    "optimize",
    "plan",
    "power",
    "predict",
    "protocol",
    "rank",
    "run",
]
