"""What networks that learn from latents share: times, weights, and the squares that they miss."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from monai.networks.schedulers.ddim import DDIMScheduler
from torch import Tensor
from torch.nn import functional

from brlp_models.model.config import ModelConfig
from brlp_models.model.model import pad_latents
from brlp_models.training.stages.losses import average_over_processes
from brlp_models.training.tissues import TISSUES


def draw_timestep(n_timesteps: int, high_noise_share: float, generator: torch.Generator) -> Tensor:
    """Draw a timestep, with a share of them at the last tenth, where sampling begins."""
    high = float(torch.rand((), generator=generator)) < high_noise_share
    low = n_timesteps - n_timesteps // 10 if high else 0
    return torch.randint(low, n_timesteps, (), generator=generator)


def find_near_medial_temporal(
    labels: npt.NDArray[np.uint8], latent_shape: Sequence[int]
) -> npt.NDArray[np.bool_]:
    """Return which voxels of a latent are in or beside hippocampus and amygdala, (*latent_shape).

    Parameters
    ----------
    labels
        Tissue indices of the scan.
    latent_shape
        Of the autoencoder.
    """
    inside = torch.from_numpy(TISSUES.find_medial_temporal(labels)).float()[None, None]
    near = functional.adaptive_max_pool3d(inside, tuple(latent_shape))
    # the voxels next to it hold the other side of its boundary
    near = functional.max_pool3d(near, 3, stride=1, padding=1)
    return np.asarray(near[0, 0].numpy() > 0)


def weigh_voxels(near: npt.NDArray[np.bool_] | None, weight: float, config: ModelConfig) -> Tensor:
    """Return the weight of every voxel of padded latents, (1, *padded_latent_shape).

    Parameters
    ----------
    near
        Voxels that have `weight`, (*latent_shape), others have 1; None where nobody knows which.
    weight
        At least 1.
    config
        The model's.
    """
    if near is None:
        near = np.zeros(config.latent_shape, dtype=bool)
    return pad_latents(1 + (weight - 1) * torch.from_numpy(near).float()[None], config)


def compute_wanted(
    scheduler: DDIMScheduler, target: Tensor, noise: Tensor, timesteps: Tensor
) -> Tensor:
    """Return what a denoiser should answer: the noise, the clean sample, or the velocity."""
    if scheduler.prediction_type == "epsilon":
        return noise
    if scheduler.prediction_type == "sample":
        return target
    velocity: Tensor = scheduler.get_velocity(target, noise, timesteps)
    return velocity


def compute_weighted_square(missed: Tensor, weights: Tensor) -> Tensor:
    """Return the mean square of (B, C, x, y, z), weighted voxel by voxel, (B, 1, x, y, z)."""
    return (weights * missed**2).mean() / average_over_processes(weights.mean())
