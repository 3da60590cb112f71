"""Networks on latents that predict a later scan without a ControlNet."""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from brlp_models.baselines.follow_up import ImageBaseline, TimedScan
from brlp_models.baselines.latent_follow_up import (
    FLOW_STEPS,
    LatentConfig,
    LatentFollowUp,
    list_unet_args,
)
from brlp_models.baselines.loading import load_baseline
from brlp_models.errors import ModelError
from brlp_models.model.model import BrlpModel, pad_latents
from brlp_models.model.networks import build_denoiser
from brlp_models.training.cohort_follow_ups import fit_cohort_follow_up
from brlp_models.training.examples import Draw
from brlp_models.training.loop import LoopSettings, start_accelerator, train_stage
from brlp_models.training.stages.deformation import DeformationSettings
from brlp_models.training.stages.latent_follow_up import LatentSettings, LatentStage
from brlp_models.training.stages.timed_pair import TimedPair
from cohorts.cohort import Cohort
from tests.brlp_models.test_deformation import ROW, as_image, draw_shrunken, write_shrinking

NAMES = ("ag_ldm", "flow_matching")
START = [TimedScan(0, as_image(draw_shrunken(99, 0)))]
SETTINGS = LatentSettings(loop=LoopSettings(steps=40, learning_rate=3e-3, warmup_steps=5))


