"""Who a cohort's people are, as a table and in short."""

import json
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.schema import order_diagnoses

EVERYONE: Final = "all"

_COLUMNS: Final = [
    *("group", "characteristic", "n", "percent"),
    *("mean", "sd", "median", "lower", "upper"),
]

_MEASURED: Final = {
    "age_years": "Age, years",
    "education_years": "Education, years",
    "mmse": "MMSE",
    "hippocampus_mm3": "Hippocampus, mm3",
    "head_size_mm3": "Head size, mm3",
}


def compute_demographics(cohort: Cohort) -> pd.DataFrame:
    """Return what describes each diagnosis group at baseline, with the follow-up it had.

    Returns
    -------
    DataFrame
        One row per `group` (`all`, then each diagnosis) and `characteristic`; `n` people with a
        value, `mean`, `sd`, `median`, `lower` and `upper` (the quartiles) of numbers, `percent`
        for shares.
    """
    people = cohort.baseline()
    followup = cohort.visits.groupby("participant_id")["months_from_baseline"]
    people["followup_months"] = followup.max()
    people["n_visits"] = followup.size()
    rows = [
        {"group": group, **row}
        for group, members in _split(people)
        for row in _describe_group(members)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _split(people: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield EVERYONE, people
    for diagnosis in order_diagnoses(people["diagnosis"]):
        yield diagnosis, people[people["diagnosis"] == diagnosis]


def _describe_group(people: pd.DataFrame) -> Iterator[dict[str, object]]:
    yield {"characteristic": "People (numbers: mean, SD)", "n": len(people)}
    yield _describe_share("Women", people["sex"] == "F")
    for column, name in _MEASURED.items():
        if column in people and people[column].notna().any():
            yield _describe_numbers(name, people[column])
    if "apoe4" in people and people["apoe4"].notna().any():
        yield _describe_share("APOE4 carriers", people["apoe4"].dropna() > 0)
    yield _describe_numbers("Visits", people["n_visits"])
    yield _describe_share("Followed up", people["n_visits"] > 1)
    followed = people.loc[people["n_visits"] > 1, "followup_months"]
    if len(followed):
        yield _describe_numbers("Follow-up, months", followed)


def _describe_share(name: str, flags: pd.Series) -> dict[str, object]:
    return {"characteristic": name, "n": int(flags.sum()), "percent": 100.0 * flags.mean()}


def _describe_numbers(name: str, values: pd.Series) -> dict[str, object]:
    known = values.dropna().astype(float)
    return {
        "characteristic": name,
        "n": len(known),
        "mean": known.mean(),
        "sd": known.std(),
        "median": known.median(),
        "lower": known.quantile(0.25),
        "upper": known.quantile(0.75),
    }


def format_demographics(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table as it is read: a row a characteristic, a column a group, as text."""
    cells = table.assign(text=[_format(row) for row in table.to_dict("records")])
    wide = cells.pivot_table(
        index="characteristic", columns="group", values="text", aggfunc="first", sort=False
    )
    return wide.fillna("").reset_index().rename_axis(columns=None)


def _format(row: Mapping[Hashable, Any]) -> str:
    if pd.notna(row["percent"]):
        return f"{row['n']:,} ({row['percent']:.0f} %)"
    if pd.isna(row["mean"]):
        return f"{row['n']:,}"
    digits = 0 if row["mean"] >= 1000 else 1
    spread = "" if pd.isna(row["sd"]) else f" ({row['sd']:,.{digits}f})"
    return f"{row['mean']:,.{digits}f}{spread}"


def name_cohort(cohort: Cohort) -> str:
    """Return the cohort's name, marked where its people are synthetic and it does not say so."""
    is_marked = not cohort.is_synthetic or "synthetic" in cohort.name.lower()
    return cohort.name if is_marked else f"{cohort.name} (SYNTHETIC people)"


def summarize_cohort(cohort: Cohort) -> dict[str, Any]:
    """Return how much a cohort holds, and who was left out and why, as plain values."""
    return {
        "cohort": cohort.name,
        "is_synthetic": cohort.is_synthetic,
        "n_participants": len(cohort.participants),
        "n_visits": len(cohort.visits),
        "n_volumes": len(cohort.volumes),
        "n_rejected": int(cohort.rejected["participant_id"].nunique(dropna=False)),
        "notes": list(cohort.notes),
        "rejected": json.loads(cohort.rejected.to_json(orient="records")),
    }
