"""A model's predictions of the people of an evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brlp_models.evaluation.images.predicted_scans import PredictedScans
from brlp_models.evaluation.methods import KEY, MODEL
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.cohort import predict_cohort
from cohorts.cohort import Cohort

_NAMES = {
    "volume_mm3": "predicted_mm3",
    "volume_sd_mm3": "sd_mm3",
    "baseline_volume_mm3": "start_mm3",
    "told_volume_mm3": "told_mm3",
}


@dataclass(frozen=True)
class PeoplePredictions:
    """What a model says of some people.

    Parameters
    ----------
    table
        `participant_id`, `horizon_months`, `region`, `predicted_mm3`, `sd_mm3`, `start_mm3` (as
        measured in the input scan, never in the decoded one), `told_mm3` (what the context tells,
        NaN where nothing), `method`.
    scans
        The predicted scans, where they were kept.
    failures
        `participant_id`, `problem` of everyone who could not be predicted.
    """

    table: pd.DataFrame
    scans: PredictedScans
    failures: pd.DataFrame


def predict_people(
    model: BrlpModel,
    cohort: Cohort,
    out: Path,
    horizons_months: Sequence[float],
    samples: int,
    *,
    seed: int,
    keep_scans: bool = True,
    **options: Any,
) -> PeoplePredictions:
    """Predict people; what `out` holds already is not predicted again.

    Parameters
    ----------
    model, cohort, horizons_months, samples, seed
        As in `predict_cohort`.
    out
        Gets the predictions, and the scans in `scans/`.
    keep_scans
        False predicts the same volumes without making the scans, which nobody looks at then.
    **options
        Further ones of `predict_cohort`.
    """
    scans = PredictedScans(out / "scans")
    found = predict_cohort(
        model,
        cohort,
        horizons_months,
        samples,
        out=out,
        seed=seed,
        on_person=scans.keep if keep_scans else None,
        **options,
    )
    columns = [*KEY, *_NAMES.values(), "method"]
    table = found.predictions.rename(columns=_NAMES).assign(method=MODEL)[columns]
    return PeoplePredictions(table, scans, found.failures)
