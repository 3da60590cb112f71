"""What the diffusion denoises, and the latents that it stands for."""

from torch import Tensor

from brlp_models.model.config import ModelConfig


def encode_target(baseline: Tensor, later: Tensor, config: ModelConfig) -> Tensor:
    """Return what is denoised: the later latent, or its change since baseline, scaled.

    Parameters
    ----------
    baseline, later
        (..., C, x, y, z), unscaled.
    config
        Its `diffusion_target` says which, its `residual_scale` or `latent_scale` in which units.
    """
    if config.diffusion_target == "residual":
        return (later - baseline) * config.residual_scale
    return later * config.latent_scale


def decode_target(target: Tensor, baseline: Tensor, config: ModelConfig) -> Tensor:
    """Return the later latent that a target stands for; the inverse of `encode_target`."""
    if config.diffusion_target == "residual":
        return baseline + target / config.residual_scale
    return target / config.latent_scale
