"""How long loading and validating 100,000 people with 5 visits takes, against reading alone.

Run: python benchmarks/bench_loading.py [n_participants]
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from cohorts.cohort import Cohort
from cohorts.folder import read_tables, write_cohort
from cohorts.loading import load_cohort

N_VISITS = 5
REGIONS = ("hippocampus", "amygdala", "lateral_ventricle", "cerebral_cortex")
MEAN_MM3 = {"hippocampus": 7e3, "amygdala": 3e3, "lateral_ventricle": 4e4, "cerebral_cortex": 5e5}


def build_cohort(n_participants: int) -> Cohort:
    """Return a cohort of plausible numbers; only its size matters here."""
    rng = np.random.default_rng(0)
    ids = np.array([f"sub-{i:06d}" for i in range(n_participants)])
    ages = rng.uniform(55, 85, n_participants)
    participants = pd.DataFrame(
        {
            "participant_id": ids,
            "sex": rng.choice(["F", "M"], n_participants),
            "age_years": ages,
            "diagnosis": rng.choice(["CN", "MCI", "AD"], n_participants),
            "mmse": rng.integers(18, 31, n_participants),
        }
    )
    months = np.tile(6.0 * np.arange(N_VISITS), n_participants)
    visits = pd.DataFrame(
        {
            "participant_id": np.repeat(ids, N_VISITS),
            "session_id": np.tile([f"ses-{i:02d}" for i in range(N_VISITS)], n_participants),
            "age_years": np.repeat(ages, N_VISITS) + months / 12,
            "months_from_baseline": months,
            "diagnosis": np.repeat(participants["diagnosis"].to_numpy(), N_VISITS),
            "image_path": None,
            "segmentation_path": None,
        }
    )
    return Cohort(participants, visits, build_volumes(visits, rng), is_synthetic=True)


def build_volumes(visits: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return left, right, both of each region for each visit."""
    key = visits[["participant_id", "session_id"]]
    parts = []
    for region in REGIONS:
        person = np.repeat(rng.uniform(0.9, 1.1, (2, len(visits) // N_VISITS)), N_VISITS, axis=1)
        left, right = MEAN_MM3[region] / 2 * person * rng.normal(1, 0.01, person.shape)
        named = {f"left_{region}": left, f"right_{region}": right, region: left + right}
        parts += [key.assign(region=name, volume_mm3=mm3) for name, mm3 in named.items()]
    return pd.concat(parts, ignore_index=True).assign(source="synthetic")


def measure_seconds(action: Callable[[], object]) -> tuple[float, float]:
    """Return CPU and wall seconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    action()
    return time.process_time() - cpu, time.perf_counter() - wall


def main(n_participants: int = 100_000) -> None:
    """Print the seconds of reading, of loading with validation, and their ratio."""
    with TemporaryDirectory() as folder:
        path = Path(folder)
        cohort = build_cohort(n_participants)
        write_cohort(cohort, path / "folder")
        wide = cohort.visits.drop(columns=["image_path", "segmentation_path"])
        cohort.participants[["participant_id", "sex", "mmse"]].merge(wide).merge(
            cohort.volumes.pivot_table(
                index=["participant_id", "session_id"], columns="region", values="volume_mm3"
            ).reset_index()
        ).to_parquet(path / "visits.parquet")
        read = measure_seconds(lambda: read_tables(path / "folder"))
        print(f"{n_participants:,} people x {N_VISITS} visits, {len(cohort.volumes):,} volumes")
        for name in ("folder", "visits.parquet"):
            cpu, wall = measure_seconds(partial(load_cohort, path / name))
            print(
                f"load and validate {name}: {cpu:.1f} s CPU, {wall:.1f} s wall, "
                f"{cpu / read[0]:.1f} x reading the Parquet files alone ({read[0]:.1f} s CPU)"
            )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
