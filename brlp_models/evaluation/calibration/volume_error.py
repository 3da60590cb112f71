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
from cohorts.counting import tally
from cohorts.volumes.measurement import require_one_tool

LEAST_PEOPLE = 10
# of the mean squared error, the least that is expected of anyone
_LEAST_SHARE = 0.01
_MAX_STEPS = 50


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
    return ModelError(
        f"Only {tally(n_people, 'people')} {what}; intervals need at least {LEAST_PEOPLE}."
    )


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
    """Return the variances that the draws' spread lacks: constant, and growing.

    The squared relative error less the draws' variance is regressed on 1, the squared years and the
    squared predicted change, with coefficients of at least 0. Rows weigh by how far squared errors
    like theirs scatter: as their own square, so that the large errors of those who are predicted to
    lose much do not decide what is said of the others.

    Parameters
    ----------
    predicted
        `horizon_months` (from the visit that predictions start from), `region`, `predicted_mm3`,
        `sd_mm3` over draws, `start_mm3`, `true_mm3`.
    """
    spread = _find_spread(predicted) ** 2
    error = _find_error(predicted) ** 2
    return _fit(predicted, error - spread, error)


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
    lacking = (2 - 1 / samples) * _find_spread(predicted) ** 2
    return _fit(predicted, lacking, lacking)


def describe_volume_error(
    predicted: pd.DataFrame,
    *,
    rng: np.random.Generator,
    anatomies: "pd.Series[str] | None" = None,
) -> list[str]:
    """Return a sentence for each region, with an interval of its sd at the last horizon.

    Parameters
    ----------
    predicted
        As in `fit_volume_error`.
    rng
        Of the interval, over anatomies, or over people where they share none.
    anatomies
        By participant, the anatomy that a synthetic person was drawn from.
    """
    sentences = []
    last = predicted["horizon_months"].max()
    squared = predicted.assign(
        lacking=_find_error(predicted) ** 2 - _find_spread(predicted) ** 2,
        error=_find_error(predicted) ** 2,
    )
    for region, own in squared.groupby("region"):
        terms, at_last = _build_terms(own), own["horizon_months"] == last
        change = float(_find_change(own)[at_last].mean())

        def compute_last_sd(
            lacking: Array, error: Array, terms: Array, change: float = change
        ) -> float:
            return 100 * _fit_one(lacking, error, terms).compute_sd(last / 12, change)

        values = own["lacking"].to_numpy(float), own["error"].to_numpy(float), terms
        clusters, _ = number_clusters(own["participant_id"].astype(str), anatomies)
        found = estimate(compute_last_sd, *values, rng=rng, clusters=clusters)
        error = _fit_one(*values)
        sentences.append(
            f"{region}: sd beyond the draws {100 * error.at_baseline:.1f} % of the volume, "
            f"{100 * error.per_year:.1f} % a year and {100 * error.of_change:.0f} % of the "
            f"predicted change; {found.value:.1f} % (95 % interval {found.lower:.1f} to "
            f"{found.upper:.1f} %) at month {last:g} where {100 * change:+.1f} % is predicted"
        )
    return sentences


def _find_error(predicted: pd.DataFrame) -> "pd.Series[float]":
    return (predicted["predicted_mm3"] - predicted["true_mm3"]) / predicted["start_mm3"]


def _find_change(predicted: pd.DataFrame) -> "pd.Series[float]":
    return predicted["predicted_mm3"] / predicted["start_mm3"] - 1


def _find_spread(predicted: pd.DataFrame) -> "pd.Series[float]":
    return (predicted["sd_mm3"] / predicted["start_mm3"]).fillna(0)


def _build_terms(predicted: pd.DataFrame) -> Array:
    """Return what the variance of each row is made of: (rows, 3), as `RelativeSd` has it."""
    years = predicted["horizon_months"].to_numpy(float) / 12
    change = _find_change(predicted).to_numpy(float)
    return np.column_stack([np.ones(len(years)), years**2, change**2])


def _fit(
    predicted: pd.DataFrame, variance: "pd.Series[float]", squared: "pd.Series[float]"
) -> dict[str, RelativeSd]:
    """Return each region's sd from the variance of each row, weighed as its squares scatter."""
    rows = predicted.assign(variance=variance, squared=squared)
    return {
        str(region): _fit_one(
            own["variance"].to_numpy(float), own["squared"].to_numpy(float), _build_terms(own)
        )
        for region, own in rows.groupby("region")
    }


def _fit_one(variance: Array, squared: Array, terms: Array) -> RelativeSd:
    expected = _expect_squares(squared, terms)
    found = nnls(terms / expected[:, None], variance / expected)[0]
    at_baseline, per_year, of_change = map(float, np.sqrt(found))
    return RelativeSd(at_baseline=at_baseline, per_year=per_year, of_change=of_change)


def _expect_squares(squared: Array, terms: Array) -> Array:
    """Return the expectation of each squared error, a sum of the terms.

    A square scatters in proportion to its expectation, so least squares are weighed by what was
    expected before, until that no longer moves: the most likely variances of normal errors.
    """
    mean = float(squared.mean())
    expected = np.full(len(squared), mean if mean > 0 else 1.0)
    # nobody is expected to err by nothing, and who were would outweigh everyone
    least = _LEAST_SHARE * expected
    for _ in range(_MAX_STEPS):
        found = nnls(terms / expected[:, None], squared / expected)[0]
        # half of the way, lest two answers take turns
        moved = np.sqrt(expected * np.maximum(terms @ found, least))
        if np.allclose(moved, expected, rtol=1e-4, atol=0):
            break
        expected = moved
    return expected
