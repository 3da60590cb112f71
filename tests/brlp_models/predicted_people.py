"""Two drawn people with scans, to be predicted with a tiny random model."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brlp_models.prediction import cohort as prediction_cohort
from brlp_models.prediction.batches import BatchSize
from brlp_models.prediction.job import CohortPrediction
from cohorts.cohort import Cohort

REGIONS = ("hippocampus", "lateral_ventricle")
PEOPLE = ("sub-1", "sub-2")
ROUNDING = {"rtol": 1e-4}
"""Single precision: the sds over draws are small differences of large volumes."""


def make_tables(
    people: Sequence[str], months: Sequence[float], rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    n = len(people)
    participants = pd.DataFrame(
        {
            "participant_id": people,
            "sex": rng.choice(["F", "M"], n),
            "age_years": rng.uniform(60, 80, n),
            "diagnosis": rng.choice(["CN", "MCI", "AD"], n),
        }
    )
    visits = participants.merge(pd.DataFrame({"months_from_baseline": months}), how="cross")
    visits["session_id"] = [f"ses-{m:g}" for m in visits["months_from_baseline"]]
    visits["age_years"] += visits["months_from_baseline"] / 12
    volumes = visits[["participant_id", "session_id"]].merge(
        pd.DataFrame(
            {"region": [*REGIONS, "left_hippocampus"], "volume_mm3": [7000.0, 40000.0, 3500.0]}
        ),
        how="cross",
    )
    volumes["volume_mm3"] *= rng.uniform(0.9, 1.1, len(volumes))
    return {
        "participants": participants,
        "visits": visits.drop(columns="sex").assign(image_path=None, segmentation_path=None),
        "volumes": volumes.assign(source="test"),
    }


Predict = Callable[..., CohortPrediction]


def batch_as_on_a_gpu(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        prediction_cohort, "choose_batch_sizes", lambda *_: (BatchSize(size), BatchSize(1))
    )


def only(cohort: Cohort, people: Sequence[str]) -> Cohort:
    names = ("participants", "visits", "volumes")
    tables = {name: getattr(cohort, name) for name in names}
    return replace(
        cohort, **{k: v[v["participant_id"].isin(people)][::-1] for k, v in tables.items()}
    )


def volumes_of(found: CohortPrediction, person: str) -> pd.Series:
    rows = found.predictions[found.predictions["participant_id"] == person]
    return rows.set_index(["horizon_months", "region"])["volume_mm3"]
