"""The people of `predicted_people`, predicted by a tiny random model."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from brlp_models.auxiliary.huber import HuberAuxiliary
from brlp_models.model.folder import load_model, write_model_folder
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.cohort import predict_cohort
from brlp_models.prediction.job import CohortPrediction
from cohorts.cohort import Cohort
from tests.brlp_models.brain_drawing import draw_brain
from tests.brlp_models.predicted_people import (
    PEOPLE,
    REGIONS,
    Predict,
    make_tables,
)


@pytest.fixture(scope="session")
def model(tiny_model: BrlpModel, tmp_path_factory: pytest.TempPathFactory) -> BrlpModel:
    """Return the tiny model with an auxiliary regression."""
    training = Cohort(
        **make_tables([f"t{i}" for i in range(60)], [0, 12, 24], np.random.default_rng(1))
    )
    huber = HuberAuxiliary.fit(
        training.baseline(), training.visit_volumes(REGIONS), regions=REGIONS
    )
    config = tiny_model.config.model_copy(
        update={"auxiliary": {"one_visit": "auxiliary/huber.json"}}
    )
    folder = tmp_path_factory.mktemp("predicting") / "tiny"
    text = json.dumps(huber.to_dict())
    write_model_folder(
        folder, config, tiny_model.networks, card="", auxiliary={"auxiliary/huber.json": text}
    )
    return load_model(folder)


@pytest.fixture(scope="session")
def cohort(model: BrlpModel, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder, rng = tmp_path_factory.mktemp("scans"), np.random.default_rng(2)
    tables = make_tables(PEOPLE, [0, 12], rng)
    paths = []
    for row in tables["visits"].itertuples():
        path = folder / f"{row.participant_id}_{row.session_id}.nii.gz"
        nib.save(nib.Nifti1Image(draw_brain(rng), np.asarray(model.config.affine)), path)
        paths.append(str(path))
    tables["visits"]["image_path"] = paths
    return Cohort(**tables)


@pytest.fixture(scope="session")
def reference(
    model: BrlpModel, cohort: Cohort, tmp_path_factory: pytest.TempPathFactory
) -> CohortPrediction:
    """Return what the `predict` fixture gives without changes."""
    out = tmp_path_factory.mktemp("reference")
    return predict_cohort(model, cohort, [24.0], 2, num_inference_steps=1, out=out)


@pytest.fixture
def predict(model: BrlpModel, cohort: Cohort, tmp_path: Path) -> Predict:
    """Predict with few steps, into a folder of its own."""

    def run(people: Cohort | None = None, **changes: Any) -> CohortPrediction:
        arguments: dict[str, Any] = {
            "horizons_months": [24.0],
            "samples": 2,
            "num_inference_steps": 1,
            "out": tmp_path / "out",
        }
        who = cohort if people is None else people
        return predict_cohort(changes.pop("model", model), who, **{**arguments, **changes})

    return run
