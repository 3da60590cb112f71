"""How near predicted volumes and scans come to the later truth."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from brlp_models.evaluation.statistics import (
    Estimate,
    compute_mean_absolute,
    compute_spearman,
    estimate,
)

CARRY_FORWARD = "carry forward"
REFERENCE = "baseline table alone"


def summarize_accuracy(
    predicted: pd.DataFrame, *, rng: np.random.Generator, n_bootstrap: int = 1000
) -> pd.DataFrame:
    """Return the mean absolute error of each method, region and horizon.

    Parameters
    ----------
    predicted
        `participant_id`, `method`, `horizon_months`, `region`, `predicted_mm3`, `true_mm3`,
        `baseline_mm3` (true), `start_mm3` (measured), `brain_mm3` (at
        baseline; the paper's unit is percent of brain volume).
    rng, n_bootstrap
        Of the intervals.

    Returns
    -------
    DataFrame
        `horizon_months`, `region`, `method`, `measure` (`MAE (% of brain)`, and
        `improvement over carry forward (%)`), `value`, `lower`, `upper`, `n`.
    """
    rows = []
    for (horizon, region), own in predicted.groupby(["horizon_months", "region"]):
        errors = _tabulate_errors(own)
        carry = errors.get(CARRY_FORWARD)
        for method in errors:
            mine = errors[method].to_numpy(float)
            found = estimate(compute_mean_absolute, mine, rng=rng, n_bootstrap=n_bootstrap)
            key = {"horizon_months": horizon, "region": region, "method": method}
            rows.append({**key, "measure": "MAE (% of brain)", **vars(found)})
            if carry is not None and method != CARRY_FORWARD:
                better = estimate(
                    _compute_improvement,
                    mine,
                    carry.to_numpy(float),
                    rng=rng,
                    n_bootstrap=n_bootstrap,
                )
                name = "improvement over carry forward (%)"
                rows.append({**key, "measure": name, **vars(better)})
    return pd.DataFrame(rows)


def summarize_ranking(
    predicted: pd.DataFrame,
    diagnosis: "pd.Series[str]",
    *,
    rng: np.random.Generator,
    region: str = "hippocampus",
    n_bootstrap: int = 1000,
) -> pd.DataFrame:
    """Return the rank correlation of predicted and true percent change, in all and by diagnosis.

    Parameters
    ----------
    predicted
        As in `summarize_accuracy`.
    diagnosis
        At baseline, by participant.
    region
        Whose change.
    rng, n_bootstrap
        Of the intervals.
    """
    rows = []
    own = predicted[(predicted["region"] == region) & (predicted["method"] != CARRY_FORWARD)]
    for (horizon, method), table in own.groupby(["horizon_months", "method"]):
        for subgroup, people in _iterate_subgroups(table, diagnosis):
            mine = 100 * (people["predicted_mm3"] / people["start_mm3"] - 1)
            true = 100 * (people["true_mm3"] / people["baseline_mm3"] - 1)
            found = _estimate_ranking(mine, true, rng, n_bootstrap)
            key = {"horizon_months": horizon, "method": method, "subgroup": subgroup}
            rows.append({**key, "measure": f"Spearman, {region} change", **vars(found)})
    return pd.DataFrame(rows)


def _estimate_ranking(
    mine: "pd.Series[float]", true: "pd.Series[float]", rng: np.random.Generator, n_bootstrap: int
) -> Estimate:
    if len(mine) < 4:
        return Estimate(float("nan"), float("nan"), float("nan"), len(mine))
    return estimate(
        compute_spearman, np.asarray(mine, dtype=float), np.asarray(true, dtype=float), rng=rng,
        n_bootstrap=n_bootstrap,
    )  # fmt: skip


def _iterate_subgroups(
    table: pd.DataFrame, diagnosis: "pd.Series[str]"
) -> Iterator[tuple[str, pd.DataFrame]]:
    yield "all", table
    groups = table["participant_id"].map(diagnosis)
    for name in sorted(groups.dropna().unique()):
        yield str(name), table[groups == name]


def _tabulate_errors(own: pd.DataFrame) -> pd.DataFrame:
    error = 100 * (own["predicted_mm3"] - own["true_mm3"]) / own["brain_mm3"]
    table = own.assign(error=error).pivot_table(
        index="participant_id", columns="method", values="error"
    )
    return table.dropna()


def _compute_improvement(
    mine: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    carry: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> float:
    return 100 * (1 - compute_mean_absolute(mine) / compute_mean_absolute(carry))
