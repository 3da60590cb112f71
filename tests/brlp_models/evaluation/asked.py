"""How much a tiny evaluation is asked, and that it carries forward what was measured."""

import pandas as pd

from brlp_models.evaluation.methods import CARRY_FORWARD
from brlp_models.evaluation.settings import EvaluationSettings
from cohorts.cohort import Cohort

SETTINGS = EvaluationSettings(
    samples=2,
    compared_samples=(1, 2),
    compared_steps=(("ddim", 1), ("dpm-solver++", 2)),
    reference_steps=("ddim", 2),
    n_conditions=4,
    n_compared=2,
    n_bootstrap=20,
)


def assert_carried(predicted: pd.DataFrame, cohort: Cohort) -> None:
    carried = predicted[predicted["method"] == CARRY_FORWARD].set_index(
        ["participant_id", "horizon_months", "region"]
    )["predicted_mm3"]
    measured = cohort.volumes.set_index(["participant_id", "session_id", "region"])["volume_mm3"]
    for (person, _, region), volume in carried.items():
        assert volume == measured[person, "ses-0", region]
