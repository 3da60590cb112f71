"""A million predictions into a study file: beside row-by-row inserts, a key index, and Parquet."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from reports.store.study import Study

N_ROWS = 1_000_000
N_LOOP = 2_000


def make_predictions(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    regions = ["hippocampus", "amygdala", "lateral_ventricle", "thalamus", "csf"]
    return pd.DataFrame(
        {
            "participant_id": np.repeat([f"sub-{i:06d}" for i in range(rows // 10)], 10),
            "model_id": "mini",
            "horizon_months": np.tile(np.repeat([24.0, 48.0], 5), rows // 10),
            "region": np.tile(regions, rows // 5),
            "volume_mm3": rng.normal(6000, 600, rows).round(1),
            "volume_sd_mm3": rng.gamma(9, 7, rows).round(2),
            "n_samples": 8,
            "baseline_volume_mm3": rng.normal(6100, 600, rows).round(1),
        }
    )


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def write(study: Study, frame: pd.DataFrame) -> None:
    with study.run(command="benchmark", config={}) as run:
        run.write("predictions", frame)


def loop(path: Path, frame: pd.DataFrame) -> None:
    with duckdb.connect(path) as connection:
        connection.execute(
            "CREATE TABLE p (a VARCHAR, b VARCHAR, c DOUBLE, d VARCHAR, "
            "e DOUBLE, f DOUBLE, g INT, h DOUBLE)"
        )
        for row in frame.itertuples(index=False):
            connection.execute("INSERT INTO p VALUES (?, ?, ?, ?, ?, ?, ?, ?)", list(row))


def main() -> None:
    frame = make_predictions(N_ROWS)
    with tempfile.TemporaryDirectory() as folder:
        study = Study.open(Path(folder) / "study.duckdb")
        written = seconds(lambda: write(study, frame))
        naive = seconds(lambda: loop(Path(folder) / "loop.duckdb", frame.head(N_LOOP)))
        sql = "SELECT region, avg(volume_mm3 / baseline_volume_mm3) FROM predictions GROUP BY 1"
        asked = seconds(lambda: study.query(sql))
        frame.to_parquet(Path(folder) / "frame.parquet", index=False)
        size = study.path.stat().st_size / (Path(folder) / "frame.parquet").stat().st_size
    ratio = (naive / N_LOOP) / (written / N_ROWS)
    print(f"{N_ROWS:,} rows in {written:.2f} s, {ratio:,.0f} times the rate of a row loop")
    print(f"regional means over them in {asked * 1000:.0f} ms")
    print(f"study file {size:.2f} times the Parquet file")


if __name__ == "__main__":
    main()
