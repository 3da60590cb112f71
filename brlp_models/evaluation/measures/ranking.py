"""Whether the people who will lose most are predicted to lose most."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from brlp_models.evaluation.methods import AUXILIARY, CARRY_FORWARD, MODEL, REFERENCE
from brlp_models.evaluation.statistics import (
    Array,
    Estimate,
    compute_spearman,
    estimate,
)

REGION = "hippocampus"
_FEWEST = 4


def summarize_ranking(
    predicted: pd.DataFrame,
    diagnosis: "pd.Series[str]",
    *,
    region: str = REGION,
    rng: np.random.Generator,
    n_bootstrap: int = 1000,
) -> pd.DataFrame:
    """Return the rank correlation of predicted and true change of each method.

    Parameters
    ----------
    predicted
        `participant_id`, `method`, `horizon_months`, `region`, `predicted_mm3`, `start_mm3`
        (measured), `true_mm3`, `baseline_mm3` (true).
    diagnosis
        At baseline, by participant.
    region
        Whose change: the model's endpoint.
    rng, n_bootstrap
        Of the intervals.

    Returns
    -------
    DataFrame
        `horizon_months`, `subgroup` (`all`, and each diagnosis that not all have), `method`,
        `measure` (`Spearman`; for the model and each baseline also the difference to the auxiliary
        model and to the regression on the baseline table, by person, and for the model that to each
        baseline), `value`, `lower`, `upper`, `n`; NaN for fewer than four people.
    """
    # of its own, so that another baseline changes no other interval
    (rng_of_baselines,) = rng.spawn(1)
    rows = []
    for horizon, changes in _tabulate_changes(predicted, region):
        for subgroup, people in _iterate_subgroups(changes, diagnosis):
            key = {"horizon_months": horizon, "subgroup": subgroup}
            for method in people.columns.drop("true"):
                found = _rank(people, [method], rng, n_bootstrap)
                rows.append({**key, "method": method, "measure": "Spearman", **vars(found)})
            without = [name for name in (AUXILIARY, REFERENCE) if name in people]
            baselines = people.columns.drop(["true", MODEL, *without], errors="ignore")
            pairs = [
                (method, other, rng)
                for method in people.columns.drop(["true", *without])
                for other in without
            ]
            if MODEL in people:
                pairs += [(MODEL, other, rng_of_baselines) for other in baselines]
            for method, other, own_rng in pairs:
                found = _rank(people, [method, other], own_rng, n_bootstrap)
                name = f"Spearman minus that of the {other}"
                rows.append({**key, "method": method, "measure": name, **vars(found)})
    return pd.DataFrame(rows)


def compute_difference(true: Array, first: Array, second: Array) -> float:
    """Return how much better `first` ranks the true change than `second`."""
    return compute_spearman(first, true) - compute_spearman(second, true)


def _rank(
    people: pd.DataFrame, methods: list[str], rng: np.random.Generator, n_bootstrap: int
) -> Estimate:
    if len(people) < _FEWEST:
        return Estimate(float("nan"), float("nan"), float("nan"), len(people))
    statistic: Callable[..., float] = compute_spearman if len(methods) == 1 else compute_difference
    columns = [people[name].to_numpy(float) for name in ("true", *methods)]
    return estimate(statistic, *columns, rng=rng, n_bootstrap=n_bootstrap)


def _tabulate_changes(predicted: pd.DataFrame, region: str) -> Iterator[tuple[float, pd.DataFrame]]:
    """Yield, for each horizon, percent changes by person (rows) and method, with the true one."""
    own = predicted[(predicted["region"] == region) & (predicted["method"] != CARRY_FORWARD)]
    own = own.assign(
        change=100 * (own["predicted_mm3"] / own["start_mm3"] - 1),
        true=100 * (own["true_mm3"] / own["baseline_mm3"] - 1),
    )
    for horizon, table in own.groupby("horizon_months"):
        wide = table.pivot_table(index="participant_id", columns="method", values="change")
        true = table.drop_duplicates("participant_id").set_index("participant_id")["true"]
        yield float(str(horizon)), wide.assign(true=true).dropna()


def _iterate_subgroups(
    table: pd.DataFrame, diagnosis: "pd.Series[str]"
) -> Iterator[tuple[str, pd.DataFrame]]:
    yield "all", table
    groups = diagnosis.reindex(table.index)
    for name in sorted(groups.dropna().unique()):
        members = groups == name
        if not members.all():
            yield str(name), table[members]
