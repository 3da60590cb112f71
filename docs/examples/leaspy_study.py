"""A study on Leaspy's synthetic Alzheimer table: disease course mapping, regression, random.

    python docs/examples/leaspy_study.py alzheimer.csv OUT

The people are SYNTHETIC (shipped with Leaspy). Half of them train the models; the other half are
screened, chosen from and simulated. The course mapping sees the screened people's first visit only.
Visits are irregular, so the trial has two: more people have both than have three.
The table holds a hippocampus ratio (0 to 1, higher is worse), no volume, sex or diagnosis: the
ratio becomes 9,000 - 5,000 x ratio mm3; everyone is entered as F and MCI, and no result depends on
either.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brlp_models.auxiliary.course_model import LogisticProgression
from cohorts.cohort import Cohort
from trialsim.study.making import run_protocol
from trialsim.study.question import read_protocol

RATIO = "Hippocampus volume ratio"
HORIZON_MONTHS = 24.0
PROTOCOL = """
[study]
title = "Leaspy's synthetic table: course mapping, regression, random"
[cohort]
path = "screened"
training = "training"
[selection]
strategies = ["random", "regression", "auxiliary"]
predictions = "predictions.csv"
fractions_enrolled = [0.5, 1.0]
fast_progressor = { top_fraction = 0.3, unit = "mm3", horizon_months = 24 }
[design]
visits_months = [0, 24]
slowing = 0.3
analyses = ["ancova"]
[costs]
screening = 1500
participant = 25000
[simulation]
sample_sizes = [100, 200, 400]
n_simulations = 1000
n_bootstrap = 500
"""


def compute_volume(ratio: Any) -> Any:
    """Return a stand-in for the hippocampal volume, mm3."""
    return 9_000.0 - 5_000.0 * ratio


def build_cohort(visits: pd.DataFrame, name: str) -> Cohort:
    """Return the people of `visits` as a cohort of `trialsim`."""
    visits = visits.sort_values(["ID", "TIME"])
    first_age = visits.groupby("ID")["TIME"].transform("min")
    number = visits.groupby("ID").cumcount()
    table = pd.DataFrame(
        {
            "participant_id": visits["ID"],
            "session_id": "v" + number.astype(str).str.zfill(2),
            "age_years": visits["TIME"],
            "months_from_baseline": 12 * (visits["TIME"] - first_age),
            "diagnosis": "MCI",
            "image_path": pd.array([None] * len(visits), dtype="str"),
            "segmentation_path": pd.array([None] * len(visits), dtype="str"),
        }
    )
    people = table[number == 0][["participant_id", "age_years", "diagnosis"]].assign(sex="F")
    volumes = table[["participant_id", "session_id"]].assign(
        region="hippocampus", volume_mm3=compute_volume(visits[RATIO]), source="leaspy"
    )
    return Cohort(people, table, volumes, name=name, is_synthetic=True)


def predict(model: LogisticProgression, visits: pd.DataFrame) -> pd.DataFrame:
    """Return what the course mapping predicts of each person from the first visit."""
    first = visits.sort_values(["ID", "TIME"]).drop_duplicates("ID")
    ages = {row.ID: [row.TIME, row.TIME + HORIZON_MONTHS / 12] for row in first.itertuples()}
    courses = model.estimate(model.personalize(first), ages)
    place = model.features.index(RATIO)
    ratios = np.array([courses[person][:, place] for person in first["ID"]])
    volumes = compute_volume(ratios)
    return pd.DataFrame(
        {
            "participant_id": first["ID"].to_numpy(),
            "model_id": "auxiliary-course-mapping",
            "horizon_months": HORIZON_MONTHS,
            "region": "hippocampus",
            "volume_mm3": volumes[:, 1],
            "volume_sd_mm3": np.nan,
            "n_samples": 1,
            "baseline_volume_mm3": volumes[:, 0],
        }
    )


def main(table: Path, out: Path) -> None:
    """Fit on one half, then rank, compare and simulate the other."""
    visits = pd.read_csv(table, dtype={"ID": str})
    people = visits["ID"].drop_duplicates().sort_values().to_numpy()
    training = visits["ID"].isin(np.random.default_rng(1).permutation(people)[: len(people) // 2])
    features = [name for name in visits if name not in ("ID", "TIME")]
    model = LogisticProgression.fit(visits[training], features=features, n_sources=2)
    out.mkdir(parents=True, exist_ok=True)
    build_cohort(visits[training], "Leaspy, training half").write(out / "training")
    build_cohort(visits[~training], "Leaspy, screened half").write(out / "screened")
    predict(model, visits[~training]).to_csv(out / "predictions.csv", index=False)
    (out / "protocol.toml").write_text(PROTOCOL, encoding="utf-8")
    protocol = read_protocol(out / "protocol.toml")
    run_protocol(protocol, command=f"trialsim run {out / 'protocol.toml'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
