"""Strategies that read a table of predicted volumes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohorts.schema import SIDES
from trialsim.enrichment.strategy import ScreeningTables, make_scores
from trialsim.errors import DesignError

# A prediction for another time ranks people alike, but its size is not that of the endpoint.
_MAX_HORIZON_GAP_MONTHS = 6.0

_MENDED_BY = {
    "predictions": "run `trialsim predict` first",
    "auxiliary": "give them as selection.predictions, with a model_id that starts with auxiliary",
}


@dataclass(frozen=True)
class PredictedDecline:
    """Enroll those whose predicted volume falls furthest below their own baseline.

    Attributes
    ----------
    name
        "brlp", or "auxiliary" for the volumes predicted without an image.
    source
        Which table of `ScreeningTables` holds the predictions.
    """

    name: str
    source: str
    predicts_decline: bool = True
    is_attainable: bool = True
    enrolls_everyone: bool = False

    @property
    def needs(self) -> frozenset[str]:
        """The table it reads."""
        return frozenset({self.source})

    def score(self, tables: ScreeningTables, rng: np.random.Generator) -> pd.DataFrame:  # noqa: ARG002
        """Return the predicted decline, in the unit of the endpoint.

        Raises
        ------
        DesignError
            Where there are no predictions for the region near the horizon.
        """
        return make_scores(
            compute_predicted_decline(tables, self.source, name=self.name)["decline"]
        )


def compute_predicted_decline(tables: ScreeningTables, source: str, *, name: str) -> pd.DataFrame:
    """Return `decline` and its `sd`, in the unit of the endpoint, for each row.

    The change is taken from `baseline_volume_mm3`, the baseline measured the way the prediction
    is, so that the bias of decoder and segmenter cancels.

    Parameters
    ----------
    tables
        Screened people.
    source
        "predictions" or "auxiliary".
    name
        The strategy, for error messages.

    Raises
    ------
    DesignError
        Where there are no predictions for the region near the horizon.
    """
    rows: pd.DataFrame | None = getattr(tables, source)
    if rows is None or rows.empty:
        raise DesignError(f"{name}: there are no predicted volumes; {_MENDED_BY[source]}.")
    rows = _take_horizon(_take_region(rows, tables.region, name), tables.horizon_months, name)
    baseline = rows["baseline_volume_mm3"]
    unit = 100 / baseline if tables.unit == "percent" else 1.0
    decline = (baseline - rows["volume_mm3"]) * unit
    sd = rows["volume_sd_mm3"] * unit
    return pd.DataFrame({"decline": tables.look_up(decline), "sd": tables.look_up(sd)})


def _take_region(rows: pd.DataFrame, region: str, name: str) -> pd.DataFrame:
    whole = rows[rows["region"] == region]
    if whole.empty:
        whole = _add_sides(rows, region)
    if whole.empty:
        raise DesignError(f"{name}: the predictions hold no volume of {region}.")
    models = sorted(whole["model_id"].unique())
    if len(models) > 1:
        raise DesignError(
            f"{name}: the predictions are of {len(models)} models ({', '.join(models)}); keep one."
        )
    return whole


def _add_sides(rows: pd.DataFrame, region: str) -> pd.DataFrame:
    parts = rows[rows["region"].isin([f"{side}_{region}" for side in SIDES])]
    # Errors of the two sides are taken as independent.
    parts = parts.assign(variance=parts["volume_sd_mm3"] ** 2)
    keys = ["participant_id", "model_id", "horizon_months"]
    columns = ["volume_mm3", "baseline_volume_mm3", "variance"]
    grouped = parts.groupby(keys)
    both = grouped[columns].sum(min_count=len(SIDES))
    both = both[grouped.size() == len(SIDES)].reset_index()
    return both.assign(volume_sd_mm3=np.sqrt(both["variance"]))


def _take_horizon(rows: pd.DataFrame, horizon: float, name: str) -> pd.DataFrame:
    horizons = rows["horizon_months"].to_numpy(dtype=float)
    nearest = horizons[np.argmin(np.abs(horizons - horizon))]
    if abs(nearest - horizon) > _MAX_HORIZON_GAP_MONTHS:
        raise DesignError(
            f"{name}: the nearest prediction is for {nearest:g} months, the horizon is "
            f"{horizon:g}; predict within {_MAX_HORIZON_GAP_MONTHS:g} months of it."
        )
    chosen: pd.DataFrame = rows[rows["horizon_months"] == nearest]
    return chosen.set_index("participant_id")
