"""What the draws of a prediction leave out of the error of predicted volumes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from brlp_models.errors import ModelError
from brlp_models.evaluation.evaluated_people import EvaluatedCohort
from brlp_models.evaluation.methods import KEY
from brlp_models.evaluation.people_predictions import predict_people
from brlp_models.evaluation.statistics import Array, estimate, number_clusters
from brlp_models.evaluation.truth import find_volumes_at
from brlp_models.model.config import RelativeSd
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
        Its own `volume_error`, `draw_sd`, `shown_weight` and `calibrations` are left out of what
        is predicted.
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
    own = ("volume_error", "draw_sd", "shown_weight", "calibrations")
    unmeasured: dict[str, object] = {name: {} for name in own}
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


def fit_volume_error(predicted: pd.DataFrame) -> dict[str, RelativeSd]:
    """Return the variances, constant and growing with time, that the draws' spread lacks.

    The squared relative error less the draws' variance is regressed on 1 and the squared years,
    with coefficients of at least 0.

    Parameters
    ----------
    predicted
        `horizon_months` (from the visit that predictions start from), `region`, `predicted_mm3`,
        `sd_mm3` over draws, `start_mm3`, `true_mm3`.
    """
    return _fit(predicted, _find_lacking(predicted))


def fit_draw_sd(predicted: pd.DataFrame, samples: int) -> dict[str, RelativeSd]:
    """Return the sd that a prediction of one draw takes in place of the sd over draws.

    Where m draws with the variance s^2 are averaged, what `fit_volume_error` finds is b^2 + s^2/m -
    s^2, of an error b that all draws share. One draw errs by b^2 + s^2, which is (2 - 1/m) s^2 more
    than that. Fitted as there.

    Parameters
    ----------
    predicted
        As in `fit_volume_error`, with several draws each.
    samples
        The draws of each prediction, m.
    """
    return _fit(predicted, (2 - 1 / samples) * _find_spread(predicted) ** 2)


def describe_volume_error(
    predicted: pd.DataFrame,
    *,
    rng: np.random.Generator,
    anatomies: "pd.Series[str] | None" = None,
    n_bootstrap: int = 1000,
) -> list[str]:
    """Return a sentence for each region, with an interval of its sd at the last horizon.

    Parameters
    ----------
    predicted
        As in `fit_volume_error`.
    rng, n_bootstrap
        Of the interval, over anatomies, or over people where they share none.
    anatomies
        By participant, the anatomy that a synthetic person was drawn from.
    """
    sentences = []
    last = predicted["horizon_months"].max()

    def compute_last_sd(lacking: Array, horizons_months: Array) -> float:
        return 100 * _fit_one(lacking, horizons_months).compute_sd(last / 12)

    for region, own in predicted.assign(lacking=_find_lacking(predicted)).groupby("region"):
        values = own["lacking"].to_numpy(float), own["horizon_months"].to_numpy(float)
        clusters, _ = number_clusters(own["participant_id"].astype(str), anatomies)
        found = estimate(
            compute_last_sd, *values, rng=rng, n_bootstrap=n_bootstrap, clusters=clusters
        )
        error = _fit_one(*values)
        sentences.append(
            f"{region}: sd beyond the draws {100 * error.at_baseline:.1f} % of the volume, and "
            f"{100 * error.per_year:.1f} % a year; {found.value:.1f} % (95 % interval "
            f"{found.lower:.1f} to {found.upper:.1f} %) at month {last:g}"
        )
    return sentences


def _find_lacking(predicted: pd.DataFrame) -> "pd.Series[float]":
    """Return the squared relative error of each row without the variance of its draws."""
    error = (predicted["predicted_mm3"] - predicted["true_mm3"]) / predicted["start_mm3"]
    return error**2 - _find_spread(predicted) ** 2


def _find_spread(predicted: pd.DataFrame) -> "pd.Series[float]":
    return (predicted["sd_mm3"] / predicted["start_mm3"]).fillna(0)


def _fit(predicted: pd.DataFrame, variance: "pd.Series[float]") -> dict[str, RelativeSd]:
    """Return each region's sd from the variance of each row."""
    rows = predicted[["region", "horizon_months"]].assign(variance=variance)
    return {
        str(region): _fit_one(
            own["variance"].to_numpy(float), own["horizon_months"].to_numpy(float)
        )
        for region, own in rows.groupby("region")
    }


def _fit_one(variance: Array, horizons_months: Array) -> RelativeSd:
    terms = np.column_stack([np.ones(len(variance)), (horizons_months / 12) ** 2])
    constant, growing = np.sqrt(nnls(terms, variance)[0])
    return RelativeSd(at_baseline=float(constant), per_year=float(growing))
