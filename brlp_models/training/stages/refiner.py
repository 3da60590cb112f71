"""Training of the refiner, which sharpens a decoded change in the starting scan."""

from typing import Annotated, Literal

import torch
from accelerate import Accelerator
from pydantic import Field
from torch import Tensor, nn

from brlp_models.model.model import sharpen_change
from brlp_models.training.banks.crop_sources import RenderingSource
from brlp_models.training.banks.crops import CropSettings
from brlp_models.training.examples import Draw, Examples
from brlp_models.training.loop import step_optimizer
from brlp_models.training.stages.losses import average_over_processes, compute_feature_loss


class RefinerSettings(CropSettings):
    """How the refiner is trained, beside its crops.

    Parameters
    ----------
    medial_temporal_weight
        Weight of their voxels, and of those around, in the reconstruction loss; others have 1.
    perceptual_weight
        Weight of the difference that the segmenter sees.
    noiseless
        The T1w that is learned has no noise: nobody can know the noise of a later visit, and that
        of the first is no part of it. Only synthetic people have such scans; where real visits
        have each their own noise, squares are least without it as well.
    changes
        What is sharpened: `true`, the change between the latents of two visits; `predicted`, that
        which UNet and ControlNet predict, from what an auxiliary model expects. They place a
        change less well than they say how large it is, so a refiner that has seen predictions
        shows as much of one as is to be relied on. That must be learned from people whom UNet and
        ControlNet have not seen.
    """

    medial_temporal_weight: Annotated[float, Field(ge=1)] = 3.0
    perceptual_weight: Annotated[float, Field(ge=0)] = 0.01
    noiseless: bool = False
    changes: Literal["true", "predicted"] = "true"


class RefinerStage:
    """Learns one visit's scan from another's, given the decoded latents of both.

    Parameters
    ----------
    network
        The refiner.
    source
        Gives crops of pairs of visits.
    settings
        Weights of the losses.
    change_scale
        Of the refiner's configuration.
    judge
        A trained segmenter, for the perceptual loss. None: no such loss.
    """

    exported: tuple[str, ...] = ("refiner",)

    def __init__(
        self,
        network: nn.Module,
        source: RenderingSource,
        settings: RefinerSettings,
        *,
        change_scale: float,
        judge: nn.Module | None = None,
    ) -> None:
        self.networks: dict[str, nn.Module] = {"refiner": network.train()}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "refiner": torch.optim.Adam(network.parameters(), settings.loop.learning_rate)
        }
        self.batch_size = settings.batch_size
        self._source, self._settings, self._scale = source, settings, change_scale
        self._judge = None if judge is None else judge.eval().requires_grad_(False)

    def draw_example(self, draw: Draw) -> Examples:
        """Return the images of a pair of visits and the weight of every voxel."""
        images, weights = self._source.draw_crop(draw.rng, self._settings)
        return {"images": images, "weights": weights}

    def train_batch(
        self, examples: Examples, _step: int, accelerator: Accelerator
    ) -> dict[str, Tensor]:
        """Step the refiner."""
        images, weights = (
            examples[name].to(accelerator.device, non_blocking=True)
            for name in ("images", "weights")
        )
        scan, reconstruction, decoded, wanted = images.unbind(dim=1)
        weights = weights.expand_as(scan)
        n_weights = average_over_processes(weights.sum())
        change, network = decoded - reconstruction, self.networks["refiner"]
        with accelerator.autocast():
            correction = sharpen_change(network, change, scan, reconstruction, scale=self._scale)
        rendered = scan + change + correction
        metrics = {
            # squares: most voxels do not change at all, and the least absolute error is to say so
            "reconstruction": (weights * (rendered - wanted) ** 2).sum() / n_weights,
            # to compare with: what the decoded change leaves without the refiner
            "uncorrected": (weights * (scan + change - wanted) ** 2).sum() / n_weights,
        }
        loss = metrics["reconstruction"]
        if self._judge is not None and self._settings.perceptual_weight:
            self._judge.to(accelerator.device)
            with accelerator.autocast():
                metrics["perceptual"] = compute_feature_loss(self._judge, rendered, wanted)
            loss = loss + self._settings.perceptual_weight * metrics["perceptual"]
        accelerator.backward(loss)
        clip = self._settings.loop.gradient_clip
        step_optimizer(accelerator, self.networks["refiner"], self.optimizers["refiner"], clip)
        return {"loss": loss, **metrics}
