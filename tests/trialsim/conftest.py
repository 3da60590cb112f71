"""Simulated people with a known decline."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from cohorts.cohort import Cohort
from trialsim.enrichment.strategies.strategy import ScreeningTables


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260101)


def simulate_people(n: int, rng: np.random.Generator) -> ScreeningTables:
    """Decline depends on diagnosis, baseline volume and luck; the prediction knows half of it."""
    ids = pd.Index([f"sub-{number:04d}" for number in range(n)], name="participant_id")
    diagnosis = rng.choice(["CN", "MCI", "AD"], n, p=[0.3, 0.5, 0.2])
    head = rng.normal(1.5e6, 1.3e5, n)
    volume = 7000 + 0.0015 * (head - 1.5e6) - 500 * (diagnosis == "AD") + rng.normal(0, 600, n)
    known = 1.5 * (diagnosis == "MCI") + 3 * (diagnosis == "AD") - 0.0008 * (volume - 7000)
    decline = 3 + known + rng.normal(0, 1.5, n)
    baseline = pd.DataFrame(
        {
            "age_years": rng.normal(73, 7, n),
            "sex": rng.choice(["F", "M"], n),
            "diagnosis": diagnosis,
            "hippocampus_mm3": volume,
            "head_size_mm3": head,
        },
        index=ids,
    )
    predicted = 3 + 0.5 * (decline - decline.mean()) + rng.normal(0, 1.2, n)
    predictions = pd.DataFrame(
        {
            "participant_id": ids,
            "model_id": "stand-in",
            "horizon_months": 24.0,
            "region": "hippocampus",
            "volume_mm3": volume * (1 - predicted / 100),
            "volume_sd_mm3": rng.uniform(50, 100, n),
            "n_samples": 4,
            "baseline_volume_mm3": volume,
        }
    )
    measured = decline + rng.normal(0, 1, n)
    return ScreeningTables(
        baseline=baseline,
        outcome=pd.Series(measured, index=ids).iloc[: int(0.8 * n)],
        truth=pd.Series(decline, index=ids),
        predictions=predictions,
    )


@pytest.fixture
def people() -> ScreeningTables:
    return simulate_people(300, np.random.default_rng(20260101))


@pytest.fixture
def simulate() -> Callable[[int, np.random.Generator], ScreeningTables]:
    return simulate_people


@pytest.fixture
def cohort(people: ScreeningTables) -> Cohort:
    """The same people with visits at 0, 12, 24 months; a quarter leaves after 12."""
    baseline = people.baseline.reset_index()
    rows = []
    for number, row in enumerate(baseline.to_dict("records")):
        for months in (0, 12) if number % 4 == 0 else (0, 12, 24):
            rows.append(
                {
                    "participant_id": row["participant_id"],
                    "session_id": f"m{months:02d}",
                    "age_years": row["age_years"] + months / 12,
                    "months_from_baseline": months,
                    "diagnosis": row["diagnosis"],
                    "image_path": None,
                    "segmentation_path": None,
                    "hippocampus": row["hippocampus_mm3"]
                    * (1 - months / 24 * people.truth[row["participant_id"]] / 100),
                    "head_size_mm3": row["head_size_mm3"],
                }
            )
    visits = pd.DataFrame(rows)
    volumes = visits.melt(
        id_vars=["participant_id", "session_id"],
        value_vars=["hippocampus", "head_size_mm3"],
        var_name="region",
        value_name="volume_mm3",
    ).assign(source="simulated")
    return Cohort(
        participants=baseline[["participant_id", "sex", "age_years", "diagnosis"]],
        visits=visits.drop(columns=["hippocampus", "head_size_mm3"]),
        volumes=volumes,
        name="test people",
        is_synthetic=True,
    )
