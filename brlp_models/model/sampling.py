"""Drawing from the latent diffusion: deterministic given the noise, by either sampler."""

from collections.abc import Callable, Iterable

import torch
from monai.networks.schedulers.ddim import DDIMScheduler
from torch import Tensor

from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.model.context import NO_CONTEXT
from brlp_models.model.model import BrlpModel, crop_latents, pad_latents
from brlp_models.model.precision import autocast
from brlp_models.model.schedule import Sampler, build_scheduler
from brlp_models.model.target import decode_target

Denoiser = Callable[[Tensor, int], Tensor]
"""The network's output for noisy latents (B, C, x, y, z) at one timestep."""


def sample_latents(
    model: BrlpModel,
    baseline_latent: Tensor,
    baseline_age_years: Tensor,
    context: Tensor,
    noise: Tensor,
    num_inference_steps: int = 25,
    sampler: Sampler = "ddim",
) -> Tensor:
    """Draw follow-up latents.

    Parameters
    ----------
    model
        Its UNet and ControlNet denoise.
    baseline_latent
        (B, C, *latent_shape), as `BrlpModel.encode` returns it.
    baseline_age_years
        (B,).
    context
        (B, 1, entries), coded by `encode_context`.
    noise
        (B, C, *padded_latent_shape), standard normal.
    num_inference_steps
        Evaluations of UNet and ControlNet.
    sampler
        `ddim`, with the published timesteps, or `dpm-solver++`, second order.

    Returns
    -------
    Tensor
        (B, C, *latent_shape), on the scale of `baseline_latent`.
    """
    config = model.config
    check_guidance(config, [config.guidance])
    _check_shapes(model, baseline_latent, context, noise)
    device = model.device
    baseline = pad_latents(baseline_latent.to(device), config)
    condition = _condition(model, baseline * config.latent_scale, baseline_age_years.to(device))
    denoise = _Denoiser(model, condition, context.to(device))
    scheduler = build_scheduler(config.schedule, sampler)
    with torch.inference_mode():
        target = run_reverse_diffusion(denoise, noise.to(device), scheduler, num_inference_steps)
    return crop_latents(decode_target(target, baseline, config), config)


def check_guidance(config: ModelConfig, weights: Iterable[float | None]) -> None:
    """Check that a model's networks learned to answer without context where that is asked of them.

    Parameters
    ----------
    config
        The model's.
    weights
        Of the context; None is 1, the network's own answer.

    Raises
    ------
    ModelError
        For a weight other than 1 of networks that never learned so, or of which nobody knows.
    """
    other = next((weight for weight in weights if weight not in (None, 1)), None)
    if other is None or config.context_dropout:
        return
    known = "were trained without"
    if config.context_dropout is None:
        known = "are not known to have had (config.json tells no context_dropout)"
    raise ModelError(
        f"guidance {other:g} weighs the context against answers without one, which networks learn "
        f"by context dropout, and those of {config.name} {known}: guidance 1 is expected."
    )


def run_reverse_diffusion(
    denoise: Denoiser, noise: Tensor, scheduler: DDIMScheduler, num_inference_steps: int
) -> Tensor:
    """Return what noise becomes at the end of a scheduler's timesteps."""
    if not 1 <= num_inference_steps <= scheduler.num_train_timesteps:
        raise ModelError(
            f"num_inference_steps must be between 1 and {scheduler.num_train_timesteps}, "
            f"got {num_inference_steps}."
        )
    scheduler.set_timesteps(num_inference_steps)
    x = noise
    for t in scheduler.timesteps.tolist():
        x, _ = scheduler.step(denoise(x, t), t, x)
    return x


class _Denoiser:
    """UNet with ControlNet, at one person's condition and context.

    Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598), in the form where 1 is the
    network's own answer: without + guidance (with - without context).
    """

    def __init__(self, model: BrlpModel, condition: Tensor, context: Tensor) -> None:
        self.unet, self.controlnet = model.network("unet"), model.network("controlnet")
        self.condition, self.context, self.precision = condition, context, model.precision
        self.guidance = model.config.guidance

    def __call__(self, x: Tensor, t: int) -> Tensor:
        told = self._denoise(x, t, self.context)
        if self.guidance == 1:
            return told
        untold = self._denoise(x, t, torch.full_like(self.context, NO_CONTEXT))
        return untold + self.guidance * (told - untold)

    def _denoise(self, x: Tensor, t: int, context: Tensor) -> Tensor:
        timesteps = torch.full((len(x),), t, device=x.device)
        with autocast(self.precision, x.device):
            down, middle = self.controlnet(
                x=x, timesteps=timesteps, controlnet_cond=self.condition, context=context
            )
            output: Tensor = self.unet(
                x=x,
                timesteps=timesteps,
                context=context,
                down_block_additional_residuals=down,
                mid_block_additional_residual=middle,
            )
        return output.to(x.dtype)


def _condition(model: BrlpModel, baseline: Tensor, age_years: Tensor) -> Tensor:
    at_zero, at_one = model.config.baseline_age_range
    coded = (age_years.to(baseline.dtype) - at_zero) / (at_one - at_zero)
    plane = coded.view(-1, 1, 1, 1, 1).expand(-1, 1, *baseline.shape[2:])
    return torch.cat([baseline, plane], dim=1)


def _check_shapes(
    model: BrlpModel, baseline_latent: Tensor, context: Tensor, noise: Tensor
) -> None:
    config, batch = model.config, len(baseline_latent)
    expected = {
        "baseline_latent": (batch, config.latent_channels, *config.latent_shape),
        "context": (batch, 1, len(config.context)),
        "noise": (batch, config.latent_channels, *config.padded_latent_shape),
    }
    found = {"baseline_latent": baseline_latent, "context": context, "noise": noise}
    problems = [
        f"{name} must have shape {shape}, got {tuple(found[name].shape)}."
        for name, shape in expected.items()
        if tuple(found[name].shape) != shape
    ]
    if problems:
        raise ModelError(*problems)
