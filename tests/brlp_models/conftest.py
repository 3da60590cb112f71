"""A tiny model with random weights, structured as the official one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from brlp_models.model.config import ModelConfig
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from tests.brlp_models.tiny_model import LONE, TINY, write_tiny_model


@pytest.fixture(scope="module", autouse=True)
def _small_simulated_archive() -> Iterator[None]:
    """Fit the tabular reference on few: boosting 4,000 people takes seconds an evaluation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brlp_models.evaluation.evaluated_people.N_ARCHIVE", 100)
        yield


@pytest.fixture(scope="session")
def tiny_settings() -> dict[str, object]:
    return dict(TINY)


@pytest.fixture(scope="session")
def tiny_config() -> ModelConfig:
    return ModelConfig.model_validate(TINY)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a tiny model folder, with chosen settings."""

    def write(**changes: object) -> Path:
        return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny", **changes)

    return write


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Callable[..., Path]) -> BrlpModel:
    return load_model(tiny_folder())


@pytest.fixture(scope="session")
def lone_model(tiny_folder: Callable[..., Path]) -> Path:
    """Return a tiny model that needs no auxiliary one, on a grid that is fine enough to be read."""
    return tiny_folder(**LONE)
