"""People whose loss follows age and the contrast of their scan, for baselines to learn."""

from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from brlp_models.baselines.baseline import Baseline
from brlp_models.baselines.people import BaselinePeople
from brlp_models.model.model import BrlpModel
from brlp_models.training.baselines import fit_baseline
from cohorts.cohort import Cohort
from tests.brlp_models.brain_drawing import draw_brain

MONTHS = [24.0, 48.0]


@cache
def draw_template() -> np.ndarray:
    return draw_brain(np.random.default_rng(0))


def draw_scan(share: float, rng: np.random.Generator) -> np.ndarray:
    """Return a brain whose gray matter is `share` as bright as in the others, about 0.7."""
    brain = draw_template()
    image = 200 * np.where(brain < 0.75, brain * share / 0.7, brain)
    noise = rng.normal(0, 4, brain.shape) * (brain > 0)
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)


def make_people(n: int, seed: int, *, is_told: bool = True) -> BaselinePeople:
    """Return people whose loss follows age, and the contrast of their scan where it is told."""
    rng = np.random.default_rng(seed)
    age, share = rng.uniform(60, 80, n), rng.uniform(0.6, 0.8, n)
    shown = share if is_told else rng.permutation(share)
    table = pd.DataFrame(
        {
            "age_years": age,
            "sex": rng.permutation(["F", "M"] * (n // 2)),
            "diagnosis": rng.permutation((["CN", "MCI", "AD"] * n)[:n]),
            "hippocampus_mm3": rng.normal(6700, 500, n),
        },
        index=pd.Index([f"sub-{seed}x{k}" for k in range(n)], name="participant_id"),
    )
    loss = 5 + 0.2 * (age - 70) + 30 * (share - 0.7) + rng.normal(0, 0.3, n)
    change = pd.DataFrame({24.0: -loss / 2, 48.0: -loss}, index=table.index)
    return BaselinePeople(table, change, [draw_scan(own, rng) for own in shown])


def fit(people: BaselinePeople, model: BrlpModel, name: str = "image_regression") -> Baseline:
    return fit_baseline(name, people, provenance="Test people.", model=model)  # type: ignore[arg-type]


def write_cohort(people: BaselinePeople, folder: Path, affine: object) -> Cohort:
    table = people.table.reset_index()
    visits, volumes = [], []
    for row, image in zip(table.itertuples(), people.images or (), strict=True):
        path = folder / f"{row.participant_id}.nii.gz"
        nib.save(nib.Nifti1Image(image.astype(np.float32) / image.max(), affine), path)
        for months in (0.0, *MONTHS):
            change = people.change.loc[row.participant_id, months] if months else 0.0
            key = {"participant_id": row.participant_id, "session_id": f"ses-{months:g}"}
            at = {"months_from_baseline": months, "age_years": row.age_years + months / 12}
            image_path = None if months else str(path)
            visits.append({**key, **at, "diagnosis": row.diagnosis, "image_path": image_path})
            volume = row.hippocampus_mm3 * (1 + change / 100)
            volumes.append({**key, "region": "hippocampus", "volume_mm3": volume, "source": "t"})
    return Cohort(
        table.drop(columns="hippocampus_mm3"),
        pd.DataFrame(visits).assign(segmentation_path=None),
        pd.DataFrame(volumes),
        is_synthetic=True,
    )