@pytest.fixture(scope="module")
def cohort(tiny_model: BrlpModel, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("shrinking")
    return write_shrinking(folder, np.asarray(tiny_model.config.affine), 4)


@pytest.fixture(scope="module")
def model(tiny_model: BrlpModel) -> BrlpModel:
    config = tiny_model.config.model_copy(update={"num_inference_steps": 2})
    return replace(tiny_model, config=config)


@pytest.fixture(scope="module", params=NAMES)
def fitted(
    request: pytest.FixtureRequest,
    model: BrlpModel,
    cohort: Cohort,
    tmp_path_factory: pytest.TempPathFactory,
) -> ImageBaseline:
    """Return what has hardly learned: its folder, and what it refuses, do not hang on that."""
    out = tmp_path_factory.mktemp("fitted") / request.param
    settings = LatentSettings(loop=LoopSettings(steps=2))
    return fit_cohort_follow_up(request.param, cohort, out, model=model, settings=settings)


def make(model: BrlpModel, name: str, network: nn.Module) -> LatentFollowUp:
    config = LatentConfig.model_validate(
        {
            "name": name,
            "model_id": model.model_id,
            "horizons_months": (),
            "is_synthetic": True,
            "provenance": "Nobody.",
            "coding": {"centers": {"age_years": 75.0}, "scales": {"age_years": 5.0}, "levels": {}},
            "unet": list_unet_args(model, 1),
            "n_draws": 1,
            "diffusion_target": model.config.diffusion_target,
        }
    )
    return LatentFollowUp(config, network)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_training_lowers_the_loss(
    name: str, model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    fit_cohort_follow_up(name, cohort, tmp_path / name, model=model, settings=SETTINGS)
    log = pd.read_csv(tmp_path / f"{name}.training" / "metrics.csv")
    losses = log.loc[log["metric"] == "loss", "value"]
    assert losses.tail(10).mean() < 0.8 * losses.head(5).mean()


def test_the_folder_gives_the_same_image(fitted: ImageBaseline, model: BrlpModel) -> None:
    assert fitted.folder is not None
    kept = load_baseline(fitted.folder)
    assert isinstance(kept, ImageBaseline)
    first, again = (own.predict(model, START, ROW, 24) for own in (fitted, kept))
    assert torch.equal(first.image, again.image)
    assert 0 <= first.image.min() <= first.image.max() <= 1
    assert not torch.equal(first.measured, first.reference)
    far = fitted.predict(model, START, ROW, 120)
    assert not torch.equal(far.measured, first.measured)


def test_a_flow_that_learned_nothing_is_the_last_scan(model: BrlpModel) -> None:
    untrained = make(model, "flow_matching", build_denoiser(list_unet_args(model, 1)))
    found = untrained.predict(model, START, ROW, 24)
    assert torch.equal(found.measured, found.reference)


def test_a_constant_velocity_ends_after_its_whole_length(model: BrlpModel) -> None:
    times = []

    class Constant(nn.Module):
        def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
            times.append(float(time))
            assert context.flatten().tolist() == pytest.approx([-1, 0.4])
            return torch.full_like(x[:, : model.config.latent_channels], 0.5)

    found = make(model, "flow_matching", Constant()).predict(model, START, ROW, 48)
    latent = model.encode(START[0].image[None])
    later = latent + 0.5 / model.config.latent_scale
    assert torch.allclose(found.measured, model.decode(later)[0], atol=1e-4)
    assert times == [1000 * k / FLOW_STEPS for k in range(FLOW_STEPS)]


def test_a_denoiser_sees_the_baseline_and_its_answer_is_the_later_latent(
    model: BrlpModel,
) -> None:
    clean = replace(
        model,
        config=model.config.model_copy(
            update={
                "schedule": model.config.schedule.model_copy(update={"prediction_type": "sample"})
            }
        ),
    )
    latent = clean.encode(START[0].image[None])
    baseline = pad_latents(latent, clean.config) * clean.config.latent_scale
    n = clean.config.latent_channels

    class Answer(nn.Module):
        def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
            assert torch.equal(x[:, n:], baseline)
            return 1.5 * x[:, n:]

    found = make(clean, "ag_ldm", Answer()).predict(clean, START, ROW, 24)
    # DDIM's last step leaves a trace of the noise: sqrt(1 - alpha_bar) at t = 0 is 0.039
    wanted = clean.decode(1.5 * latent)[0]
    assert (found.measured - wanted).abs().mean() < 0.2 * (found.reference - wanted).abs().mean()


def test_a_denoiser_of_changes_adds_what_it_answers_to_the_baseline(model: BrlpModel) -> None:
    update = {
        "schedule": model.config.schedule.model_copy(update={"prediction_type": "sample"}),
        "diffusion_target": "residual",
        "residual_scale": 4.0,
    }
    changing = replace(model, config=model.config.model_copy(update=update))

    class Answer(nn.Module):
        def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
            return torch.full_like(x[:, : changing.config.latent_channels], 2.0)

    found = make(changing, "ag_ldm", Answer()).predict(changing, START, ROW, 24)
    wanted = changing.decode(changing.encode(START[0].image[None]) + 2.0 / 4.0)[0]
    assert (found.measured - wanted).abs().mean() < 0.2 * (found.reference - wanted).abs().mean()


def test_a_folder_that_says_nothing_of_it_learned_the_latent(model: BrlpModel) -> None:
    update = {"diffusion_target": "residual", "residual_scale": 4.0}
    changing = replace(model, config=model.config.model_copy(update=update))
    said = make(changing, "ag_ldm", nn.Identity()).config.model_dump(mode="json")
    assert said.pop("diffusion_target") == "residual"
    assert LatentConfig.model_validate(said).diffusion_target == "latent"


def draw_times(stage: LatentStage, step: int) -> list[int]:
    draws = [Draw.of(seed=0, step=step, place=k) for k in range(40)]
    return [int(stage.draw_example(draw)["timesteps"]) for draw in draws]


def test_the_noisiest_times_come_after_all_alike(model: BrlpModel) -> None:
    shape = (model.config.latent_channels, *model.config.latent_shape)
    pair = TimedPair(np.zeros(shape, "f4"), np.ones(shape, "f4"), np.zeros(1, "f4"), 2)
    settings = LatentSettings(high_noise_share=1.0, even_steps=5)
    network = build_denoiser(list_unet_args(model, 1))
    stage = LatentStage("ag_ldm", model.config, network, [pair], settings)
    before, after = draw_times(stage, 4), draw_times(stage, 5)
    n = model.config.schedule.num_train_timesteps
    assert min(before) < n / 5
    assert min(after) >= n - n // 10


def find_first_loss(
    model: BrlpModel, cohort: Cohort, out: Path, medial_temporal_weight: float
) -> float:
    settings = LatentSettings(
        loop=LoopSettings(steps=1), medial_temporal_weight=medial_temporal_weight
    )
    fit_cohort_follow_up("flow_matching", cohort, out, model=model, settings=settings)
    log = pd.read_csv(out.with_name(f"{out.name}.training") / "metrics.csv")
    return float(log.loc[log["metric"] == "loss", "value"].iloc[0])


def test_the_medial_temporal_lobe_counts_more_where_a_segmentation_shows_it(
    model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    one = replace(cohort, participants=cohort.participants.head(1), visits=cohort.visits.head(2))
    labels = np.zeros(model.config.shape, dtype=np.int16)
    labels[tuple(slice(n // 2, n // 2 + 2) for n in labels.shape)] = 17
    path = tmp_path / "dseg.nii.gz"
    nib.save(nib.Nifti1Image(labels, np.asarray(model.config.affine)), path)
    segmented = replace(one, visits=one.visits.assign(segmentation_path=str(path)))
    losses = {
        name: [find_first_loss(model, own, tmp_path / f"{name}{w}", w) for w in (1.0, 16.0)]
        for name, own in {"segmented": segmented, "bare": one}.items()
    }
    assert losses["bare"][0] == losses["bare"][1] == losses["segmented"][0]
    assert losses["segmented"][1] != pytest.approx(losses["segmented"][0], rel=0.01)


def test_examples_lie_on_the_way_from_the_first_to_the_later(
    model: BrlpModel, tmp_path: Path
) -> None:
    shape = (model.config.latent_channels, *model.config.latent_shape)
    pair = TimedPair(np.zeros(shape, np.float32), np.ones(shape, np.float32), np.zeros(0, "f4"), 2)
    seen = []

    class Watch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
            seen.append((x, time))
            return self.weight.expand(len(x), shape[0], *x.shape[2:])

    settings = LatentSettings(loop=LoopSettings(steps=1), batch_size=3)
    stage = LatentStage("flow_matching", model.config, Watch(), [pair], settings)
    accelerator = start_accelerator(settings.loop)
    train_stage(stage, settings.loop, tmp_path, seed=1, accelerator=accelerator)
    (x, time), *_ = seen
    middle = x[:, 0, 3, 3, 3]
    assert torch.allclose(middle, model.config.latent_scale * time / 1000)
    assert len(set(time.tolist())) == 3


def test_latents_of_another_model_and_foreign_settings_are_told(
    fitted: ImageBaseline, model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    other = replace(model, checksums={"SHA256SUMS": "0" * 64})
    with pytest.raises(ModelError, match=f"predicts latents of the model {model.model_id}"):
        fitted.predict(other, START, ROW, 24)
    with pytest.raises(ModelError, match="is trained by LatentSettings"):
        fit_cohort_follow_up(
            "ag_ldm", cohort, tmp_path / "no", model=model, settings=DeformationSettings()
        )
