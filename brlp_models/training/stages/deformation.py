"""Training of the network that deforms a scan into a later one."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from accelerate import Accelerator
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from brlp_models.baselines.deformation import DeformationNetwork, coarsen
from brlp_models.training.examples import Draw, Examples
from brlp_models.training.loop import LoopSettings, step_optimizer
from brlp_models.training.stages.timed_pair import TimedPair


class DeformationSettings(BaseModel):
    """How the deformation is trained.

    Parameters
    ----------
    loop
        Length and pace.
    batch_size
        Pairs a batch.
    smoothness
        Weight of the displacements' roughness beside the squared error of the scan.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    loop: LoopSettings = LoopSettings(steps=600, learning_rate=1e-3, warmup_steps=20)
    batch_size: Annotated[int, Field(ge=1)] = 4
    smoothness: Annotated[float, Field(ge=0)] = 0.01


class DeformationStage:
    """Learns to move the first scan of a pair onto the later one, at half of the resolution.

    Parameters
    ----------
    network
        Trained here.
    pairs
        What to learn from.
    settings
        How.
    """

    exported: tuple[str, ...] = ("deformation",)

    def __init__(
        self,
        network: DeformationNetwork,
        pairs: Sequence[TimedPair],
        settings: DeformationSettings,
    ) -> None:
        self.networks: dict[str, nn.Module] = {"deformation": network.train()}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "deformation": torch.optim.AdamW(network.parameters(), settings.loop.learning_rate)
        }
        self.batch_size = settings.batch_size
        self._pairs, self._settings = pairs, settings
        self._deform = network.deform

    def draw_example(self, draw: Draw) -> Examples:
        """Return a pair's scans on the coarse grid, with what is known."""
        pair = self._pairs[int(draw.rng.integers(len(self._pairs)))]
        both = torch.from_numpy(np.stack([pair.first, pair.later])).float() / 255
        first, later = coarsen(both[:, None])
        return {
            "first": first,
            "later": later,
            "planes": torch.from_numpy(pair.planes),
            "years": torch.tensor(pair.years, dtype=torch.float32),
        }

    def train_batch(
        self, examples: Examples, _step: int, accelerator: Accelerator
    ) -> dict[str, Tensor]:
        """Step the network."""
        first, later, planes, years = (
            examples[name].to(accelerator.device, non_blocking=True)
            for name in ("first", "later", "planes", "years")
        )
        network = self.networks["deformation"]
        with accelerator.autocast():
            field = network(first, planes, years)
        moved = self._deform(first, field.float())
        metrics = {
            "squared_error": (moved - later).square().mean(),
            # to compare with: what carrying forward leaves
            "carried_forward": (first - later).square().mean(),
        }
        # a tenth of the brightness counts as a displacement that differs by a voxel between two
        loss = 100 * metrics["squared_error"]
        loss = loss + self._settings.smoothness * compute_roughness(field.float())
        accelerator.backward(loss)
        clip = self._settings.loop.gradient_clip
        step_optimizer(accelerator, network, self.optimizers["deformation"], clip)
        return {"loss": loss, **metrics}


def compute_roughness(field: Tensor) -> Tensor:
    """Return the mean squared difference of neighboring displacements (B, 3, x, y, z).

    The penalty of VoxelMorph (Balakrishnan et al. 2019, arXiv 1809.05231).
    """
    axes = [field.diff(dim=axis).square().mean() for axis in (2, 3, 4)]
    return torch.stack(axes).mean()
