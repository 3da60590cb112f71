"""Latent Average Stabilization.

Puglisi et al. 2025, section 3.5: with m independent draws z_i of the latent,
mu = (1/m) sum_i z_i is decoded, and sigma = sqrt((1/m) sum_i (z_i - mu)^2) is the uncertainty.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pandas as pd
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from brlp_models.errors import ModelError

_LARGEST_SD: Final = 0.5
"""That intensities from 0 to 1 can have: half are 0 and half are 1."""

_MISPLACED: Final = 1.0
"""How far a predicted change is from its place, in voxels: sd of a Gaussian."""


@dataclass
class RunningMoments:
    """Mean and sd of tensors, taken in one by one, whatever batches they come in (Welford)."""

    count: int = 0
    mean: Tensor = field(default_factory=lambda: torch.zeros(()))
    squares: Tensor = field(default_factory=lambda: torch.zeros(()))

    def add(self, batch: Tensor) -> None:
        """Take in tensors stacked along the first axis."""
        for one in batch:
            self.count += 1
            shift = one - self.mean
            self.mean = self.mean + shift / self.count
            self.squares = self.squares + shift * (one - self.mean)

    @property
    def sd(self) -> Tensor:
        """Population sd, as the paper's sigma."""
        return (self.squares / self.count).sqrt()


@dataclass
class DrawSummary:
    """What m draws of one prediction say, without keeping their scans.

    `latents` gives mu and sigma; `scans` the spread of each voxel, where scans are rendered;
    `volumes` (mm3 in the model's space, one mapping a draw) the sd of each region.
    """

    latents: RunningMoments = field(default_factory=RunningMoments)
    scans: RunningMoments = field(default_factory=RunningMoments)
    volumes: list[Mapping[str, float]] = field(default_factory=list)

    @property
    def n_samples(self) -> int:
        """The number of draws."""
        return self.latents.count

    @property
    def global_uncertainty(self) -> float:
        """One number a scan: the mean of sigma over the latent."""
        return float(self.latents.sd.mean())

    def compute_voxel_sd(
        self, change: Tensor, change_error: float, *, scale: float = 1.0
    ) -> Tensor:
        """Return the sd of each voxel of the predicted scan.

        Parameters
        ----------
        change
            What the predicted scan changes of the starting scan (channels, *shape).
        change_error
            The sd of what every draw gets wrong alike, as a share of the change: 0 leaves the sd
            over draws.
        scale
            What all of it is multiplied by: above 1 for scans that show less of a change than the
            truth has, as those do that show what is to be relied on (`voxel_scale`).

        Returns
        -------
        Tensor
            Same shape: scale sqrt(draws^2 + change_error^2 (change^2 + near^2)), since who changes
            more than is predicted changes more wherever a change is predicted, and near there,
            `near` being the size of the change averaged over about a voxel around: a change is off
            in place as it is in amount. At most what intensities from 0 to 1 can have.
        """
        size = change.abs()
        # each channel by itself
        sigma = (0.0, *([_MISPLACED] * (change.ndim - 1)))
        near = torch.from_numpy(gaussian_filter(size.numpy(), sigma))
        common = change_error * torch.hypot(size, near)
        return (scale * torch.hypot(self.scans.sd, common)).clamp(max=_LARGEST_SD)

    def compute_volume_sd(self) -> dict[str, float]:
        """Return the sd over draws (ddof 1) of each region's volume; NaN for one draw."""
        return {str(k): float(v) for k, v in pd.DataFrame(self.volumes).std(ddof=1).items()}

    def compute_relative_error(self, region: str) -> float:
        """Return the standard error of the mean volume over that mean; infinite for one draw.

        Raises
        ------
        ModelError
            Where the draws' volumes lack the region.
        """
        if any(region not in volumes for volumes in self.volumes):
            raise ModelError(
                f"samples auto needs the volume of the {region}, which is not measured."
            )
        values = pd.Series([volumes[region] for volumes in self.volumes], dtype=float)
        if len(values) < 2 or values.mean() == 0:
            return math.inf
        return float(values.std(ddof=1) / math.sqrt(len(values)) / values.mean())
