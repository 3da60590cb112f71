"""Strategies that read a table of predicted volumes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from cohorts.schema import SIDES
from trialsim.enrichment.strategies.strategy import ScreeningTables, make_scores
from trialsim.errors import DesignError

HORIZON_GAP_MONTHS: Final = 6.0
"""How far from the horizon a prediction may be: it ranks people alike, but is of another size."""

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


@dataclass(frozen=True)
class PredictedCourse:
    """Predicted volumes at several visits, each person's own row.

    Attributes
    ----------
    baseline
        mm3, measured the way the prediction is, index `participant_id`.
    volume, sd
        mm3, one column a visit (months).
    """

    baseline: pd.Series
    volume: pd.DataFrame
    sd: pd.DataFrame


def compute_predicted_course(
    tables: ScreeningTables, source: str, months: Sequence[float]
) -> PredictedCourse:
    """Return predicted volumes at the visits of a design; NaN for people without a prediction.

    Parameters
    ----------
    tables
        Screened people.
    source
        "predictions" or "auxiliary".
    months
        Of the visits after baseline.

    Raises
    ------
    DesignError
        There are no predictions, none for the region, or none for one of the months.
    """
    rows: pd.DataFrame | None = getattr(tables, source)
    if rows is None or rows.empty:
        raise DesignError(
            'outcomes "predicted" need predicted volumes: run `trialsim predict` first, or name a '
            "table of them (--predictions)."
        )
    rows = _take_region(rows, tables.region, 'outcomes "predicted"')
    known = sorted(map(float, rows["horizon_months"].unique()))
    lacking = [month for month in months if float(month) not in known]
    if lacking:
        have = ", ".join(f"{month:g}" for month in known)
        raise DesignError(
            f"Predictions are for month {have}; the design's visits at month "
            f"{', '.join(f'{month:g}' for month in lacking)} have none: predict for the visits of "
            "the design."
        )
    visits = {
        month: rows[rows["horizon_months"] == month].set_index("participant_id") for month in months
    }
    last = visits[months[-1]]
    return PredictedCourse(
        tables.look_up(last["baseline_volume_mm3"]),
        pd.DataFrame({m: tables.look_up(own["volume_mm3"]) for m, own in visits.items()}),
        pd.DataFrame({m: tables.look_up(own["volume_sd_mm3"]) for m, own in visits.items()}),
    )


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
    if abs(nearest - horizon) > HORIZON_GAP_MONTHS:
        raise DesignError(
            f"{name}: the nearest prediction is for {nearest:g} months, the horizon is "
            f"{horizon:g}; predict within {HORIZON_GAP_MONTHS:g} months of it."
        )
    chosen: pd.DataFrame = rows[rows["horizon_months"] == nearest]
    return chosen.set_index("participant_id")
