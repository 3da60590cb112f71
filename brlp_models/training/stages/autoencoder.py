"""Training of the KL autoencoder on crops."""

from typing import Annotated, Any, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from monai.networks.nets.patchgan_discriminator import PatchDiscriminator
from pydantic import Field
from torch import Tensor, nn

from brlp_models.training.banks.crops import CropSettings
from brlp_models.training.examples import Draw, Examples
from brlp_models.training.loop import step_optimizer
from brlp_models.training.stages.losses import (
    compute_change_loss,
    compute_feature_loss,
    compute_kl_loss,
    compute_reconstruction_loss,
)


class AutoencoderSettings(CropSettings):
    """How the autoencoder is trained, beside its crops, which its downsampling must divide.

    Parameters
    ----------
    medial_temporal_weight
        Weight of their voxels, and of those around, in the reconstruction loss; others have 1.
    kl_weight
        Weight of the KL term (summed over a latent, per voxel of the crop).
    perceptual_weight
        Weight of the difference that the segmenter sees.
    change_weight
        Weight of the share of the change between two visits that their decoded difference misses;
        where it is above 0, batches hold two visits of each of `batch_size` people.
    adversarial_weight, adversarial_start
        Weight of the patch-adversarial loss, and the step that it begins with.
    discriminator_channels
        Channels of the patch discriminator's first layer.
    """

    medial_temporal_weight: Annotated[float, Field(ge=1)] = 3.0
    kl_weight: Annotated[float, Field(ge=0)] = 1e-7
    perceptual_weight: Annotated[float, Field(ge=0)] = 0.001
    change_weight: Annotated[float, Field(ge=0)] = 0.0
    adversarial_weight: Annotated[float, Field(ge=0)] = 0.025
    adversarial_start: Annotated[int, Field(ge=0)] = 0
    discriminator_channels: Annotated[int, Field(ge=1)] = 16


class CropSource(Protocol):
    """Where the autoencoder's crops come from."""

    def draw_crop(
        self, rng: np.random.Generator, settings: AutoencoderSettings
    ) -> tuple[Tensor, Tensor]:
        """Return scans (visits, channels, x, y, z) and voxels' weights (visits, 1, x, y, z)."""
        ...


