import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from brlp_models.errors import ModelError
from brlp_models.training.banks.pairs import VisitPairs
from brlp_models.training.recipe import Recipe
from brlp_models.training.stages.volume_term import VolumeTerm, write_volume_gradients
from tests.brlp_models.test_training import make_recipe, make_training, write_banks

SHAPE = (3, 2, 4, 4, 4)
"""Three visits, two channels."""


class _Sum(nn.Module):
    """Decodes to the sum of the channels."""

    def decode(self, latents: Tensor) -> Tensor:
        return latents.sum(1, keepdim=True)


class _Brightness(nn.Module):
    """Calls a voxel hippocampus with its intensity as the probability."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([(1 - images).log(), images.log()], dim=1)


def make_latents() -> np.ndarray[Any, np.dtype[np.float16]]:
    return np.random.default_rng(0).uniform(0.1, 0.4, SHAPE).astype(np.float16)


def write_gradients(folder: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    networks = {"autoencoder": _Sum(), "segmenter": _Brightness()}
    path = folder / "gradients.npy"
    write_volume_gradients(networks, 1, make_latents(), path, Accelerator(cpu=True))
    gradients: np.ndarray[Any, np.dtype[np.float32]] = np.load(path)
    return gradients


def make_term(folder: Path) -> VolumeTerm:
    pairs = VisitPairs(np.array([[0, 1], [1, 2]]), pd.DataFrame(index=range(2)), np.zeros(2))
    return VolumeTerm.of(pairs, write_gradients(folder), make_latents())


def test_the_gradient_of_a_sum_of_probabilities_is_one_over_the_volume(tmp_path: Path) -> None:
    volumes = make_latents().astype(float).sum((1, 2, 3, 4))
    expected = np.broadcast_to(1 / volumes[:, None, None, None, None], SHAPE)
    np.testing.assert_allclose(write_gradients(tmp_path), expected, rtol=1e-5)


def test_changes_of_latents_are_changes_of_the_log_volume(tmp_path: Path) -> None:
    volumes = make_latents().astype(float).sum((1, 2, 3, 4))
    # the trapezoidal rule is off by the cube of a change of some per cent
    np.testing.assert_allclose(make_term(tmp_path).changes, np.diff(np.log(volumes)), rtol=2e-3)


def test_the_loss_is_the_share_of_the_squared_change_that_is_missed(tmp_path: Path) -> None:
    term, latents = make_term(tmp_path), torch.from_numpy(make_latents().astype(np.float32))
    change = latents[1:] - latents[:-1]
    gradients, true = map(torch.stack, zip(term.take(0), term.take(1), strict=True))
    assert float(term.compute_loss(gradients, true, change)) == pytest.approx(0, abs=1e-6)
    assert float(term.compute_loss(gradients, true, 0 * change)) == pytest.approx(1)
    assert float(term.compute_loss(gradients, true, change / 2)) == pytest.approx(0.25, rel=1e-3)


def make_weighted_recipe(region: str) -> Recipe:
    content = make_recipe().model_dump()
    (phase,) = content["controlnet"]
    phase |= {"volume_weight": {region: 2.0}, "unet_learns": True}
    return Recipe.model_validate(content)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which all stages before the ControlNet are trained; it is copied."""
    folder = tmp_path_factory.mktemp("trained")
    write_banks(folder)
    training = make_training(folder, make_weighted_recipe("hippocampus"))
    for stage in ("segmenter", "autoencoder", "diffusion"):
        training.train(stage)  # type: ignore[arg-type]
    return folder


@pytest.mark.slow
def test_a_controlnet_can_be_held_to_a_volume(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    make_training(tmp_path, make_weighted_recipe("hippocampus")).train("controlnet")
    table = pd.read_csv(tmp_path / "controlnet" / "1" / "metrics.csv")
    metrics = table.pivot_table(index="step", columns="metric", values="value")
    combined = metrics["latents"] + 2.0 * metrics["hippocampus"]
    np.testing.assert_allclose(metrics["loss"], combined, rtol=1e-5)
    gradients = np.load(tmp_path / "volume_gradients_hippocampus.npy")
    assert gradients.shape == np.load(tmp_path / "latents.npy").shape
    assert np.abs(gradients).reshape(len(gradients), -1).max(axis=1).min() > 0


@pytest.mark.slow
def test_a_region_that_the_segmenter_does_not_label_is_refused(
    trained: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    training = make_training(tmp_path, make_weighted_recipe("fornix"))
    with pytest.raises(ModelError, match="volume_weight names fornix"):
        training.train("controlnet")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"schedule": {"prediction_type": "epsilon"}}}, 'prediction_type = "sample"'),
        ({"diffusion": {"volume_weight": {"hippocampus": 1.0}}}, r"is for \[\[controlnet\]\]"),
    ],
)
def test_a_volume_weight_in_the_wrong_place_is_refused(
    change: dict[str, dict[str, Any]], message: str
) -> None:
    content = make_weighted_recipe("hippocampus").model_dump()
    for part, values in change.items():
        for key, value in values.items():
            content[part][key] = {**content[part][key], **value}
    with pytest.raises(ValueError, match=message):
        Recipe.model_validate(content)
