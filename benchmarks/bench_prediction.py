"""Speed of predicting a cohort, against one draw after another.

    python benchmarks/bench_prediction.py --model mini      the bundled model, or any model folder

The naive way is the published loop: full precision, one person, horizon and draw at a time. People
all have the template's brain with noise of their own, so only the time means anything; the ratio
is of one run.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Literal

import nibabel as nib
import numpy as np
import pandas as pd

from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.cohort import predict_cohort
from brlp_models.scans.grid import Grid, resample
from brlp_models.scans.template import load_template
from cohorts.cohort import Cohort
from cohorts.schema import CONTEXT_REGIONS

HORIZONS = (12.0, 24.0)
TYPICAL_MM3 = dict(zip(CONTEXT_REGIONS, (480e3, 7e3, 3e3, 450e3, 40e3), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--people", type=int, default=2)
    parser.add_argument("--samples", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cohort = make_cohort(load_model(arguments.model), folder, arguments.people)
        naive = predict(arguments, cohort, folder / "naive", precision="full", batch_size=1)
        ours = predict(arguments, cohort, folder / "ours", precision="auto", batch_size=None)
    people = arguments.people
    print(f"{arguments.model}, {people} people, {len(HORIZONS)} horizons, m = {arguments.samples}")
    print(f"one draw at a time, full precision: {naive[1] / people:.1f} s of processor a person")
    print(f"batched, precision auto:            {ours[1] / people:.1f} s of processor a person")
    print(f"ratio {naive[1] / ours[1]:.2f}")
    print(f"largest relative difference of a volume {gap(naive[0], ours[0]):.1e}")


def predict(
    arguments: argparse.Namespace,
    cohort: Cohort,
    out: Path,
    *,
    precision: Literal["auto", "full"],
    batch_size: int | None,
) -> tuple[pd.DataFrame, float]:
    model = load_model(arguments.model, precision=precision)
    start = time.process_time()
    found = predict_cohort(
        model, cohort, HORIZONS, arguments.samples, out=out, batch_size=batch_size
    )
    seconds = time.process_time() - start
    if len(found.failures):
        raise SystemExit(f"Not predicted: {found.failures['problem'].iloc[0]}")
    return found.predictions, seconds


def gap(first: pd.DataFrame, second: pd.DataFrame) -> float:
    return float((first["volume_mm3"] / second["volume_mm3"] - 1).abs().max())


def make_cohort(model: BrlpModel, folder: Path, n_people: int) -> Cohort:
    rng, config, template = np.random.default_rng(0), model.config, load_template()
    brain = resample(template.image, template.grid, Grid.of_config(config))
    people = [f"sub-{i}" for i in range(n_people)]
    for name in people:
        noise = rng.normal(1, 0.02, brain.shape)
        scan = np.clip(brain * noise / brain.max(), 0, 1).astype(np.float32)
        nib.save(nib.Nifti1Image(scan, np.asarray(config.affine)), folder / f"{name}.nii.gz")
    participants = pd.DataFrame(
        {"participant_id": people, "sex": "F", "age_years": 70.0, "diagnosis": "MCI"}
    )
    paths = [str(folder / f"{name}.nii.gz") for name in people]
    visits = participants.drop(columns="sex").assign(
        session_id="baseline", months_from_baseline=0.0, image_path=paths, segmentation_path=None
    )
    regions = pd.DataFrame({"region": TYPICAL_MM3.keys(), "volume_mm3": TYPICAL_MM3.values()})
    volumes = visits[["participant_id", "session_id"]].merge(regions, how="cross")
    return Cohort(participants, visits, volumes.assign(source="made up"), is_synthetic=True)


if __name__ == "__main__":
    main()
