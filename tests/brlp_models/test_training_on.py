"""Training that goes on from a model."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from brlp_models.auxiliary.files import load_auxiliary
from brlp_models.errors import ModelError
from brlp_models.model.config import GainMeasurement
from brlp_models.model.files import find_model_folder
from brlp_models.model.folder import load_model, write_model_folder
from brlp_models.model.networks import (
    build_autoencoder,
    build_controlnet,
    build_refiner,
    build_segmenter,
    build_unet,
)
from brlp_models.model.training_people import (
    TRAINING_PEOPLE,
    describe_training_people,
    find_training_people,
)
from brlp_models.training.banks.expected_volumes import CROSS_FITTED, CrossFitted
from brlp_models.training.export import render_training_card
from brlp_models.training.pipeline import Training
from brlp_models.training.recipe import Recipe, load_recipe
from brlp_models.training.session import MODEL, TrainingSession
from brlp_models.training.stages.auxiliary import ONE_VISIT
from tests.brlp_models.test_training import make_recipe, write_banks

ON = """
seed = 4
start_from = '{start}'
[model]
name = "further"
[[controlnet]]
volumes = "told"
batch_size = 2
unet_learns = true
[controlnet.loop]
steps = 2
learning_rate = 5e-3
"""


def write_start(folder: Path, *, texts: Mapping[str, str] | None = None, **changes: object) -> Path:
    """Write a model of random networks that says on which scales its latents are.

    `texts` are those of files beside the one that says whom it knows.
    """
    measured = {
        "latent_scale": 0.7,
        "residual_scale": 3.0,
        "volume_gain": {"hippocampus": 0.5},
        "gain_measurement": GainMeasurement(
            n_people=60, n_anatomies=2, intervals={"hippocampus": (0.5, 0.9)}
        ),
    }
    config = make_recipe().model.model_copy(update={**measured, **changes})
    assert config.segmenter is not None
    assert config.refiner is not None
    torch.manual_seed(5)
    networks = {
        "autoencoder": build_autoencoder(config),
        "unet": build_unet(config),
        "controlnet": build_controlnet(config),
        "segmenter": build_segmenter(config.segmenter),
        "refiner": build_refiner(config.refiner),
    }
    # a new UNet's last convolution is zero, and all draws alike
    nn.init.normal_(networks["unet"].out[-1].conv.weight, std=0.05)
    people = describe_training_people(["first"])
    files = {TRAINING_PEOPLE: people, **(texts or {})}
    # as an export stores them
    half = torch.float16
    return write_model_folder(
        folder, config, networks, card="A start.", auxiliary=files, dtype=half
    )


def write_recipe(folder: Path, start: Path, text: str = ON) -> Path:
    path = folder / "on.toml"
    path.write_text(text.format(start=start))
    return path


def read_weights(model: Any, name: str) -> dict[str, torch.Tensor]:
    return dict(model.network(name).state_dict())


def test_what_is_not_trained_stays_and_what_is_goes_on(tmp_path: Path) -> None:
    start = write_start(tmp_path / "start", context_dropout=0.2)
    folder = tmp_path / "training"
    write_banks(folder)
    dropped = ON.replace('volumes = "told"', 'volumes = "told"\ncontext_dropout = 0.1')
    recipe = load_recipe(write_recipe(tmp_path, start, dropped))
    # as the stage before it leaves them
    shutil.copytree(find_model_folder("mini") / "auxiliary", folder / "auxiliary")
    CrossFitted(((None, load_auxiliary(folder / ONE_VISIT)),)).write(folder / CROSS_FITTED)
    session = TrainingSession(recipe, folder)
    session.run("controlnet")
    session._export()
    before, after = load_model(start), load_model(folder / MODEL)
    for name in ("autoencoder", "segmenter", "refiner"):
        own, new = read_weights(before, name), read_weights(after, name)
        assert all(torch.equal(own[key], new[key]) for key in own), name
    for name in ("unet", "controlnet"):
        own, new = read_weights(before, name), read_weights(after, name)
        moved = [(own[key] - new[key]).abs().max() for key in own if own[key].is_floating_point()]
        # two steps of 0.005 at the most, from where the start stood
        assert 0 < max(moved) < 0.05, name
    assert (after.config.latent_scale, after.config.residual_scale) == (0.7, 3.0)
    assert after.config.name == "further"
    # what was measured of other weights is not said of these
    assert (after.config.volume_gain, after.config.gain_measurement) == ({}, None)
    assert (before.config.context_dropout, after.config.context_dropout) == (0.2, 0.1)
    assert f"Started from {before.model_id}" in after.config.provenance
    card = (folder / "model" / "MODEL_CARD.md").read_text()
    assert f"Trained on from {before.model_id}: its UNet, ControlNet." in card
    assert f"- {after.config.provenance}\n" in card
    told = "of changes drawn apart from the person (`told`), shown with an error of 40 %"
    assert f"Later volumes in the context of training: {told}." in card
    # whom the start knew, the new one knows
    known = json.loads((folder / "model" / TRAINING_PEOPLE).read_text())
    assert known == json.loads((start / TRAINING_PEOPLE).read_text())


def test_a_card_says_what_the_scans_of_synthetic_people_tell(tmp_path: Path) -> None:
    write_banks(tmp_path)
    index = pd.read_csv(tmp_path / "scan_bank" / "index.csv").assign(base_anatomy="one")
    index.to_csv(tmp_path / "scan_bank" / "index.csv", index=False)
    first = make_recipe()
    second = first.model_copy(update={"generator": 2, "signal": "null"})
    cards = [render_training_card(recipe, tmp_path) for recipe in (first, second)]
    assert "- Generator 1, no signs in scans but the volumes; its" in cards[0]
    assert "- Generator 2, signs in scans that tell nothing of the course; its" in cards[1]
    assert "context of training: the true ones." in cards[0]


def test_the_list_of_people_grows_by_those_of_the_start(tmp_path: Path) -> None:
    (tmp_path / "before.json").write_text(describe_training_people(["first"]))
    text = describe_training_people(["second"], tmp_path / "before.json")
    (tmp_path / TRAINING_PEOPLE).write_text(text)
    found = find_training_people(tmp_path, ["sub-first", "second", "third"])
    assert found == ["sub-first", "second"]


def test_a_model_of_real_scans_makes_no_synthetic_one(tmp_path: Path) -> None:
    start = write_start(tmp_path / "start", is_synthetic=False, provenance="Trained on ours.")
    folder = tmp_path / "training"
    write_banks(folder)
    recipe = load_recipe(write_recipe(tmp_path, start))
    config = TrainingSession(recipe, folder)._recipe.model
    assert not config.is_synthetic
    assert config.provenance.endswith("Trained on ours.")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"start_from": None, "autoencoder": []}, "are needed, or start_from"),
        ({"start_from": "mini", "diffusion": None}, "the UNet of start_from must learn"),
        (
            {"diffusion": {**make_recipe().model_dump()["controlnet"][0], "volumes": "told"}},
            r"is for \[\[controlnet\]\], which learns to follow",
        ),
    ],
)
def test_a_recipe_says_what_its_start_lacks(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Recipe.model_validate({**make_recipe().model_dump(), **change})


def test_a_start_that_is_no_model_is_told(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, tmp_path / "nowhere")
    with pytest.raises(ModelError, match="is no model folder"):
        load_recipe(path)


def test_what_a_kept_network_knows_cannot_be_said_otherwise(tmp_path: Path) -> None:
    start = write_start(tmp_path / "start")
    other = "[model]\nlatent_scale = 0.9\nresidual_scale = 2.0\nwhite_over_gray = 1.2\n"
    path = write_recipe(tmp_path, start, ON.replace("[model]\n", other))
    with pytest.raises(ModelError, match="whose autoencoder is kept as it is") as told:
        load_recipe(path)
    assert [text.split()[3] for text in told.value.problems] == [
        "model.white_over_gray",
        "model.latent_scale",
    ]
    # the UNet learns, so residuals may be on another scale
    path = write_recipe(tmp_path, start, ON.replace("[model]\n", "[model]\nresidual_scale = 2.0\n"))
    assert load_recipe(path).model.residual_scale == 2
    path.write_text(path.read_text().replace("unet_learns = true", ""))
    with pytest.raises(ModelError, match=r"model\.residual_scale is not .*, whose unet is kept"):
        load_recipe(path)
    path = write_recipe(tmp_path, start, "model = 3\n" + ON.replace("[model]\n", "[people]\n"))
    with pytest.raises(ModelError, match="model: "):
        load_recipe(path)


def test_a_network_that_is_built_otherwise_than_its_start_is_told(tmp_path: Path) -> None:
    start = write_start(tmp_path / "start")
    wider = "[model.controlnet]\nconditioning_embedding_in_channels = 3\n"
    wider += "conditioning_embedding_num_channels = [16]\n[[controlnet]]"
    path = write_recipe(tmp_path, start, ON.replace("[[controlnet]]", wider))
    with pytest.raises(ModelError, match="The recipe's controlnet is not built like that of"):
        Training(load_recipe(path), tmp_path).networks.build("controlnet")


def test_the_bundled_recipe_goes_on_from_the_bundled_model() -> None:
    recipe = load_recipe("told")
    assert Training(recipe, Path("unused")).stages == ["controlnet"]
    start = load_model("mini").config
    assert recipe.model.latent_scale == start.latent_scale
    assert np.isclose(recipe.model.residual_scale, start.residual_scale)
