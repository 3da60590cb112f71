import pickle
import re
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import default_collate

from brlp_models.errors import ModelError
from brlp_models.model.networks import build_refiner
from brlp_models.training.banks.crop_sources import RenderingSource
from brlp_models.training.banks.latents import write_arrays
from brlp_models.training.banks.volumes import Bank
from brlp_models.training.checkpoint import PREVIOUS, read_checkpoint
from brlp_models.training.examples import Draw
from brlp_models.training.loop import LoopSettings
from brlp_models.training.pipeline import Training
from brlp_models.training.recipe import STAGES, Recipe, load_recipe
from brlp_models.training.stages.losses import compute_change_loss
from brlp_models.training.stages.refiner import RefinerSettings, RefinerStage
from brlp_models.training.stages.volume_gain import measure_volume_gain
from brlp_models.training.synthesis import SynthesisSettings, synthesize_crop
from brlp_models.training.tissues import SEGMENTED, TISSUES

SIZE = 16
HIPPOCAMPUS = TISSUES.names.index("hippocampus")
WHITE = TISSUES.names.index("cerebral_white_matter")


def make_recipe(steps: int = 6) -> Recipe:
    mini = load_recipe("mini").model.model_dump()
    mini |= {
        "shape": (SIZE, SIZE, SIZE),
        "autoencoder": mini["autoencoder"] | {"channels": [4, 8, 8], "latent_channels": 2},
        "unet": {
            **mini["unet"],
            "in_channels": 2,
            "out_channels": 2,
            "channels": [8, 16],
            "attention_levels": [False, True],
            "num_head_channels": [0, 16],
        },
        "controlnet": {
            "conditioning_embedding_in_channels": 3,
            "conditioning_embedding_num_channels": [8],
        },
    }
    mini["segmenter"]["args"] |= {"channels": [4, 8], "strides": [2]}
    mini["refiner"]["args"] |= {"channels": [4, 8], "strides": [1]}
    loop = {"steps": steps, "learning_rate": 5e-3, "checkpoint_every": 2, "ema_decay": 0.5}
    crop = (SIZE, SIZE, SIZE)
    return Recipe.model_validate(
        {
            "seed": 3,
            "model": mini,
            "segmenter": [{"loop": loop, "crop": crop, "batch_size": 1, "scan_share": 0.5}],
            "autoencoder": [
                {"loop": loop, "crop": crop, "source": "labels", "discriminator_channels": 4},
                {
                    "loop": loop,
                    "crop": crop,
                    "source": "scans",
                    "discriminator_channels": 4,
                    "change_weight": 0.1,
                },
            ],
            "diffusion": {"loop": loop, "batch_size": 2, "volumes": "true"},
            "controlnet": [{"loop": loop, "batch_size": 2, "volumes": "true"}],
            "refiner": [{"loop": loop, "batch_size": 1, "crop": crop}],
        }
    )


