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

from cohorts.cohort import Cohort
from cohorts.files.folder import read_tables
from cohorts.sources.columns import name_volume_column
from cohorts.sources.loading import load_cohort
from cohorts.synthetic.tabular import synthesize_table


def write_one_table(cohort: Cohort, path: Path) -> None:
    """Write a cohort as one table, Parquet or CSV, a row a visit, a column a region."""
    wide = cohort.volumes.pivot_table(
        index=["participant_id", "session_id"], columns="region", values="volume_mm3"
    )
    wide.columns = [name_volume_column(region) for region in wide]
    visits = cohort.visits.drop(columns=["image_path", "segmentation_path"])
    people = cohort.participants.drop(columns=["age_years", "diagnosis"])
    table = visits.merge(people).merge(wide.reset_index())
    table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path)


def measure_seconds(action: Callable[[], object]) -> tuple[float, float]:
    """Return CPU and wall seconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    action()
    return time.process_time() - cpu, time.perf_counter() - wall


def main(n_participants: int = 100_000) -> None:
    """Print the seconds of reading, of loading with validation, and their ratio."""
    cohort, _ = synthesize_table(n_participants, rng=np.random.default_rng(0))
    with TemporaryDirectory() as folder:
        path = Path(folder)
        cohort.write(path / "folder")
        for name in ("visits.parquet", "visits.csv"):
            write_one_table(cohort, path / name)
        read, _ = measure_seconds(partial(read_tables, path / "folder"))
        print(f"{n_participants:,} people, {len(cohort.visits):,} visits, ", end="")
        print(f"{len(cohort.volumes):,} volumes; reading alone {read:.1f} s CPU")
        for name in ("folder", "visits.parquet", "visits.csv"):
            cpu, wall = measure_seconds(partial(load_cohort, path / name))
            print(f"load and validate {name}: {cpu:.1f} s CPU ({wall:.1f} s wall), ", end="")
            print(f"{cpu / read:.1f} x reading alone")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