class AutoencoderStage:
    """One batch of crops at a time.

    Parameters
    ----------
    network
        The autoencoder.
    source
        Gives crops.
    settings
        Weights of the losses.
    n_channels
        Of the scans.
    judge
        A trained segmenter, for the perceptual loss; pretrained perceptual networks would have to
        be downloaded, and this one was trained on the anatomy that matters. None: no such loss.
    """

    exported: tuple[str, ...] = ("autoencoder",)

    def __init__(
        self,
        network: nn.Module,
        source: CropSource,
        settings: AutoencoderSettings,
        *,
        n_channels: int = 1,
        judge: nn.Module | None = None,
    ) -> None:
        # channels last halves the time of a step on the CPU
        last: Any = {"memory_format": torch.channels_last_3d}
        self.networks: dict[str, nn.Module] = {"autoencoder": _RoundTrip(network.to(**last))}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "autoencoder": torch.optim.Adam(network.parameters(), settings.loop.learning_rate)
        }
        if settings.adversarial_weight:
            discriminator = _build_discriminator(settings, n_channels)
            self.networks["discriminator"] = discriminator
            self.optimizers["discriminator"] = torch.optim.Adam(
                discriminator.parameters(), settings.loop.learning_rate
            )
        self.batch_size = settings.batch_size
        self._source = source
        self._settings = settings
        self._judge = None if judge is None else judge.eval().requires_grad_(False)

    def draw_example(self, draw: Draw) -> Examples:
        """Return crops of one or two visits, the weight of every voxel, a seed for the latent."""
        images, weights = self._source.draw_crop(draw.rng, self._settings)
        seed = torch.tensor(draw.generator.initial_seed())
        return {"images": images, "weights": weights, "seed": seed}

    def train_batch(
        self, examples: Examples, step: int, accelerator: Accelerator
    ) -> dict[str, Tensor]:
        """Step the autoencoder, then the discriminator."""
        settings, device = self._settings, accelerator.device
        images = examples["images"].flatten(0, 1)
        images = images.to(device, memory_format=torch.channels_last_3d)
        weights = examples["weights"].flatten(0, 1).to(device)
        with accelerator.autocast():
            decoded, mean, sigma = self.networks["autoencoder"](images, examples["seed"].tolist())
        metrics = {
            "reconstruction": compute_reconstruction_loss(decoded.float(), images, weights),
            "kl": compute_kl_loss(mean.float(), sigma.float()),
        }
        loss = metrics["reconstruction"] + settings.kl_weight * metrics["kl"]
        if settings.change_weight:
            metrics["change"] = compute_change_loss(decoded.float(), images, weights)
            loss = loss + settings.change_weight * metrics["change"]
        if self._judge is not None and settings.perceptual_weight:
            self._judge.to(accelerator.device)
            with accelerator.autocast():
                metrics["perceptual"] = compute_feature_loss(self._judge, decoded, images)
            loss = loss + settings.perceptual_weight * metrics["perceptual"]
        adversarial = "discriminator" in self.networks and step >= settings.adversarial_start
        if adversarial:
            metrics["adversarial"] = self._fool(decoded, accelerator)
            loss = loss + settings.adversarial_weight * metrics["adversarial"]
        accelerator.backward(loss)
        self._step("autoencoder", accelerator)
        if adversarial:
            metrics["discriminator"] = self._discriminate(images, decoded.detach(), accelerator)
        return {"loss": loss, **metrics}

    def _fool(self, decoded: Tensor, accelerator: Accelerator) -> Tensor:
        # its own gradients are not wanted here, nor gathered from other processes
        discriminator = accelerator.unwrap_model(self.networks["discriminator"])
        discriminator.requires_grad_(False)
        with accelerator.autocast():
            verdict: Tensor = discriminator(decoded)[-1]
        discriminator.requires_grad_(True)
        fooled: Tensor = ((verdict.float() - 1) ** 2).mean()
        return fooled

    def _discriminate(self, images: Tensor, decoded: Tensor, accelerator: Accelerator) -> Tensor:
        with accelerator.autocast():
            verdicts = self.networks["discriminator"](torch.cat([images, decoded]))[-1].float()
        real, made = verdicts.chunk(2)
        loss: Tensor = 0.5 * (((real - 1) ** 2).mean() + (made**2).mean())
        accelerator.backward(self._settings.adversarial_weight * loss)
        self._step("discriminator", accelerator)
        judged: Tensor = loss
        return judged

    def _step(self, name: str, accelerator: Accelerator) -> None:
        step_optimizer(
            accelerator,
            self.networks[name],
            self.optimizers[name],
            self._settings.loop.gradient_clip,
        )


class _RoundTrip(nn.Module):
    """An autoencoder there and back in one forward pass, as training on several devices needs it.

    Its state is that of the autoencoder.
    """

    def __init__(self, autoencoder: nn.Module) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, images: Tensor, seeds: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the decoded draw, the latent's mean and its sd; a seed draws for one example."""
        network: Any = self.autoencoder
        mean, sigma = network.encode(images)
        shape = (len(mean) // len(seeds), *mean.shape[1:])
        noise = [torch.randn(shape, generator=torch.Generator().manual_seed(k)) for k in seeds]
        return network.decode(mean + sigma * torch.cat(noise).to(mean)), mean, sigma

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the autoencoder's."""
        return self.autoencoder.state_dict(*args, **kwargs)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Load the autoencoder's."""
        return self.autoencoder.load_state_dict(*args, **kwargs)


def _build_discriminator(settings: AutoencoderSettings, n_channels: int) -> nn.Module:
    return PatchDiscriminator(
        spatial_dims=3,
        channels=settings.discriminator_channels,
        in_channels=n_channels,
        num_layers_d=2,
        norm="INSTANCE",
    )
