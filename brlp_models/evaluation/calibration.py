"""Whether intervals of predicted volumes hold the truth as often as they say."""

import numpy as np
import pandas as pd
from scipy.stats import norm

LEVELS = (0.8, 0.95)


def summarize_calibration(
    predicted: pd.DataFrame, *, method: str, factor: float | None = None
) -> pd.DataFrame:
    """Return the coverage of intervals from the sd over draws, as drawn and widened.

    Parameters
    ----------
    predicted
        `participant_id`, `method`, `horizon_months`, `region`, `predicted_mm3`, `sd_mm3`,
        `true_mm3`.
    method
        Whose intervals.
    factor
        Widens the sd; None: each half of the people gets the factor that the other half needs.

    Returns
    -------
    DataFrame
        `region`, `level`, `coverage`, `coverage_recalibrated`, `factor`, `n`.
    """
    own = predicted[(predicted["method"] == method) & (predicted["sd_mm3"] > 0)].copy()
    rows = []
    for region, table in own.groupby("region"):
        z = ((table["true_mm3"] - table["predicted_mm3"]) / table["sd_mm3"]).to_numpy(float)
        people = pd.factorize(table["participant_id"])[0]
        widen = np.full(len(z), factor) if factor is not None else _cross_fit(z, people)
        for level in LEVELS:
            limit = norm.ppf(0.5 + level / 2)
            rows.append(
                {
                    "region": region,
                    "level": level,
                    "coverage": float(np.mean(np.abs(z) <= limit)),
                    "coverage_recalibrated": float(np.mean(np.abs(z) <= limit * widen)),
                    "factor": float(np.mean(widen)),
                    "n": len(z),
                }
            )
    return pd.DataFrame(rows)


def _cross_fit(
    z: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    people: "np.ndarray[tuple[int], np.dtype[np.int64]]",
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    half = people % 2
    widen = np.ones(len(z))
    for side in (0, 1):
        other = z[half != side]
        if len(other):
            widen[half == side] = np.sqrt(np.mean(other**2))
    return widen
