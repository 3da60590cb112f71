"""Samplers follow the published timesteps and converge to known answers."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from brlp_models.errors import ModelError
from brlp_models.model import sampling
from brlp_models.model.config import Calibration, ScheduleConfig
from brlp_models.model.context import NO_CONTEXT
from brlp_models.model.folder import copy_model_folder, load_model
from brlp_models.model.model import BrlpModel, crop_latents, pad_latents
from brlp_models.model.sampling import check_guidance, run_reverse_diffusion, sample_latents
from brlp_models.model.schedule import Sampler, build_scheduler

MEAN, SD = 0.4, 0.3
LOOP = run_reverse_diffusion.__name__


def gaussian_denoiser(x: Tensor, t: int) -> Tensor:
    """Return the exact noise prediction when clean latents are normal (MEAN, SD)."""
    alpha_bar = build_scheduler(ScheduleConfig()).alphas_cumprod[t].double()
    variance = alpha_bar * SD**2 + 1 - alpha_bar
    return (1 - alpha_bar).sqrt() * (x - alpha_bar.sqrt() * MEAN) / variance


def gaussian_error(sampler: Sampler, steps: int, start: int) -> float:
    """Return the distance from the exact solution of the probability flow."""
    scheduler = build_scheduler(ScheduleConfig(), sampler)
    noise = torch.linspace(-2, 2, 9, dtype=torch.float64)
    alpha_bar = scheduler.alphas_cumprod[start].double()
    spread = (alpha_bar * SD**2 + 1 - alpha_bar).sqrt()
    exact = MEAN + SD * (noise - alpha_bar.sqrt() * MEAN) / spread
    found = run_reverse_diffusion(gaussian_denoiser, noise, scheduler, steps)
    return float((found - exact).abs().max())


def draw_inputs(model: BrlpModel, batch: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    config = model.config
    return {
        "baseline_latent": torch.randn(batch, 3, *config.latent_shape, generator=generator),
        "baseline_age_years": torch.linspace(60, 80, batch),
        "context": torch.rand(batch, 1, len(config.context), generator=generator),
        "noise": torch.randn(batch, 3, *config.padded_latent_shape, generator=generator),
    }


def published_loop(model: BrlpModel, inputs: dict[str, Tensor], steps: int) -> Tensor:
    """Write the published procedure out, one formula a line."""
    config = model.config
    betas = torch.linspace(0.0015**0.5, 0.0205**0.5, 1000) ** 2
    alpha_bar = torch.cumprod(1 - betas, 0)
    baseline = pad_latents(inputs["baseline_latent"], config)
    age = (inputs["baseline_age_years"] / 100).view(-1, 1, 1, 1, 1)
    condition = torch.cat([baseline, age.expand(-1, 1, *baseline.shape[2:])], dim=1)
    z, context = inputs["noise"], inputs["context"]
    for t in range(1000 - 1000 // steps, -1, -(1000 // steps)):
        time = torch.full((len(z),), t)
        down, middle = model.networks["controlnet"](z, time, condition, context=context)
        noise = model.networks["unet"](
            z,
            time,
            context=context,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
        )
        clean = (z - (1 - alpha_bar[t]).sqrt() * noise) / alpha_bar[t].sqrt()
        before = alpha_bar[t - 1000 // steps] if t >= 1000 // steps else torch.tensor(1.0)
        z = before.sqrt() * clean + (1 - before).sqrt() * noise
    return crop_latents(z, config)


def test_ddim_timesteps_are_the_published_ones() -> None:
    scheduler = build_scheduler(ScheduleConfig())
    for steps, stride in ((25, 40), (50, 20)):
        scheduler.set_timesteps(steps)
        assert scheduler.timesteps.tolist() == list(range(1000 - stride, -1, -stride))


def test_dpm_timesteps_go_from_pure_noise_to_the_end() -> None:
    scheduler = build_scheduler(ScheduleConfig(), "dpm-solver++")
    scheduler.set_timesteps(5)
    steps, alpha_bar = scheduler.timesteps, scheduler.alphas_cumprod
    lam = (alpha_bar / (1 - alpha_bar)).log()[steps]
    assert (steps[0], steps[-1]) == (999, 0)
    assert lam.diff().std() < 0.05 * lam.diff().mean()


@pytest.mark.parametrize("steps", [0, 1001])
def test_impossible_number_of_steps_is_refused(tiny_model: BrlpModel, steps: int) -> None:
    with pytest.raises(ModelError, match=f"between 1 and 1000, got {steps}"):
        sample_latents(tiny_model, **draw_inputs(tiny_model), num_inference_steps=steps)


def test_sampler_equals_the_published_procedure(tiny_model: BrlpModel) -> None:
    inputs = draw_inputs(tiny_model)
    expected = published_loop(tiny_model, inputs, 25)
    found = sample_latents(tiny_model, **inputs, num_inference_steps=25)
    assert expected.std() > 0.1
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_ddim_error_halves_with_twice_the_steps() -> None:
    errors = [gaussian_error("ddim", n, 1000 - 1000 // n) for n in (25, 50, 100)]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.25)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.25)


def test_dpm_solver_needs_far_fewer_steps_than_ddim() -> None:
    ddim = gaussian_error("ddim", 50, 980)
    assert gaussian_error("dpm-solver++", 6, 999) < ddim
    assert gaussian_error("dpm-solver++", 10, 999) < ddim / 10


def test_draw_is_determined_by_its_noise(tiny_model: BrlpModel) -> None:
    inputs = draw_inputs(tiny_model)
    first, second = (sample_latents(tiny_model, **inputs, num_inference_steps=3) for _ in "ab")
    other = {**inputs, "noise": -inputs["noise"]}
    assert torch.equal(first, second)
    assert not torch.allclose(first, sample_latents(tiny_model, **other, num_inference_steps=3))


def test_draw_does_not_depend_on_the_rest_of_the_batch(tiny_model: BrlpModel) -> None:
    inputs = draw_inputs(tiny_model, batch=3)
    alone = {name: value[1:2] for name, value in inputs.items()}
    together = sample_latents(tiny_model, **inputs, num_inference_steps=4)
    single = sample_latents(tiny_model, **alone, num_inference_steps=4)
    assert (together[1:2] - single).norm() < 1e-5 * single.norm()


@pytest.mark.parametrize("name", ["baseline_latent", "baseline_age_years", "context"])
def test_every_condition_reaches_the_draw(tiny_model: BrlpModel, name: str) -> None:
    inputs = draw_inputs(tiny_model, batch=1)
    changed = {**inputs, name: inputs[name] * 1.5}
    first = sample_latents(tiny_model, **inputs, num_inference_steps=2)
    assert not torch.allclose(
        first, sample_latents(tiny_model, **changed, num_inference_steps=2), rtol=1e-3
    )


def test_residual_of_zero_carries_the_baseline_forward(
    tiny_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(tiny_folder(diffusion_target="residual", residual_scale=3.0))
    monkeypatch.setattr(sampling, LOOP, lambda _, noise, *__: torch.zeros_like(noise))
    inputs = draw_inputs(model)
    assert torch.equal(sample_latents(model, **inputs), inputs["baseline_latent"])


def test_latent_scale_is_undone(
    tiny_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(tiny_folder(latent_scale=4.0))
    monkeypatch.setattr(sampling, LOOP, lambda _, noise, *__: torch.ones_like(noise))
    assert sample_latents(model, **draw_inputs(model)).unique().tolist() == [0.25]


def test_bf16_stays_close_to_full_precision(
    tiny_folder: Callable[..., Path], tiny_model: BrlpModel
) -> None:
    halved = load_model(tiny_folder(), precision="bf16")
    inputs = draw_inputs(tiny_model)
    exact = sample_latents(tiny_model, **inputs, num_inference_steps=5)
    found = sample_latents(halved, **inputs, num_inference_steps=5)
    assert 0 < float((found - exact).norm() / exact.norm()) < 0.05
    assert math.isfinite(float(found.sum()))


def test_wrong_shapes_are_told_together(tiny_model: BrlpModel) -> None:
    inputs = draw_inputs(tiny_model)
    inputs |= {"noise": inputs["baseline_latent"], "context": inputs["context"][..., :2]}
    with pytest.raises(ModelError, match=r"noise must have shape \(2, 3, 8, 8, 8\)") as caught:
        sample_latents(tiny_model, **inputs)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("dropout", "known"),
    [(None, "are not known to have had .config.json tells no"), (0.0, "were trained without: g")],
)
def test_guidance_of_networks_that_never_learned_it_is_refused_at_every_door(
    tiny_model: BrlpModel,
    tiny_folder: Callable[..., Path],
    tmp_path: Path,
    dropout: float | None,
    known: str,
) -> None:
    untold = tiny_model.config.model_copy(update={"context_dropout": dropout})
    model = replace(tiny_model, config=untold.model_copy(update={"guidance": 2.0}))
    with pytest.raises(ModelError, match=f"guidance 2 weighs .*{known}"):
        sample_latents(model, **draw_inputs(model))
    calibrated = {"a-1": Calibration(regions=untold.regions, guidance=1.5)}
    for update, weight in (({"guidance": 0.5}, 0.5), ({"calibrations": calibrated}, 1.5)):
        wrong = untold.model_copy(update=update)
        folder = copy_model_folder(tiny_folder(), tmp_path / repr(weight), wrong)
        with pytest.raises(ModelError, match=f"guidance {weight} weighs .*{known}"):
            load_model(folder)
    with pytest.raises(ModelError, match=known):
        check_guidance(untold, [1.0, None, 0.0])
    check_guidance(untold, [1.0, None])


def test_guidance_weighs_the_context(tiny_model: BrlpModel) -> None:
    inputs = draw_inputs(tiny_model)
    without = inputs | {"context": torch.full_like(inputs["context"], NO_CONTEXT)}

    def denoise_once(guidance: float, given: dict[str, Tensor]) -> Tensor:
        config = tiny_model.config.model_copy(update={"guidance": guidance})
        # the prediction of one step is linear in the network's output
        return sample_latents(replace(tiny_model, config=config), **given, num_inference_steps=1)

    told, untold = denoise_once(1, inputs), denoise_once(1, without)
    assert not torch.allclose(told, untold)
    torch.testing.assert_close(denoise_once(0, inputs), untold)
    expected = untold + 2 * (told - untold)
    torch.testing.assert_close(denoise_once(2, inputs), expected, rtol=1e-4, atol=1e-4)
