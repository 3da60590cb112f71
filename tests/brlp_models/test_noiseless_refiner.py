"""A refiner that learns later scans without noise, trained on from a model's own."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import default_collate

from brlp_models.errors import ModelError
from brlp_models.model.files import find_model_folder
from brlp_models.model.folder import load_model, write_model_folder
from brlp_models.training.banks.crop_sources import RenderingSource
from brlp_models.training.banks.volumes import Bank
from brlp_models.training.examples import Draw
from brlp_models.training.export import render_training_card
from brlp_models.training.loop import LoopSettings
from brlp_models.training.networks import TrainingNetworks
from brlp_models.training.pipeline import Training
from brlp_models.training.recipe import load_recipe
from brlp_models.training.recipe_record import keep_recipe
from brlp_models.training.session import MODEL, TrainingSession
from brlp_models.training.stages.refiner import RefinerSettings, RefinerStage
from tests.brlp_models.test_training import SIZE, make_recipe, read_losses, write_banks
from tests.brlp_models.test_training_on import read_weights, write_start
from tests.brlp_models.test_training_session import make_cohort

ON = """
seed = 4
start_from = '{start}'
[model]
name = "without noise"
[[refiner]]
noiseless = true
crop = [16, 16, 16]
batch_size = 1
perceptual_weight = 0.5
[refiner.loop]
steps = 2
learning_rate = 5e-3
"""


def write_noiseless_bank(folder: Path) -> Bank:
    """Write a bank whose scans (0 to 188) have a layer without noise, which tells its row."""
    write_banks(folder)
    scans = np.load(folder / "scan_bank" / "images.npy")
    noiseless = np.full_like(scans, 0)
    noiseless += np.arange(200, 200 + len(scans), dtype=np.uint8)[:, None, None, None]
    np.save(folder / "scan_bank" / "images.npy", np.stack([scans, noiseless], axis=1))
    (folder / "scan_bank" / "bank.json").write_text(json.dumps({"with_noiseless": True}))
    return Bank.load(folder / "scan_bank")


def request(**changes: object) -> RefinerSettings:
    fields = {"loop": LoopSettings(steps=1), "crop": (8, 8, 8), "perceptual_weight": 0}
    return RefinerSettings.model_validate(fields | changes)


def test_scans_without_noise_are_no_channel_of_a_scan(tmp_path: Path) -> None:
    bank = write_noiseless_bank(tmp_path)
    assert bank.images.shape == (4, 1, SIZE, SIZE, SIZE)
    assert int(bank.images.max()) < 200
    assert bank.noiseless.shape == (4, SIZE, SIZE, SIZE)
    assert bank.noiseless[:, 0, 0, 0].tolist() == [200, 201, 202, 203]


def test_what_is_wanted_is_the_second_visit_without_noise(tmp_path: Path) -> None:
    bank = write_noiseless_bank(tmp_path)
    source, rng = RenderingSource(bank, bank.images), np.random.default_rng(1)
    wanted = set()
    for _ in range(24):
        # with rows of two people: 0 and 1, 2 and 3
        images, _ = source.draw_crop(rng, request(noiseless=True))
        (bright,) = set(images[3].flatten().tolist())
        other = round(bright * 255) - 200
        wanted.add(other)
        # the decoded latent of that visit, here its scan, is shown beside
        assert float(images[:3].max()) < 200 / 255
    assert wanted == {0, 1, 2, 3}
    images, _ = source.draw_crop(rng, request())
    assert float(images[3].max()) < 200 / 255


def test_it_learns_to_leave_the_noise_out(tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    folder.mkdir()
    write_banks(folder)
    rng = np.random.default_rng(2)
    scan = np.load(folder / "scan_bank" / "images.npy")[:1].astype(float).repeat(4, axis=0)
    scan = np.where(scan > 0, 150.0, 0.0)
    noisy = np.clip(scan + rng.normal(0, 20, scan.shape) * (scan > 0), 0, 255)
    layers = np.stack([noisy, scan], axis=1).round().astype(np.uint8)
    np.save(folder / "scan_bank" / "images.npy", layers)
    (folder / "scan_bank" / "bank.json").write_text(json.dumps({"with_noiseless": True}))
    bank = Bank.load(folder / "scan_bank")
    torch.manual_seed(0)
    first, last = nn.Conv3d(3, 8, 3, padding=1), nn.Conv3d(8, 8, 3, padding=1)
    nn.init.zeros_(last.weight)
    network = nn.Sequential(first, nn.LeakyReLU(), last)
    settings = request(noiseless=True, loop=LoopSettings(steps=1, learning_rate=2e-2))
    stage = RefinerStage(
        network, RenderingSource(bank, bank.noiseless[:, None]), settings, change_scale=10
    )
    accelerator, metrics = Accelerator(cpu=True), {}
    for step in range(200):
        draws = [stage.draw_example(Draw.of(seed=0, step=step, place=k)) for k in range(4)]
        metrics = stage.train_batch(default_collate(draws), step, accelerator)
    # what the decoded change leaves is the noise; a mean over 27 voxels leaves a fifth of it
    assert float(metrics["reconstruction"].detach()) < 0.5 * float(metrics["uncorrected"])


def test_a_refiner_is_trained_on_alone(tmp_path: Path) -> None:
    start = write_start(tmp_path / "start", context_dropout=0.2)
    path, folder = tmp_path / "on.toml", tmp_path / "training"
    path.write_text(ON.format(start=start))
    recipe = load_recipe(path)
    assert recipe.controlnet == ()
    # the networks that stay as they are remember what they learned without
    assert recipe.context_dropout == 0.2
    write_noiseless_bank(folder)
    training = Training(recipe, folder)
    assert training.stages == ["refiner"]
    training.train("refiner")
    before, after = load_model(start), TrainingNetworks(recipe, folder).load_all()
    for name in ("autoencoder", "unet", "controlnet", "segmenter"):
        own, new = read_weights(before, name), after[name].state_dict()
        assert all(torch.equal(own[key], new[key]) for key in own), name
    own, new = read_weights(before, "refiner"), after["refiner"].state_dict()
    assert any(not torch.equal(own[key], new[key]) for key in own)
    # the start's segmenter judges, though it does not learn
    metrics = (folder / "refiner" / "1" / "metrics.csv").read_text()
    assert "perceptual" in metrics
    assert len(read_losses(folder, "refiner/1")) == 2


def test_a_refiner_is_trained_on_from_a_model_with_guidance(tmp_path: Path) -> None:
    start = write_start(tmp_path / "start", guidance=2.0, context_dropout=0.1)
    path = tmp_path / "on.toml"
    path.write_text(ON.format(start=start))
    assert load_recipe(path).model.guidance == 2
    # whether it may be another, only training without a context tells
    path.write_text(ON.format(start=start).replace("[model]", "[model]\nguidance = 3.0"))
    with pytest.raises(ModelError, match=r"model\.guidance is not .*, whose controlnet is kept"):
        load_recipe(path)


@pytest.mark.parametrize("crop", [[16, 0, 16], [16, 16, 17]])
def test_a_crop_lies_within_the_scan(tmp_path: Path, crop: list[int]) -> None:
    start, path = write_start(tmp_path / "start"), tmp_path / "on.toml"
    path.write_text(ON.format(start=start).replace("[16, 16, 16]", str(crop)))
    told = r"crop of \[\[refiner\]\] must be 1 to 16 x 16 x 16 voxels \(model.shape\), got 16 x "
    with pytest.raises(ModelError, match=told):
        load_recipe(path)


def test_the_card_of_a_refiner_says_nothing_of_the_context_of_training(tmp_path: Path) -> None:
    start, path = write_start(tmp_path / "start"), tmp_path / "on.toml"
    path.write_text(ON.format(start=start))
    write_noiseless_bank(tmp_path)
    card = render_training_card(load_recipe(path), tmp_path)
    assert "its refiner." in card
    assert "context of training" not in card


def test_what_a_kept_unet_knows_of_people_is_said_as_before(tmp_path: Path) -> None:
    ranges = {"age_years": (50.0, 90.0), "volume:hippocampus": (4000.0, 9000.0)}
    start, path = write_start(tmp_path / "start", training_ranges=ranges), tmp_path / "on.toml"
    path.write_text(ON.format(start=start))
    folder = tmp_path / "training"
    write_noiseless_bank(folder)
    shutil.copytree(find_model_folder("mini") / "auxiliary", folder / "auxiliary")
    session = TrainingSession(load_recipe(path), folder)
    session.run("refiner")
    session._export()
    # the refiner's people are 70 to 72
    assert load_model(folder / MODEL).config.training_ranges == ranges


def test_a_model_without_a_refiner_gets_one(tmp_path: Path) -> None:
    start, path = write_start(tmp_path / "start"), tmp_path / "on.toml"
    whole = load_model(start)
    config = whole.config.model_copy(update={"decoding": "difference", "refiner": None})
    networks = {name: own for name, own in whole.networks.items() if name != "refiner"}
    plain = write_model_folder(tmp_path / "plain", config, networks, card="A start.", auxiliary={})
    assert whole.config.refiner is not None
    of_refiner = whole.config.refiner.model_dump_json()
    path.write_text(ON.format(start=plain))
    # a recipe that says nothing of what it is
    with pytest.raises(ModelError, match=r"\[model\.refiner\] and \[\[refiner\]\] must be given"):
        load_recipe(path)
    table = f"name = 'refined'\ndecoding = 'refined'\nrefiner = {to_toml(of_refiner)}"
    path.write_text(ON.format(start=plain).replace('name = "without noise"', table))
    folder = tmp_path / "training"
    write_noiseless_bank(folder)
    training = Training(load_recipe(path), folder)
    training.train("refiner")
    assert {*training.networks.load_all()} == {*whole.networks}


def to_toml(json_table: str) -> str:
    """Return a JSON object as an inline table."""
    return re.sub(r'"(\w+)":', r"\1 = ", json_table)


def test_something_must_be_learned(tmp_path: Path) -> None:
    start = write_start(tmp_path / "start")
    path = tmp_path / "on.toml"
    path.write_text(ON.partition("[[refiner]]")[0].format(start=start))
    with pytest.raises(ModelError, match="no stage has a phase, so that nothing would be learned"):
        load_recipe(path)
    fields = make_recipe().model_dump()
    text = r"\[\[autoencoder\]\], \[diffusion\] and \[\[controlnet\]\] are needed"
    with pytest.raises(ValueError, match=text):
        make_recipe().model_validate(fields | {"controlnet": ()})


def test_people_who_were_made_with_noise_alone_teach_nothing_without(tmp_path: Path) -> None:
    start, path, folder = write_start(tmp_path / "start"), tmp_path / "on.toml", tmp_path / "on"
    # before the refiner began, its settings may change
    path.write_text(ON.format(start=start).replace("noiseless = true", ""))
    write_banks(folder)
    keep_recipe(load_recipe(path), folder)
    path.write_text(ON.format(start=start))
    with pytest.raises(ModelError, match="scan_bank holds no scans without noise"):
        TrainingSession(load_recipe(path), folder).run("refiner")
    assert not (folder / "refiner").exists()


def test_real_people_have_no_scan_without_noise(tmp_path: Path) -> None:
    cohort = make_cohort(3)
    cohort.write(tmp_path / "people")
    recipe = make_recipe().model_copy(update={"refiner": (request(noiseless=True),)})
    with pytest.raises(ModelError, match="noiseless is for synthetic people"):
        TrainingSession(recipe, tmp_path / "training", data=tmp_path / "people")
