"""The share of a region's true change that predicted scans show, on people of other anatomies."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from brlp_models.errors import ModelError
from brlp_models.evaluation.conditions import TrueVolumes, predict_told
from brlp_models.evaluation.evaluated_people import EvaluatedCohort
from brlp_models.evaluation.statistics import Array, estimate
from brlp_models.evaluation.truth import find_volumes_at
from brlp_models.model.config import ModelConfig
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.job import OnProgress

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
    on_progress: OnProgress | None = None,
) -> pd.DataFrame:
    """Predict people with their true change in the context, and return each region's gain.

    Parameters
    ----------
    model
        The gain that it divides by is multiplied back.
    people
        Of anatomies that training never read, whom no reported result stands on.
    out
        Gets the predictions, which an interrupted measurement takes up again.
    horizon_months
        At which.
    samples, seed, on_progress
        As in `predict_cohort`.

    Returns
    -------
    DataFrame
        Of `estimate_gain`.
    """
    truth, _ = people.load_truth()
    at_horizon = find_volumes_at(truth, [horizon_months])
    known = people.cohort.select([str(name) for name in at_horizon["participant_id"].unique()])
    changes = predict_told(
        model,
        known,
        at_horizon,
        out,
        samples=samples,
        seed=seed,
        scan_cache=out / "preprocessed",
        auxiliary=TrueVolumes.of(at_horizon).as_models(),
        on_progress=on_progress,
    )
    return estimate_gain(changes, model.config, rng=np.random.default_rng(seed))


def estimate_gain(
    changes: pd.DataFrame,
    config: ModelConfig,
    *,
    rng: np.random.Generator,
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
        Of the interval, over people.

    Returns
    -------
    DataFrame
        `region`, `value`, `lower`, `upper`, `n`, `is_reported`: False where the interval reaches
        0.3, below which a change would be mostly noise made larger.
    """
    rows = []
    for region in config.regions:
        own = changes[changes["region"] == region]
        if own.empty:
            continue
        shown = config.volume_gain.get(region, 1.0) * own["predicted_percent"].to_numpy(float)
        true = own["true_percent"].to_numpy(float)
        found = estimate(fit_slope, shown, true, rng=rng, n_bootstrap=n_bootstrap)
        is_reported = bool(found.lower > LEAST_GAIN)
        rows.append({"region": region, **vars(found), "is_reported": is_reported})
    return pd.DataFrame(rows)


def apply_gain(config: ModelConfig, gain: pd.DataFrame) -> ModelConfig:
    """Return the configuration with the measured gain, without the regions it cannot report.

    Raises
    ------
    ModelError
        Where no region is left.
    """
    good = gain[gain["is_reported"]].set_index("region")["value"]
    if good.empty:
        raise ModelError(
            f"No region of {config.name} shows enough of a true change to be reported: the "
            f"interval of every gain reaches {LEAST_GAIN}."
        )
    regions = tuple(region for region in config.regions if region in good)
    update = {"regions": regions, "volume_gain": {str(k): float(v) for k, v in good.items()}}
    return config.model_copy(update=update)


def fit_slope(shown: Array, true: Array) -> float:
    """Return the least-squares slope of the shown on the true change, through the origin."""
    return float(true @ shown / (true @ true))
