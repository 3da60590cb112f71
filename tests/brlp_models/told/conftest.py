"""A model, baselines that learned from 40 people, and four others."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brlp_models.auxiliary.huber import HuberAuxiliary
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.training.baselines import render_card
from cohorts.cohort import Cohort
from tests.brlp_models.contrast_people import fit, make_people, write_cohort
from tests.brlp_models.tiny_model import CONTEXT, write_tiny_model
from tests.brlp_models.told.asking import with_context


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model, baselines that learned from 40 people, and four others."""
    folder = tmp_path_factory.mktemp("told")
    archive = make_people(60, 5)
    later = pd.DataFrame(
        {
            "participant_id": archive.table.index,
            "months_from_baseline": 48.0,
            "hippocampus": archive.table["hippocampus_mm3"] * (1 + archive.change[48.0] / 100),
        }
    )
    huber = HuberAuxiliary.fit(archive.table, later, regions=("hippocampus",))
    write_tiny_model(
        folder / "model",
        texts={"auxiliary/huber.json": json.dumps(huber.to_dict())},
        **with_context(*CONTEXT[:4]),
        auxiliary={"one_visit": "auxiliary/huber.json"},
        num_inference_steps=1,
    )
    model = load_model(folder / "model")
    for name in ("image_regression", "elastic_net"):
        found = fit(make_people(40, 1), model, name)
        found.write(folder / name, card=render_card(found))
    (folder / "people").mkdir()
    affine = np.asarray(model.config.affine)
    people = write_cohort(make_people(4, 2), folder / "people", affine)
    people.write(folder / "people/cohort")
    people.select(["sub-2x0"]).write(folder / "people/one")
    people.select(["sub-2x0", "sub-2x1", "sub-2x2"]).write(folder / "people/three")
    return folder


@pytest.fixture
def model(folder: Path) -> BrlpModel:
    return load_model(folder / "model")


@pytest.fixture
def cohort(folder: Path) -> Cohort:
    return Cohort.read(folder / "people/cohort")
