"""Training of the segmenter, by synthesis from label maps."""

from typing import Annotated

import numpy as np
import torch
from accelerate import Accelerator
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from brlp_models.training.banks.crops import CropSettings, draw_crop
from brlp_models.training.banks.volumes import Bank
from brlp_models.training.examples import Draw, Examples
from brlp_models.training.loop import step_optimizer
from brlp_models.training.stages.losses import compute_soft_segmentation_loss
from brlp_models.training.synthesis import SynthesisSettings, synthesize_crop
from brlp_models.training.tissues import SEGMENTED, TISSUES

REFINEMENT = 2
"""Label banks have half the model's voxel size."""


class SegmenterSettings(CropSettings):
    """How the segmenter is trained, beside its crops.

    Parameters
    ----------
    dice_weight
        Weight of the Dice loss beside cross-entropy; 0 in a last phase, for unbiased volumes.
    synthesis
        How varied the synthetic scans are.
    scan_share
        Share of crops that come from the cohort's own scans with their segmentations; the others
        are synthesized from label maps.
    """

    dice_weight: Annotated[float, Field(ge=0)] = 1.0
    synthesis: SynthesisSettings = SynthesisSettings()
    scan_share: Annotated[float, Field(ge=0, le=1)] = 0.0


class SegmenterStage:
    """One batch of crops at a time.

    Parameters
    ----------
    network
        The segmenter.
    bank
        Label maps for synthesis.
    settings
        How.
    scans
        Scans with segmentations, for `scan_share` of the crops.
    """

    exported: tuple[str, ...] = ("segmenter",)

    def __init__(
        self,
        network: nn.Module,
        bank: Bank,
        settings: SegmenterSettings,
        *,
        scans: Bank | None = None,
    ) -> None:
        self.networks = {"segmenter": network}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "segmenter": torch.optim.AdamW(network.parameters(), settings.loop.learning_rate)
        }
        self.batch_size = settings.batch_size
        self._bank, self._scans = bank, scans
        self._settings = settings

    def draw_example(self, draw: Draw) -> Examples:
        """Return a crop and the share of every class in each of its voxels."""
        scan, shares = self._draw_crop(draw.rng)
        return {"scan": scan, "shares": shares}

    def train_batch(
        self, examples: Examples, _step: int, accelerator: Accelerator
    ) -> dict[str, Tensor]:
        """Learn the share of every class in each voxel."""
        settings = self._settings
        scans = examples["scan"].to(accelerator.device, non_blocking=True)
        shares = examples["shares"].to(accelerator.device, non_blocking=True)
        network, optimizer = self.networks["segmenter"], self.optimizers["segmenter"]
        with accelerator.autocast():
            logits = network(scans)
        loss, metrics = compute_soft_segmentation_loss(
            logits.float(), shares, dice_weight=settings.dice_weight
        )
        accelerator.backward(loss)
        step_optimizer(accelerator, network, optimizer, settings.loop.gradient_clip)
        return {"loss": loss, **metrics}

    def _draw_crop(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        if self._scans is not None and rng.random() < self._settings.scan_share:
            return self._draw_scan(self._scans, rng)
        row, place = self._draw_place(self._bank, REFINEMENT, rng)
        tissues = np.array(self._bank.labels[row][place])
        if rng.random() < 0.5:
            tissues = tissues[::-1].copy()
        synthesis = self._settings.synthesis
        return synthesize_crop(tissues, factor=REFINEMENT, settings=synthesis, rng=rng)

    def _draw_scan(self, bank: Bank, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        row, place = self._draw_place(bank, 1, rng)
        scan, tissues = bank.images[row][0][place], bank.labels[row][place]
        if rng.random() < 0.5:
            scan, tissues = scan[::-1], tissues[::-1]
        # a person's contrast is the generator's or the scanner's; training sees others as well
        bright = (scan.astype(np.float32) / 255) ** float(np.exp(rng.normal(0, 0.1)))
        bright = np.clip(bright * rng.uniform(0.85, 1.15), 0, 1).astype(np.float32)
        classes = torch.from_numpy(TISSUES.segments[tissues])
        shares = functional.one_hot(classes, len(SEGMENTED)).permute(3, 0, 1, 2).float()
        return torch.from_numpy(bright)[None], shares

    def _draw_place(
        self, bank: Bank, factor: int, rng: np.random.Generator
    ) -> tuple[int, tuple[slice, slice, slice]]:
        row = int(rng.choice(bank.rows))
        aimed = rng.random() < self._settings.medial_temporal_share
        place = draw_crop(
            bank.labels.shape[1:],
            [size * factor for size in self._settings.crop],
            around=bank.find_medial_temporal(row) if aimed else None,
            rng=rng,
        )
        return row, place
