"""Training of the segmenter, by synthesis from label maps."""

from typing import Annotated

import numpy as np
import torch
from accelerate import Accelerator
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from brlp_models.training.banks import Bank
from brlp_models.training.crops import draw_crop
from brlp_models.training.loop import Draw, LoopSettings, step_optimizer
from brlp_models.training.losses import compute_soft_segmentation_loss
from brlp_models.training.synthesis import SynthesisSettings, synthesize_crop

REFINEMENT = 2
"""Label banks have half the model's voxel size."""


class SegmenterSettings(BaseModel):
    """How the segmenter is trained."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loop: LoopSettings
    crop: tuple[int, int, int] = (48, 48, 48)
    batch_size: Annotated[int, Field(ge=1)] = 2
    medial_temporal_share: Annotated[float, Field(ge=0, le=1)] = 0.6
    synthesis: SynthesisSettings = SynthesisSettings()


class SegmenterStage:
    """One batch of synthetic crops at a time."""

    exported = "segmenter"

    def __init__(self, network: nn.Module, bank: Bank, settings: SegmenterSettings) -> None:
        self.networks = {"segmenter": network}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "segmenter": torch.optim.AdamW(network.parameters(), settings.loop.learning_rate)
        }
        self._bank = bank
        self._settings = settings

    def train_batch(self, draw: Draw, accelerator: Accelerator) -> dict[str, Tensor]:
        """Draw crops and learn the share of every class in each voxel."""
        settings = self._settings
        pairs = [self._draw_crop(draw.rng) for _ in range(settings.batch_size)]
        scans = torch.stack([scan for scan, _ in pairs]).to(accelerator.device)
        shares = torch.stack([share for _, share in pairs]).to(accelerator.device)
        network, optimizer = self.networks["segmenter"], self.optimizers["segmenter"]
        with accelerator.autocast():
            logits = network(scans)
        loss, metrics = compute_soft_segmentation_loss(logits.float(), shares)
        accelerator.backward(loss)
        step_optimizer(accelerator, network, optimizer, settings.loop.gradient_clip)
        return {"loss": loss, **metrics}

    def _draw_crop(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        settings, bank = self._settings, self._bank
        row = int(rng.choice(bank.rows))
        aimed = rng.random() < settings.medial_temporal_share
        place = draw_crop(
            bank.labels.shape[1:],
            [size * REFINEMENT for size in settings.crop],
            around=bank.find_medial_temporal(row) if aimed else None,
            rng=rng,
        )
        tissues = np.array(bank.labels[row][place])
        if rng.random() < 0.5:
            tissues = tissues[::-1].copy()
        return synthesize_crop(tissues, factor=REFINEMENT, settings=settings.synthesis, rng=rng)
