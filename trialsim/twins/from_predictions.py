"""Twins from a table of predicted volumes, such as those of BrLP."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cohorts.cohort import Cohort
from cohorts.sources.columns import name_volume_column
from trialsim.errors import DesignError


def build_twins(
    people: Cohort,
    predictions: pd.DataFrame,
    *,
    months: Sequence[float],
    endpoint: str = "hippocampus",
    model_id: str | None = None,
) -> pd.DataFrame:
    """Return the untreated volume of each person at each month, with its sd.

    A prediction's relative change, from the baseline measured through the same decoder, is put on
    the volume that the trial measured at baseline, so that the decoder's bias cancels.

    Parameters
    ----------
    people
        The trial's people; only their baseline is read.
    predictions
        Table `predictions` of `cohorts.schema`.
    months
        The trial's visits after baseline; each needs a prediction.
    endpoint
        A region.
    model_id
        Which model, where the table has several.

    Returns
    -------
    pandas.DataFrame
        Columns of `twins` in `cohorts.schema`.

    Raises
    ------
    DesignError
        People or months without a prediction, several models, no measured baseline.
    """
    rows = predictions[predictions["region"] == endpoint]
    if model_id is not None:
        rows = rows[rows["model_id"] == model_id]
    models = sorted(rows["model_id"].unique())
    if len(models) != 1:
        raise DesignError(
            f"Twins need the predictions of one model for {endpoint}, got "
            f"{', '.join(models) or 'none'}: name it."
        )
    baseline = people.baseline()
    column = name_volume_column(endpoint)
    if column not in baseline or baseline[column].isna().any():
        raise DesignError(f"The trial lacks {column} at baseline for some people or for all.")
    wanted = pd.MultiIndex.from_product([baseline.index, [float(month) for month in months]])
    found = rows.set_index(["participant_id", "horizon_months"]).reindex(wanted)
    _refuse_gaps(found, wanted)
    volume = baseline[column].to_numpy(dtype=float).repeat(len(months))
    scale = volume / found["baseline_volume_mm3"].to_numpy(dtype=float)
    return pd.DataFrame(
        {
            "participant_id": wanted.get_level_values(0),
            "months": wanted.get_level_values(1),
            "region": endpoint,
            "predicted_mm3": found["volume_mm3"].to_numpy(dtype=float) * scale,
            "sd_mm3": found["volume_sd_mm3"].to_numpy(dtype=float) * scale,
        }
    )


def _refuse_gaps(found: pd.DataFrame, wanted: pd.MultiIndex) -> None:
    gaps = np.asarray(found["volume_mm3"].isna())
    if gaps.any():
        person, month = wanted[gaps][0]
        raise DesignError(
            f"{int(gaps.sum())} predictions are missing (first: {person} at month {month:g}): "
            "predict everyone of the trial at every visit."
        )