def write_banks(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name, size, n in (("label_bank", 2 * SIZE, 2), ("scan_bank", SIZE, 4)):
        labels = np.zeros((n, size, size, size), np.uint8)
        labels[:, 2:-2, 2:-2, 2:-2] = WHITE
        middle = slice(size // 2 - 3, size // 2 + 3)
        labels[:, middle, middle, middle] = HIPPOCAMPUS
        (folder / name).mkdir(parents=True)
        np.save(folder / name / "labels.npy", labels)
        scans = np.array([0, 180, 120], np.uint8)[
            (labels > 0).astype(int) + (labels == HIPPOCAMPUS)
        ]
        noisy = scans + rng.integers(0, 9, scans.shape) * (labels > 0)
        np.save(folder / name / "images.npy", noisy.astype(np.uint8))
        index = {"row": range(n), "participant_id": [f"sub-{k // 2}" for k in range(n)]}
        index |= {"age_years": [70.0 + 2 * (k % 2) for k in range(n)], "sex": "F"}
        index |= {"diagnosis": "MCI", "months_from_baseline": [24.0 * (k % 2) for k in range(n)]}
        regions = ("cerebral_cortex", "hippocampus", "amygdala", "cerebral_white_matter")
        for region in (*regions, "lateral_ventricle"):
            index[f"{region}_mm3"] = [5000.0 - 100 * (k % 2) for k in range(n)]
        pd.DataFrame(index).to_csv(folder / name / "index.csv", index=False)


def make_training(folder: Path, recipe: Recipe | None = None) -> Training:
    return Training(recipe or make_recipe(), folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    write_banks(folder)
    training = make_training(folder)
    for stage in STAGES:
        training.train(stage)
    return folder


def read_losses(folder: Path, stage: str) -> pd.Series:
    table = pd.read_csv(folder / stage / "metrics.csv")
    return table[table["metric"] == "loss"].set_index("step")["value"]


@pytest.mark.parametrize("stage", ["segmenter/1", "autoencoder/1"])
def test_losses_fall(trained: Path, stage: str) -> None:
    losses = read_losses(trained, stage)
    assert losses.iloc[-2:].mean() < losses.iloc[:2].mean()


def test_every_stage_logs_every_step_once(trained: Path) -> None:
    for stage in (*(f"{stage}/1" for stage in STAGES), "autoencoder/2"):
        assert list(read_losses(trained, stage).index) == list(range(6))


def test_an_untrained_refiner_adds_the_decoded_difference(tmp_path: Path) -> None:
    write_banks(tmp_path)
    bank, recipe = Bank.load(tmp_path / "scan_bank"), make_recipe()
    network = build_refiner(recipe.model.refiner)  # type: ignore[arg-type]
    # decoded latents that are the scans themselves: nothing is left to be learned
    settings = RefinerSettings(
        loop=LoopSettings(steps=1), batch_size=8, crop=(SIZE, SIZE, SIZE), perceptual_weight=0
    )
    stage = RefinerStage(network, RenderingSource(bank, bank.images), settings, change_scale=10)
    examples = default_collate(
        [stage.draw_example(Draw.of(seed=0, step=0, place=k)) for k in range(8)]
    )
    metrics = stage.train_batch(examples, 0, Accelerator(cpu=True))
    assert float(metrics["reconstruction"].detach()) < 1e-10
    assert torch.equal(metrics["reconstruction"], metrics["uncorrected"])


def test_crops_of_two_visits_show_the_same_place(tmp_path: Path) -> None:
    write_banks(tmp_path)
    bank = Bank.load(tmp_path / "scan_bank")
    source = RenderingSource(bank, bank.images)
    settings = RefinerSettings(
        loop=LoopSettings(steps=1), crop=(8, 8, 8), batch_size=12, medial_temporal_share=0
    )
    rng = np.random.default_rng(0)
    images, weights = map(
        torch.stack, zip(*(source.draw_crop(rng, settings) for _ in range(12)), strict=True)
    )
    assert images.shape == (12, 4, 1, 8, 8, 8)
    # where the decoded latents are the scans themselves, each visit's are the same
    assert torch.equal(images[:, 0], images[:, 1])
    assert torch.equal(images[:, 2], images[:, 3])
    same = (images[:, 0] == images[:, 3]).flatten(1).all(1)
    assert same.any()
    assert not same.all()
    # the two visits differ by noise of at most 8 of 255 where they show the same place
    assert float((images[:, 0] - images[:, 3]).abs().max()) <= 8.01 / 255
    assert set(weights.unique().tolist()) == {1.0, 3.0}


@pytest.mark.parametrize(
    "stage",
    [
        "autoencoder",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("controlnet", "refiner")),
    ],
)
def test_a_killed_and_resumed_stage_gives_the_same_weights(
    trained: Path, tmp_path: Path, stage: str
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(trained, folder)
    shutil.rmtree(folder / stage)
    training = make_training(folder)
    killed = 0

    def kill_at_the_fourth_step(_stage: str, step: int, _steps: int, _metrics: object) -> None:
        nonlocal killed
        if step == 3 and not killed:
            killed = 1
            raise KeyboardInterrupt

    training.report = kill_at_the_fourth_step
    with pytest.raises(KeyboardInterrupt):
        training.train(stage)
    make_training(folder).train(stage)
    last = "2" if stage == "autoencoder" else "1"
    once, twice = (
        read_checkpoint(root / stage / last / "checkpoint.pt")["averages"][stage]
        for root in (trained, folder)
    )
    assert killed
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_the_frozen_unet_is_not_changed_by_the_controlnet(trained: Path) -> None:
    unet = make_training(trained).networks.load("diffusion").state_dict()
    stored = read_checkpoint(trained / "diffusion" / "1" / "checkpoint.pt")["averages"]["unet"]
    assert all(torch.equal(unet[name], stored[name]) for name in unet)


@pytest.mark.slow
def test_a_unet_that_learns_with_its_controlnet_goes_into_the_model(
    trained: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "joint"
    shutil.copytree(trained, folder)
    shutil.rmtree(folder / "controlnet")
    content = make_recipe().model_dump()
    (first,) = content["controlnet"]
    second = {**first, "unet_learns": True, "medial_temporal_weight": 4.0}
    content["controlnet"] = [first, second]
    training = make_training(folder, Recipe.model_validate(content))
    weights = training.train("controlnet")
    alone = training.networks.load("diffusion").state_dict()
    bundled = training.networks.load_all()["unet"].state_dict()
    assert set(weights) == {"unet", "controlnet"}
    assert all(torch.equal(bundled[name], weights["unet"][name]) for name in bundled)
    assert not all(torch.equal(bundled[name], alone[name]) for name in bundled)


def test_the_change_loss_is_the_share_of_the_change_that_is_missed() -> None:
    images = torch.rand(4, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    weights = torch.ones_like(images)
    same = images[::2].repeat_interleave(2, 0)
    half = same.clone()
    half[1::2] += 0.5 * (images[1::2] - images[::2])
    assert compute_change_loss(images, images, weights) == 0
    assert float(compute_change_loss(same, images, weights)) == pytest.approx(1, abs=1e-3)
    assert float(compute_change_loss(half, images, weights)) == pytest.approx(0.25, abs=1e-3)


def test_rows_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    rows, path, seen = [np.full((2, 3), k) for k in range(4)], tmp_path / "rows.npy", []

    def stop_at_the_third(row: int) -> None:
        seen.append(row)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_arrays(path, rows, 4, np.float16, stop_at_the_third)
    assert not path.exists()
    write_arrays(path, rows, 4, np.float16, seen.append)
    assert seen == [0, 1, 2, 0, 1, 2, 3]
    written = np.load(path)
    assert written.dtype == np.float16
    np.testing.assert_array_equal(written, rows)


class _Half(nn.Module):
    """A chain whose predicted scan shows half of the change that is asked for."""

    def encode(self, images: torch.Tensor) -> tuple[torch.Tensor, None]:
        return images, None

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return latents


class _Brightness(nn.Module):
    """Calls a voxel hippocampus with its intensity as the probability."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        share = images.clamp(1e-6, 1 - 1e-6)
        return torch.cat([(1 - share).log(), share.log()], dim=1)


def test_the_volume_gain_is_the_share_of_a_change_that_is_predicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_recipe().model
    segmenter = config.segmenter.model_copy(  # type: ignore[union-attr]
        update={"labels": ("background", "hippocampus"), "label_ids": None}
    )
    config = config.model_copy(
        update={"segmenter": segmenter, "regions": ("hippocampus",), "decoding": "latent"}
    )
    write_banks(tmp_path)
    # the truth goes from 5000 to 4900 mm3, by 2 %; the prediction dims the scan by 1 %
    monkeypatch.setattr(
        "brlp_models.training.banks.predicted_visits.sample_latents",
        lambda _model, before, *_: 0.99 * before,
    )
    networks = {"autoencoder": _Half(), "segmenter": _Brightness()}
    networks["autoencoder"].register_parameter("unused", nn.Parameter(torch.zeros(1)))
    gain = measure_volume_gain(config, networks, Bank.load(tmp_path / "scan_bank"), seed=1)
    assert gain == {"hippocampus": pytest.approx(0.5, rel=1e-3)}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"diagnosis": ["MCI", "MCI", "SMC", "SMC"]}, r"diagnosis of sub-1 must be one of .*'SMC'"),
        ({"sex": None}, "sex of sub-0 is missing"),
        ({"hippocampus_mm3": [5e3, 5e3, None, 5e3]}, "sub-1 lacks the volume hippocampus"),
        ({"age_years": 70.0}, "Nobody of the training people has scans of two visits"),
    ],
)
def test_who_cannot_be_learned_from_is_told_before_networks_learn(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    write_banks(tmp_path)
    make_training(tmp_path).check_people()
    path = tmp_path / "scan_bank" / "index.csv"
    pd.read_csv(path).assign(**changes).to_csv(path, index=False)
    with pytest.raises(ModelError, match=told):
        make_training(tmp_path).check_people()
    index = pd.read_csv(path).drop(columns="sex").assign(age_years=[70, 72, 70, 72])
    index.to_csv(path, index=False)
    with pytest.raises(ModelError, match="context needs sex, which is in no table"):
        make_training(tmp_path).check_people()


def test_an_unfinished_stage_is_refused(trained: Path) -> None:
    longer = make_training(trained, make_recipe(steps=8))
    with pytest.raises(ModelError, match="stopped at step 6 of 8"):
        longer.networks.load("segmenter")


@pytest.mark.filterwarnings("error")
def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    # of a newer protocol, which PyTorch would warn of
    path.write_bytes(pickle.dumps({"step": 1}))
    with pytest.raises(ModelError, match=r"training checkpoint \(\w+\); delete it to train"):
        read_checkpoint(path)
    torch.save({"state_dict": {"step": 1}}, path)
    with pytest.raises(ModelError, match="it holds no step; delete it to train"):
        read_checkpoint(path)
    path.with_name(PREVIOUS).touch()
    with pytest.raises(ModelError, match=r"put checkpoint_before.pt beside it in its place"):
        read_checkpoint(path)
    path.unlink()
    path.mkdir()
    # what cannot be read for another reason is not to be deleted
    with pytest.raises(ModelError, match="cannot be read: Is a directory"):
        read_checkpoint(path)


def test_shares_of_a_crop_are_the_volumes_of_its_labels() -> None:
    tissues = np.zeros((8, 8, 8), np.uint8)
    tissues[:4, :3] = HIPPOCAMPUS
    settings = SynthesisSettings(random_contrast=0, whole_head=0)
    scan, shares = synthesize_crop(
        tissues, factor=2, settings=settings, rng=np.random.default_rng(0)
    )
    assert shares[SEGMENTED.index("hippocampus")].sum() * 8 == 4 * 3 * 8
    assert torch.all(scan[0][shares[0] == 1] == 0)
    assert torch.allclose(shares.sum(0), torch.ones(4, 4, 4))


def test_the_learning_rate_warms_up_then_falls() -> None:
    settings = LoopSettings(steps=100, learning_rate=1.0, warmup_steps=9, final_fraction=0.1)
    rates = [settings.compute_learning_rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[9])
    assert rates[-1] == pytest.approx(0.1, abs=1e-3)


def test_both_bundled_recipes_are_valid() -> None:
    assert load_recipe("mini").model.diffusion_target == "residual"
    assert load_recipe("official").model.diffusion_target == "latent"


def test_a_wrong_recipe_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("seeds = 1\n")
    with pytest.raises(ModelError, match="seeds: Extra inputs"):
        load_recipe(path)
    mini = (files("brlp_models.training") / "configs/mini.toml").read_text()
    path.write_text(re.sub("^regions = .*", 'regions = ["pons"]', mini, count=1, flags=re.M))
    with pytest.raises(ModelError, match=r"model: endpoint is .*; regions names pons, which"):
        load_recipe(path)
