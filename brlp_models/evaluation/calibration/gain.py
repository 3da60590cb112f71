"""The share of a region's true change that predicted scans show, on people of other anatomies."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from brlp_models.errors import ModelError
from brlp_models.evaluation.conditions import (
    TrueEndpoint,
    compute_ratios,
    predict_told,
    tell_true_change,
)
from brlp_models.evaluation.evaluated_people import EvaluatedCohort
from brlp_models.evaluation.statistics import Array, estimate, number_clusters
from brlp_models.evaluation.truth import find_volumes_at
from brlp_models.model.config import GainMeasurement, ModelConfig
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.job import OnProgress
from cohorts.counting import tally

FEW_ANATOMIES: Final = 20
"""An interval from fewer clusters covers too little (Cameron, Gelbach, Miller 2008, REStat)."""

LEAST_GAIN: Final = 0.3
"""Dividing a change by less would enlarge noise more than threefold."""


def measure_gain(
    model: BrlpModel,
    people: EvaluatedCohort,
    out: Path,
    *,
    horizon_months: float,
    samples: int,
    seed: int,
    endpoint_alone: bool = False,
    on_progress: OnProgress | None = None,
) -> pd.DataFrame:
    """Predict people with their true change in the context, and return each region's gain.

    Parameters
    ----------
    model
        The gain that it divides by is multiplied back; its `shown_weight` and `calibrations` are
        left out.
    people
        Of anatomies that training never read, whom no reported result stands on.
    out
        Gets the predictions, which an interrupted measurement takes up again.
    horizon_months
        At which.
    samples, seed, on_progress
        As in `predict_cohort`.
    endpoint_alone
        The context is told the true change of the endpoint, and the other regions keep pace with
        it, as where a baseline tells it; their gain is the share of what they were told.

    Returns
    -------
    DataFrame
        Of `estimate_gain`.
    """
    truth, _ = people.load_truth()
    at_horizon = find_volumes_at(truth, [horizon_months])
    known = people.cohort.select([str(name) for name in at_horizon["participant_id"].unique()])
    # what was measured with any other context says nothing of this one
    unmeasured: dict[str, object] = {"shown_weight": {}, "calibrations": {}}
    bare = replace(model, config=model.config.model_copy(update=unmeasured))
    own = at_horizon[at_horizon["region"] == model.config.endpoint]
    changes = predict_told(
        bare,
        known,
        at_horizon,
        out,
        samples=samples,
        seed=seed,
        scan_cache=out / "preprocessed",
        auxiliary=None if endpoint_alone else tell_true_change(model, at_horizon),
        context_from=TrueEndpoint(compute_ratios(own)) if endpoint_alone else None,
        against_told=endpoint_alone,
        on_progress=on_progress,
    )
    rng = np.random.default_rng(seed)
    return estimate_gain(changes, model.config, anatomies=people.find_anatomies(), rng=rng)


def estimate_gain(
    changes: pd.DataFrame,
    config: ModelConfig,
    *,
    rng: np.random.Generator,
    anatomies: "pd.Series[str] | None" = None,
    n_bootstrap: int = 1000,
) -> pd.DataFrame:
    """Return each region's gain with its interval, and whether the region can be reported.

    Where a hippocampus that lost 10 % is shown with a loss of 6 %, the gain is 0.6: the slope of
    the predicted on the true relative change through the origin.

    Parameters
    ----------
    changes
        Of `predict_told`, with the true change in the context.
    config
        The model's; the gain that its predictions were divided by is multiplied back.
    rng, n_bootstrap
        Of the interval, over anatomies, or over people where they share none.
    anatomies
        By participant, the anatomy that a synthetic person was drawn from; without them each
        person is one.

    Returns
    -------
    DataFrame
        `region`, `value`, `lower`, `upper`, `n`, `n_anatomies`, `is_reported`: False where the
        interval reaches 0.3, below which a change would be mostly noise made larger.
    """
    rows = []
    for region in config.regions:
        own = changes[changes["region"] == region].dropna(subset="true_percent")
        if own.empty:
            continue
        shown = config.volume_gain.get(region, 1.0) * own["predicted_percent"].to_numpy(float)
        true = own["true_percent"].to_numpy(float)
        clusters, n_anatomies = number_clusters(own["participant_id"].astype(str), anatomies)
        found = estimate(
            fit_slope, shown, true, rng=rng, n_bootstrap=n_bootstrap, clusters=clusters
        )
        told = {"n_anatomies": n_anatomies, "is_reported": bool(found.lower > LEAST_GAIN)}
        rows.append({"region": region, **vars(found), **told})
    return pd.DataFrame(rows)


def apply_gain(config: ModelConfig, gain: pd.DataFrame) -> ModelConfig:
    """Return the configuration with the measured gain, without the regions it cannot report.

    Raises
    ------
    ModelError
        Where the endpoint is one of those.
    """
    good = gain[gain["is_reported"]].set_index("region")["value"]
    if config.endpoint not in good:
        raise ModelError(
            f"The {config.endpoint}, the endpoint of {config.name}, cannot be reported: "
            + (" ".join(describe_left_out(gain)) or "nobody's later volume of it is known.")
        )
    measured = GainMeasurement(
        n_people=int(gain["n"].max()),
        n_anatomies=int(gain["n_anatomies"].max()),
        intervals={
            str(row.region): (float(str(row.lower)), float(str(row.upper)))
            for row in gain.itertuples()
        },
    )
    update = {
        "regions": tuple(region for region in config.regions if region in good),
        "volume_gain": {str(k): float(v) for k, v in good.items()},
        "gain_measurement": measured,
    }
    return config.model_copy(update=update)


def describe_left_out(gain: pd.DataFrame) -> list[str]:
    """Return a sentence for each region whose interval reaches what can be divided by."""
    return [
        f"Predicted scans show {row.value:.2f} of a true change of the {row.region} (95 % interval "
        f"{row.lower:.2f} to {row.upper:.2f}); the interval reaches {LEAST_GAIN}, so the region is "
        "left out."
        for row in gain[~gain["is_reported"].astype(bool)].itertuples()
    ]


def describe_measurement(gain: pd.DataFrame) -> str:
    """Return on how many people and anatomies the intervals stand, and whether that is few."""
    people, anatomies = int(gain["n"].max()), int(gain["n_anatomies"].max())
    if anatomies == people:
        return f"The intervals are over {tally(people, 'people')}."
    if anatomies == 1:
        alike = tally(people, "people have")
        return f"All {alike} one anatomy: the intervals are over people of it alone."
    few = ", which are few: they may be too narrow" if anatomies < FEW_ANATOMIES else ""
    drawn = f"{tally(anatomies, 'anatomies')} of {tally(people, 'people')}"
    return f"The intervals are over {drawn}{few}."


def fit_slope(shown: Array, true: Array) -> float:
    """Return the least-squares slope of the shown on the true change, through the origin."""
    return float(true @ shown / (true @ true))
