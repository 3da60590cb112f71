"""How near predictions come to the later truth, beside carrying the baseline forward."""

import numpy as np
import pandas as pd

from brlp_models.evaluation.methods import CARRY_FORWARD, KEY, MODEL
from brlp_models.evaluation.statistics import Array, compute_mean, estimate

VOLUME_ERROR = "MAE (% of brain)"
CHANGE_ERROR = "change error ratio"
IMAGE = "brain image"
_IMAGE_MEASURES = {"mse": "MSE", "ssim": "SSIM"}
_BEST = {"SSIM": 1.0}
"""Perfect predictions have 0 of every other measure."""


def tabulate_errors(predicted: pd.DataFrame, images: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return everyone's errors of volumes, and of scans, by method.

    Parameters
    ----------
    predicted
        `participant_id`, `method`, `horizon_months`, `region`, `predicted_mm3`, `true_mm3`,
        `brain_mm3` (at baseline; the paper's unit is percent of brain volume).
    images
        Rows of `measure_images`.

    Returns
    -------
    DataFrame
        `participant_id`, `horizon_months`, `region` (`brain image` for scans), `method`,
        `measure`, `value`.
    """
    columns = [*KEY, "method", "measure", "value"]
    error = 100 * (predicted["predicted_mm3"] - predicted["true_mm3"]) / predicted["brain_mm3"]
    volumes = predicted.assign(measure=VOLUME_ERROR, value=error.abs())[columns]
    if images is None or images.empty:
        return volumes
    long = images.rename(columns=_IMAGE_MEASURES).melt(
        ["participant_id", "horizon_months", "method"],
        list(_IMAGE_MEASURES.values()),
        "measure",
        "value",
    )
    return pd.concat([volumes, long.assign(region=IMAGE)[columns]], ignore_index=True)


def summarize_accuracy(
    errors: pd.DataFrame, *, rng: np.random.Generator, n_bootstrap: int = 1000
) -> pd.DataFrame:
    """Return the mean error of each method at each horizon, over people whom all methods predict.

    Parameters
    ----------
    errors
        Of `tabulate_errors`.
    rng, n_bootstrap
        Of the intervals.

    Returns
    -------
    DataFrame
        `horizon_months`, `region`, `measure`, `method`, `value`, `lower`, `upper`, `n`, and the
        percent by which the error is smaller than that of carrying forward (of 1 - SSIM for SSIM),
        paired by person: `improvement_percent`, `improvement_lower`, `improvement_upper`.
    """
    rows = []
    for (horizon, region, measure), own in errors.groupby(["horizon_months", "region", "measure"]):
        table = own.pivot_table(index="participant_id", columns="method", values="value").dropna()
        for method in table if len(table) else ():
            mine = table[method].to_numpy(float)
            found = estimate(compute_mean, mine, rng=rng, n_bootstrap=n_bootstrap)
            key = {"horizon_months": horizon, "region": region, "measure": measure}
            row = {**key, "method": method, **vars(found)}
            if CARRY_FORWARD in table and method != CARRY_FORWARD:
                best = _BEST.get(str(measure), 0.0)
                carried = table[CARRY_FORWARD].to_numpy(float)
                better = estimate(
                    compute_improvement,
                    np.abs(mine - best),
                    np.abs(carried - best),
                    rng=rng,
                    n_bootstrap=n_bootstrap,
                )
                row["improvement_percent"] = better.value
                row["improvement_lower"], row["improvement_upper"] = better.lower, better.upper
            rows.append(row)
    return pd.DataFrame(rows)


def summarize_change_errors(
    predicted: pd.DataFrame, *, rng: np.random.Generator, n_bootstrap: int = 1000
) -> pd.DataFrame:
    """Return how large the error of the predicted change is beside the change itself.

    The sum over people of abs(predicted - true change) over that of abs(true change), both in
    percent of the person's own baseline. Carrying forward has 1 by construction, so that what is
    below 1 tells of the change; an error of a volume or a scan would be small in any case, since
    people hardly change. After the change error of Delta-LFM (arXiv 2512.09185), which relates the
    two in scans; a ratio of sums, because that of one person is unbounded.

    Parameters
    ----------
    predicted
        As in `tabulate_errors`, with `start_mm3` (measured) and `baseline_mm3` (true).
    rng, n_bootstrap
        Of the intervals.

    Returns
    -------
    DataFrame
        Rows as those of `summarize_accuracy`, of the measure `CHANGE_ERROR`, over people whom all
        methods predict.
    """
    changes = predicted.assign(
        change=100 * (predicted["predicted_mm3"] / predicted["start_mm3"] - 1),
        true=100 * (predicted["true_mm3"] / predicted["baseline_mm3"] - 1),
    )
    rows = []
    for (horizon, region), own in changes.groupby(["horizon_months", "region"]):
        wide = own.pivot_table(index="participant_id", columns="method", values="change")
        true = own.drop_duplicates("participant_id").set_index("participant_id")["true"]
        table = wide.assign(true=true).dropna()
        for method in wide if len(table) else ():
            pair = (table[method].to_numpy(float), table["true"].to_numpy(float))
            found = estimate(compute_change_error, *pair, rng=rng, n_bootstrap=n_bootstrap)
            key = {"horizon_months": horizon, "region": region, "measure": CHANGE_ERROR}
            rows.append({**key, "method": method, **vars(found)})
    return pd.DataFrame(rows)


def compute_change_error(predicted: Array, true: Array) -> float:
    """Return the sum of absolute errors over that of absolute true changes; NaN for 0."""
    whole = float(np.abs(true).sum())
    return float(np.abs(predicted - true).sum()) / whole if whole > 0 else float("nan")


def summarize_by_sex(
    errors: pd.DataFrame,
    sex: "pd.Series[str]",
    *,
    rng: np.random.Generator,
    n_bootstrap: int = 1000,
) -> pd.DataFrame:
    """Return `summarize_accuracy` of the model among women and among men.

    Parameters
    ----------
    errors
        Of `tabulate_errors`.
    sex
        F or M, by participant.
    rng, n_bootstrap
        Of the intervals.
    """
    own = errors[errors["method"].isin([MODEL, CARRY_FORWARD])]
    parts = [
        summarize_accuracy(people, rng=rng, n_bootstrap=n_bootstrap).assign(sex=name)
        for name, people in own.groupby(own["participant_id"].map(sex))
    ]
    return pd.concat(parts, ignore_index=True)


def compute_improvement(mine: Array, carried: Array) -> float:
    """Return the percent by which the mean of `mine` is below that of `carried`; NaN for 0."""
    whole = compute_mean(carried)
    return 100 * (1 - compute_mean(mine) / whole) if whole > 0 else float("nan")
