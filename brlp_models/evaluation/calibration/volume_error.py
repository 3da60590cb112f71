"""What the draws of a prediction leave out of the error of predicted volumes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from brlp_models.errors import ModelError
from brlp_models.evaluation.evaluated_people import EvaluatedCohort
from brlp_models.evaluation.methods import KEY
from brlp_models.evaluation.people_predictions import predict_people
from brlp_models.evaluation.truth import find_volumes_at
from brlp_models.model.config import VolumeError
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.context import EndpointSource
from brlp_models.prediction.job import OnProgress
from cohorts.measurement import require_one_tool

LEAST_PEOPLE = 10


def refuse_few_people(people: EvaluatedCohort, horizons_months: Sequence[float]) -> None:
    """Refuse people among whom too few have a scan and a later volume, before any is predicted.

    Raises
    ------
    ModelError
        Where these are fewer than 10.
    """
    truth, _ = people.load_truth()
    followed = find_volumes_at(truth, horizons_months)["participant_id"].astype(str)
    n_people = len({*followed} & {*people.list_scanned()})
    if n_people < LEAST_PEOPLE:
        raise _too_few(n_people, "have a scan at baseline and later volumes")


def _too_few(n_people: int, what: str) -> ModelError:
    return ModelError(f"Only {n_people} people {what}; intervals need at least {LEAST_PEOPLE}.")


def predict_calibration_people(
    model: BrlpModel,
    people: EvaluatedCohort,
    out: Path,
    *,
    horizons_months: Sequence[float],
    samples: int,
    seed: int,
    context_from: EndpointSource | None = None,
    on_progress: OnProgress | None = None,
) -> pd.DataFrame:
    """Predict people whose later volumes are known, by the scans and the draws alone.

    Parameters
    ----------
    model
        Its own `volume_error`, `shown_weight` and `calibrations` are left out of what is predicted.
    people
        Whom no reported result stands on.
    out
        Gets the predictions, which an interrupted measurement takes up again.
    horizons_months, samples, seed, context_from, on_progress
        As in `predict_cohort`.

    Returns
    -------
    DataFrame
        The columns of `PeoplePredictions.table`, with `true_mm3` and `baseline_mm3`.

    Raises
    ------
    ModelError
        Where fewer than 10 people could be predicted and compared.
    CohortError
        Where several tools measured their volumes.
    """
    require_one_tool({"the people": people.cohort})
    truth, _ = people.load_truth()
    at_horizon = find_volumes_at(truth, horizons_months)
    unmeasured: dict[str, object] = {"volume_error": {}, "shown_weight": {}, "calibrations": {}}
    bare = replace(model, config=model.config.model_copy(update=unmeasured))
    found = predict_people(
        bare,
        people.cohort,
        out,
        horizons_months,
        samples,
        seed=seed,
        keep_scans=False,
        context_from=context_from,
        on_progress=on_progress,
    )
    compared = found.table.merge(at_horizon, on=KEY)
    n_people = compared["participant_id"].nunique()
    if n_people < LEAST_PEOPLE:
        raise _too_few(n_people, "could be predicted and compared with later volumes")
    return compared


def fit_volume_error(predicted: pd.DataFrame) -> dict[str, VolumeError]:
    """Return the variances, constant and growing with time, that the draws' spread lacks.

    The squared relative error less the draws' variance is regressed on 1 and the squared years,
    with coefficients of at least 0.

    Parameters
    ----------
    predicted
        `horizon_months` (from the visit that predictions start from), `region`, `predicted_mm3`,
        `sd_mm3` over draws, `start_mm3`, `true_mm3`.
    """
    years = predicted["horizon_months"] / 12
    error = (predicted["predicted_mm3"] - predicted["true_mm3"]) / predicted["start_mm3"]
    spread = (predicted["sd_mm3"] / predicted["start_mm3"]).fillna(0)
    lacking = pd.DataFrame({"lacking": error**2 - spread**2, "one": 1.0, "time": years**2})
    return {
        str(region): _fit(rows) for region, rows in lacking.groupby(predicted["region"].to_numpy())
    }


def describe_volume_error(errors: Mapping[str, VolumeError]) -> list[str]:
    """Return a sentence for each region."""
    return [
        f"{region}: sd beyond the draws {100 * error.at_baseline:.1f} % of the volume, "
        f"and {100 * error.per_year:.1f} % a year"
        for region, error in errors.items()
    ]


def _fit(rows: pd.DataFrame) -> VolumeError:
    constant, growing = nnls(rows[["one", "time"]].to_numpy(), rows["lacking"].to_numpy())[0]
    return VolumeError(at_baseline=float(np.sqrt(constant)), per_year=float(np.sqrt(growing)))
