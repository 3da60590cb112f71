"""A loaded Brain Latent Progression model."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch
from monai.networks.layers.simplelayers import GaussianFilter
from torch import Tensor, nn
from torch.nn import functional

from brlp_models.errors import ModelError
from brlp_models.model.calibrated_context import apply_calibration
from brlp_models.model.config import ModelConfig
from brlp_models.model.files import name_model
from brlp_models.model.precision import Precision

WEIGHED_AROUND: Final = 3.0
"""Voxels: the sd of the Gaussian that a change's size is averaged over."""


@dataclass(frozen=True)
class BrlpModel:
    """The networks of a model folder with their configuration.

    Parameters
    ----------
    config
        The folder's `config.json`.
    networks
        `autoencoder`, `unet`, `controlnet` and, where the folder has one, `segmenter` and
        `refiner`; in evaluation mode, without gradients.
    checksums
        SHA-256 of every file of the folder.
    folder
        Where it was read from; None for a model that lives in memory only.
    precision
        `bf16` where the matrices of the denoising networks are kept, and multiplied, in bfloat16.
        Encoding, decoding and segmenting of what is reported stay in full precision, because
        bfloat16 moved single regional volumes by up to 0.4 %, which is not small beside 1 to 2 % a
        year; single draws, of which only the spread is kept, are read in bfloat16.
    """

    config: ModelConfig
    networks: dict[str, nn.Module]
    checksums: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    precision: Precision = "full"

    @property
    def model_id(self) -> str:
        """The name, with the first 8 digits of the checksum of the weights."""
        return name_model(self.config, self.checksums)

    @property
    def device(self) -> torch.device:
        """Where the networks live."""
        return next(self.networks["autoencoder"].parameters()).device

    def network(self, name: str) -> nn.Module:
        """Return one network, or say that the folder has none."""
        if name not in self.networks:
            raise ModelError(f"Model {self.config.name} has no {name}.")
        return self.networks[name]

    def told_by(self, identity: str | None) -> "BrlpModel":
        """Return the model as `apply_calibration` makes it for what tells its context."""
        return replace(self, config=apply_calibration(self.config, identity))

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """Return the posterior means of scans (B, channels, *shape): (B, C, *latent_shape)."""
        expected = (len(self.config.channels), *self.config.shape)
        if tuple(images.shape[1:]) != expected:
            raise ModelError(
                f"Model {self.config.name} encodes images of shape {expected} each, "
                f"got {tuple(images.shape[1:])}."
            )
        autoencoder: Any = self.network("autoencoder")
        latents: Tensor = autoencoder.encode(self._place(images))[0]
        return latents.float()

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """Return the scans (B, channels, *shape) of latents (B, C, *latent_shape)."""
        autoencoder: Any = self.network("autoencoder")
        images: Tensor = autoencoder.decode(self._place(latents))
        return images.float()

    def _place(self, volumes: Tensor) -> Tensor:
        device = self.device
        # in bfloat16, channels last makes encoding and decoding five times faster on the CPU
        if torch.is_autocast_enabled(device.type):
            return volumes.to(device, memory_format=torch.channels_last_3d)
        return volumes.to(device)

    @torch.inference_mode()
    def render(self, decoded: Tensor, *, scan: Tensor, reconstruction: Tensor) -> Tensor:
        """Return what decoded latents look like in the person that a scan shows.

        Volumes are measured in the decoded latents, where they are less biased.

        Parameters
        ----------
        decoded
            Decoded latents of one person at other ages, (B, channels, *shape).
        scan, reconstruction
            The person's scan, and the decoded latent of it, each (channels, *shape).

        Returns
        -------
        Tensor
            Scans (B, channels, *shape), intensities 0 to 1, as `decoding` of the configuration
            says, on the device of `decoded`.
        """
        if self.config.decoding == "latent":
            return decoded.clamp(0, 1)
        change = decoded - reconstruction
        if (refiner := self.config.refiner) is not None:
            start, scale = (scan[None], reconstruction[None]), refiner.change_scale
            sharper = [self._sharpen(one[None], *start, scale=scale) for one in change]
            change = change + torch.cat(sharper)
        if (error := self.config.shown_error) > 0:
            # one by one: the same bits in any group
            change = torch.cat([weigh_change(one[None], error) for one in change])
        return (scan + change).clamp(0, 1)

    def _sharpen(self, *images: Tensor, scale: float) -> Tensor:
        change, scan, reconstruction = (image.to(self.device) for image in images)
        refiner = self.network("refiner")
        correction = sharpen_change(refiner, change, scan, reconstruction, scale=scale)
        return correction.to(images[0].device)


def weigh_change(change: Tensor, error: float) -> Tensor:
    """Return changes (B, channels, x, y, z) of which as much is left as is to be relied on.

    Parameters
    ----------
    change
        What predictions change of a scan.
    error
        The sd of what is wrong of that, in the same intensities, above 0.

    Returns
    -------
    Tensor
        change E / (E + error^2), E being the mean of change^2 around (a Gaussian of three voxels):
        Wiener's weight, by voxel, with what is seen of a change in place of what there is. Small
        changes far from large ones are mostly wrong.

    Examples
    --------
    >>> everywhere = torch.full((1, 1, 24, 24, 24), -0.03)
    >>> round(float(weigh_change(everywhere, 0.03)[0, 0, 12, 12, 12]), 3)
    -0.015
    """
    energy: Tensor = GaussianFilter(3, WEIGHED_AROUND)(change.square())
    return change * energy / (energy + error**2)


def sharpen_change(
    refiner: nn.Module, change: Tensor, scan: Tensor, reconstruction: Tensor, *, scale: float
) -> Tensor:
    """Return what a refiner adds to a decoded change, all (B, channels, x, y, z)."""
    # scaled, since a change is small beside the intensities of a scan, and bfloat16 is coarse
    inputs = torch.cat([scan, scan - reconstruction, scale * change], dim=1)
    correction: Tensor = refiner(inputs.contiguous(memory_format=torch.channels_last_3d))
    return correction.float() / scale


def pad_latents(latents: Tensor, config: ModelConfig) -> Tensor:
    """Return latents on the grid of the diffusion networks, with zeros around them."""
    x, y, z = config.latent_padding
    return functional.pad(latents, (*z, *y, *x))


def crop_latents(latents: Tensor, config: ModelConfig) -> Tensor:
    """Return latents on the grid of the autoencoder; the inverse of `pad_latents`."""
    x, y, z = (
        slice(before, before + size)
        for (before, _), size in zip(config.latent_padding, config.latent_shape, strict=True)
    )
    return latents[..., x, y, z]
