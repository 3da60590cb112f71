"""What predicting a cohort does beside the networks: its time a person, its memory.

    python benchmarks/bench_bookkeeping.py --people 10000

Reading and preprocessing of scans, encoding, drawing and decoding are replaced by one result that
is kept; looking people up, contexts, summaries of draws, files a person, the tables of everyone
and the rows of a study are what they always are. The share is of 14 s of processor a person, which
the bundled model takes of a scan on its grid at two horizons. Time and memory are told as people
are finished, so that what grows with those before is seen, then what the tables of everyone and
the study's rows take.
"""

import argparse
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import psutil
import torch

from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.prediction import job
from brlp_models.prediction.cohort import predict_cohort
from brlp_models.prediction.draws import Drawing
from brlp_models.prediction.start import StartScan
from cohorts.cohort import Cohort
from cohorts.schema import CONTEXT_REGIONS
from reports.store.study import Study

HORIZONS = (12.0, 24.0)
OF_NETWORKS_SECONDS = 14.0
TYPICAL_MM3 = dict(zip(CONTEXT_REGIONS, (480e3, 7e3, 3e3, 450e3, 40e3), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--people", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--every", type=int, default=1000, help="people between two lines")
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    for n_people in arguments.people:
        with tempfile.TemporaryDirectory() as scratch:
            seconds = measure(model, make_cohort(n_people), Path(scratch), arguments.every)
        share = seconds / n_people / OF_NETWORKS_SECONDS
        print(
            f"{n_people} people: {1000 * seconds / n_people:.1f} ms of processor a person, "
            f"{share:.2%} of {OF_NETWORKS_SECONDS:g} s",
            flush=True,
        )


@dataclass
class Diary:
    """What people took, told as they are finished."""

    every: int
    finished: float = 0.0
    told: int = 0
    since: float = field(default_factory=time.process_time)

    def __call__(self, n_predictions: float) -> None:
        """Count what was predicted since the last call."""
        self.finished += n_predictions / len(HORIZONS)
        if round(self.finished, 3) >= self.told + self.every:
            self.told += self.every
            per_person = self.tell_seconds() / self.every
            print(
                f"  {self.told}: {1000 * per_person:.1f} ms a person, {tell_memory()}", flush=True
            )

    def tell_seconds(self) -> float:
        """Return the processor seconds since this was asked last."""
        before, self.since = self.since, time.process_time()
        return self.since - before


def measure(model: BrlpModel, cohort: Cohort, folder: Path, every: int) -> float:
    """Return the processor seconds of predicting everyone and of writing the study."""
    image = make_image(model)
    with replace_networks(model.encode(image[None]).cpu(), image):
        diary, start = Diary(every), time.process_time()
        found = predict_cohort(model, cohort, HORIZONS, out=folder / "predicted", on_progress=diary)
        print(f"  the rest, and tables of all: {diary.tell_seconds():.1f} s, {tell_memory()}")
        with Study.open(folder / "study.duckdb").run(command="predict", config={}) as run:
            run.write("predictions", found.predictions)
            run.write("scan_checks", found.scan_checks)
        print(f"  into the study: {diary.tell_seconds():.1f} s, {tell_memory()}")
        seconds = time.process_time() - start
    if len(found.scan_checks) != len(cohort.participants) or len(found.failures):
        raise RuntimeError(f"not everyone was predicted: {found.failures}")
    return seconds


def replace_networks(latent: torch.Tensor, image: torch.Tensor) -> ExitStack:
    """Give everyone the scan, the latent and the volumes of one person."""
    stack = ExitStack()
    for owner, name, result in (
        (job, "load_start_scan", lambda *_: StartScan(image, None, lambda array: array)),
        (BrlpModel, "encode", lambda *_: latent),
        (BrlpModel, "decode", lambda _, latents: image.expand(len(latents), *image.shape)),
        (Drawing, "_sample", lambda _, jobs: latent.expand(len(jobs), *latent.shape[1:])),
        (Drawing, "measure", lambda _, __, names: [dict(TYPICAL_MM3) for _ in names]),
    ):
        stack.enter_context(mock.patch.object(owner, name, result))
    return stack


def make_image(model: BrlpModel) -> torch.Tensor:
    shape = model.config.shape
    inside = tuple(slice(size // 6, -size // 6) for size in shape)
    scan = np.zeros(shape, dtype=np.float32)
    scan[inside] = np.random.default_rng(0).uniform(0.2, 1, scan[inside].shape)
    return torch.from_numpy(scan)[None]


def make_cohort(n_people: int) -> Cohort:
    people = [f"sub-{i:05d}" for i in range(n_people)]
    participants = pd.DataFrame(
        {"participant_id": people, "sex": "F", "age_years": 70.0, "diagnosis": "MCI"}
    )
    visits = participants.drop(columns="sex").assign(
        session_id="baseline",
        months_from_baseline=0.0,
        image_path=[f"/scans/{name}.nii.gz" for name in people],
        segmentation_path=None,
    )
    regions = pd.DataFrame({"region": TYPICAL_MM3.keys(), "volume_mm3": TYPICAL_MM3.values()})
    volumes = visits[["participant_id", "session_id"]].merge(regions, how="cross")
    return Cohort(participants, visits, volumes.assign(source="made up"), is_synthetic=True)


def tell_memory() -> str:
    return f"{psutil.Process().memory_info().rss / 1e6:.0f} MB"


if __name__ == "__main__":
    main()
