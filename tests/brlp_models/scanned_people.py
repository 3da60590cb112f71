"""People with scans and volumes at three visits, and a model that knows what to expect of them."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from brlp_models.auxiliary.huber import HuberAuxiliary
from brlp_models.model.folder import load_model, write_model_folder
from brlp_models.model.model import BrlpModel
from cohorts.cohort import Cohort
from tests.brlp_models.brain_drawing import draw_brain

REGIONS = ("hippocampus", "lateral_ventricle")
TYPICAL_MM3 = {"hippocampus": 7000.0, "left_hippocampus": 3500.0, "lateral_ventricle": 40000.0}


def make_people(n: int, seed: int, folder: Path | None, affine: Any = None) -> Cohort:
    """Return people who lose as their diagnosis says; with scans where a folder is given."""
    rng = np.random.default_rng(seed)
    participants = pd.DataFrame(
        {
            "participant_id": [f"sub-{k}" for k in range(n)],
            "sex": ["F", "M"] * (n // 2),
            "age_years": rng.uniform(60, 80, n),
            "diagnosis": (["CN", "MCI", "AD"] * n)[:n],
        }
    )
    visits = participants.merge(pd.DataFrame({"months_from_baseline": [0.0, 24.0, 48.0]}), "cross")
    visits["session_id"] = [f"ses-{m:g}" for m in visits["months_from_baseline"]]
    visits["age_years"] += visits["months_from_baseline"] / 12
    volumes = visits.merge(
        pd.DataFrame({"region": TYPICAL_MM3.keys(), "volume_mm3": TYPICAL_MM3.values()}), "cross"
    )
    loss = volumes["diagnosis"].map({"CN": 0.01, "MCI": 0.02, "AD": 0.04})
    volumes["volume_mm3"] *= 1 - loss * volumes["months_from_baseline"] / 12
    volumes["volume_mm3"] *= rng.uniform(0.99, 1.01, len(volumes))
    parts = volumes[["participant_id", "session_id"]].drop_duplicates()
    cortex = parts.assign(region="cerebral_cortex", volume_mm3=5e5)
    columns = ["participant_id", "session_id", "region", "volume_mm3"]
    paths: list[str | None] = [None] * len(visits)
    if folder is not None:
        names = visits["participant_id"] + "_" + visits["session_id"]
        paths = [str(folder / f"{name}.nii.gz") for name in names]
        for path in paths:
            nib.save(nib.Nifti1Image(draw_brain(rng), affine), path)
    return Cohort(
        participants,
        visits.drop(columns="sex").assign(image_path=paths, segmentation_path=None),
        pd.concat([volumes[columns], cortex]).assign(source="test"),
        is_synthetic=True,
    )


def add_auxiliary(model: BrlpModel, folder: Path) -> BrlpModel:
    """Return a tiny model with an auxiliary regression, from a new folder."""
    people = make_people(60, 1, None)
    huber = HuberAuxiliary.fit(people.baseline(), people.visit_volumes(REGIONS), regions=REGIONS)
    config = model.config.model_copy(
        update={"auxiliary": {"one_visit": "auxiliary/huber.json"}, "num_inference_steps": 1}
    )
    text = {"auxiliary/huber.json": json.dumps(huber.to_dict())}
    write_model_folder(folder, config, model.networks, card="", auxiliary=text)
    return load_model(folder)
