"""A tiny random model, and people who are evaluated on it."""

import numpy as np
import pytest

from brlp_models.model.model import BrlpModel
from cohorts.cohort import Cohort
from tests.brlp_models.scanned_people import add_auxiliary, make_people


@pytest.fixture(scope="session")
def model(tiny_model: BrlpModel, tmp_path_factory: pytest.TempPathFactory) -> BrlpModel:
    return add_auxiliary(tiny_model, tmp_path_factory.mktemp("evaluating") / "tiny")


@pytest.fixture(scope="session")
def cohort(model: BrlpModel, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("people")
    return make_people(6, 2, folder, np.asarray(model.config.affine))
