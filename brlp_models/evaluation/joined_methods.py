"""All methods' predictions of the same people, with what came later."""

from collections.abc import Mapping

import pandas as pd

from brlp_models.evaluation.baselines import (
    predict_auxiliary,
    predict_carry_forward,
    predict_from_table,
)
from brlp_models.evaluation.evaluated_people import EvaluatedCohort
from brlp_models.evaluation.methods import AUXILIARY, KEY, REFERENCE
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.evaluation.times import MethodTimes
from brlp_models.evaluation.truth import find_volumes_at
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.start import find_start_visit, place_start
from brlp_models.scans.cache import ScanCache
from cohorts.cohort import Cohort


def join_methods(
    model: BrlpModel,
    cohort: Cohort,
    at_horizon: pd.DataFrame,
    found: pd.DataFrame,
    determinants: Mapping[str, float],
    settings: EvaluationSettings,
    training: EvaluatedCohort | None,
    times: MethodTimes,
) -> pd.DataFrame:
    """Return every method's predictions with the truth, and the start they all stand on.

    Parameters
    ----------
    model, cohort, settings, training
        As in `evaluate_model`.
    at_horizon
        Of `truth.find_volumes_at`, with `brain_mm3`.
    found
        The table of `predict_people`.
    determinants
        As in `predict_auxiliary`.
    times
        Gets how long each method takes.
    """
    start = found.drop_duplicates(["participant_id", "region"])[
        ["participant_id", "region", "start_mm3"]
    ]
    fit = None
    if training is not None:
        there, _ = training.load_truth()
        fit = (training.cohort, find_volumes_at(there, settings.horizons_months))
    methods = [found, predict_carry_forward(found)]
    with times.measure(AUXILIARY, len(determinants)):
        methods.append(predict_auxiliary(model, cohort, settings.horizons_months, determinants))
    with times.measure(REFERENCE, at_horizon["participant_id"].nunique(), includes="fitting"):
        methods.append(
            predict_from_table(
                cohort, at_horizon, start, region=model.config.endpoint, training=fit
            )
        )
    joined = pd.concat(methods, ignore_index=True).drop(columns="start_mm3")
    return joined.merge(start, on=["participant_id", "region"]).merge(at_horizon, on=KEY)


def read_determinants(floor: pd.DataFrame) -> dict[str, float]:
    """Return MNI-space over native volume of each person's first scan, of `measure_floor`."""
    first = floor.drop_duplicates("participant_id")[["participant_id", "determinant"]]
    return {str(name): float(scale) for name, scale in first.itertuples(index=False)}


def find_determinants(model: BrlpModel, people: Cohort, cache: ScanCache) -> dict[str, float]:
    """Return the same from everyone's starting scan alone, placed as predictions placed it.

    Parameters
    ----------
    model, cache
        As in `predict_cohort`.
    people
        Those who could be predicted.

    Raises
    ------
    ScanError
        Where a scan cannot be read any more.
    """
    found = {}
    for name in people.participants["participant_id"].astype(str):
        own = people.select([name])
        start = find_start_visit(own, name, until_months=0.0)
        found[name] = place_start(model, own, start, cache).determinant
    return found
