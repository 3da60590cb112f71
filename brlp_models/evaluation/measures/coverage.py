"""Whether intervals of predicted volumes hold the truth as often as they say."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import norm

from brlp_models.evaluation.statistics import Array, estimate_share

LEVELS: Final = (0.8, 0.95)
OTHER_PEOPLE, HALVES = "another cohort", "the other half of these people"
Factors = dict[tuple[str, float], float]
"""What the sd is multiplied by, for a region and level."""


def summarize_calibration(
    predicted: pd.DataFrame, *, factors: Factors | None = None
) -> pd.DataFrame:
    """Return the coverage of intervals from the predicted sd, as it is and recalibrated.

    Parameters
    ----------
    predicted
        One method's `participant_id`, `horizon_months`, `region`, `start_mm3`, `predicted_mm3`,
        `sd_mm3`, `true_mm3`.
    factors
        Of `fit_factors`, from other people; None: each half of these people gets the factors that
        the other half needs.

    Returns
    -------
    DataFrame
        `horizon_months`, `region`, `level`, `coverage`, `coverage_of_most` and `recalibrated` with
        Wilson's 95 % intervals (`_lower`, `_upper`), `factor`, `n`, `fitted_on`. Of most: of the
        half of the people whose predicted change is the largest, whom a trial would enroll.
    """
    own = _standardize(predicted)
    own["change"] = (own["predicted_mm3"] / own["start_mm3"] - 1).abs()
    rows = []
    for level in LEVELS:
        own["factor"] = (
            _cross_fit(own, level)
            if factors is None
            else [factors.get((region, level), np.nan) for region in own["region"]]
        )
        for (horizon, region), table in own.groupby(["horizon_months", "region"]):
            z = table["z"].to_numpy(float)
            limit, wider = norm.ppf(0.5 + level / 2), table["factor"].to_numpy(float)
            most = (table["change"] >= table["change"].median()).to_numpy()
            rows.append(
                {
                    "horizon_months": horizon,
                    "region": region,
                    "level": level,
                    **_cover("coverage", np.abs(z) <= limit),
                    **_cover("coverage_of_most", (np.abs(z) <= limit)[most]),
                    **_cover("recalibrated", (np.abs(z) <= limit * wider)[wider > 0]),
                    "factor": float(np.mean(wider)),
                    "n": len(z),
                    "fitted_on": HALVES if factors is None else OTHER_PEOPLE,
                }
            )
    return pd.DataFrame(rows)


def summarize_coverage(predicted: pd.DataFrame) -> pd.DataFrame:
    """Return how often the intervals of each method that has some hold the truth.

    Parameters
    ----------
    predicted
        As in `summarize_calibration`, of several methods (`method`); those without `sd_mm3`, such
        as carrying forward, have no row.

    Returns
    -------
    DataFrame
        `method`, and the columns of `summarize_calibration`.
    """
    parts = [
        summarize_calibration(own).assign(method=method)
        for method, own in predicted[predicted["sd_mm3"] > 0].groupby("method", sort=False)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"method": []})


def fit_factors(predicted: pd.DataFrame) -> Factors:
    """Return the factors with which the intervals of these people would hold the truth.

    Split conformal prediction (Lei et al. 2018, J Am Stat Assoc 113:1094): the quantile of
    |error| / sd of people who are not evaluated, over the normal one. It makes no assumption on
    the errors' distribution, and few draws give a heavy-tailed one.
    """
    own = _standardize(predicted)
    return {
        (str(region), level): _fit_factor(table["z"].to_numpy(float), level)
        for region, table in own.groupby("region")
        for level in LEVELS
    }


def _standardize(predicted: pd.DataFrame) -> pd.DataFrame:
    own = predicted[predicted["sd_mm3"] > 0]
    return own.assign(z=(own["true_mm3"] - own["predicted_mm3"]) / own["sd_mm3"])


def _fit_factor(z: Array, level: float) -> float:
    share = min(1.0, level * (1 + 1 / len(z)))
    needed = np.quantile(np.abs(z), share, method="inverted_cdf")
    return float(needed / norm.ppf(0.5 + level / 2))


def _cross_fit(own: pd.DataFrame, level: float) -> "pd.Series[float]":
    half = pd.Series(pd.factorize(own["participant_id"])[0] % 2, index=own.index)
    factor = pd.Series(np.nan, index=own.index)
    for rows, others in _iterate_halves(own, half):
        factor[rows] = _fit_factor(own.loc[others, "z"].to_numpy(float), level)
    return factor


def _iterate_halves(
    own: pd.DataFrame, half: "pd.Series[int]"
) -> Iterator[tuple[pd.Index, pd.Index]]:
    """Yield rows of one region and half, with those of the other half of the people."""
    for _, region in own.groupby("region"):
        first, second = (region.index[half[region.index] == side] for side in (0, 1))
        if len(first) and len(second):
            yield first, second
            yield second, first


def _cover(name: str, inside: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> dict[str, float]:
    found = estimate_share(int(inside.sum()), len(inside))
    return {name: found.value, f"{name}_lower": found.lower, f"{name}_upper": found.upper}
