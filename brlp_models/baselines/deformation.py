"""A network that deforms the baseline scan into the scan of a later visit."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import torch
from monai.networks.blocks.warp import DVF2DDF, Warp
from monai.networks.nets.unet import UNet
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from brlp_models.auxiliary.covariates import CovariateCoding
from brlp_models.baselines.follow_up import FollowUp, ImageConfig, TimedScan
from brlp_models.baselines.people import TableCoding
from brlp_models.baselines.weights import load_weights, write_weights
from brlp_models.model.model import BrlpModel

STRIDE = 2
"""Voxels of the scan to one of the field's, along each axis."""


class DeformationConfig(ImageConfig):
    """What `config.json` says of a deformation model.

    Parameters
    ----------
    coding
        How what is known at baseline becomes planes beside the scan.
    n_planes
        How many these are.
    channels
        Of the network's levels.
    """

    name: Literal["deformation"] = "deformation"
    coding: dict[str, Any]
    n_planes: Annotated[int, Field(ge=0)]
    channels: Annotated[tuple[int, ...], Field(min_length=2)] = (16, 32, 32)


class DeformationNetwork(nn.Module):
    """A velocity field in time, from a scan and what is known beside it.

    MONAI's UNet gives the velocity (voxels a year) on a grid of half the resolution; years of it
    are integrated by scaling and squaring (Arsigny et al. 2006), so that a later visit is farther
    along the same course, nothing folds, and no time changes nothing.

    Parameters
    ----------
    n_planes
        Numbers beside the scan.
    channels
        Of the UNet's levels.
    """

    def __init__(self, n_planes: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.velocity = UNet(
            spatial_dims=3,
            in_channels=1 + n_planes,
            out_channels=channels[0],
            channels=channels,
            strides=(2,) * (len(channels) - 1),
            norm="INSTANCE",
        )
        self.head = nn.Conv3d(channels[0], 3, 1)
        # learning starts from no change
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)
        with warnings.catch_warnings():
            # MONAI says that it samples by PyTorch's own function, as it is meant to
            warnings.filterwarnings("ignore", message=".*native grid_sample")
            self.integrate = DVF2DDF(num_steps=5)
            self.warp = Warp(padding_mode="zeros")  # type: ignore[no-untyped-call]
        self.n_levels = len(channels) - 1

    def forward(self, scans: Tensor, planes: Tensor, years: Tensor) -> Tensor:
        """Return displacements (B, 3, x, y, z), in voxels of the coarse scans.

        Parameters
        ----------
        scans
            (B, 1, x, y, z), on the coarse grid.
        planes
            (B, planes), coded.
        years
            (B,), to the later visit.
        """
        size = scans.shape[2:]
        wide = planes[..., None, None, None].expand(-1, -1, *size)
        far = [-n % 2**self.n_levels for n in size]
        padded = functional.pad(torch.cat([scans, wide], dim=1), (0, far[2], 0, far[1], 0, far[0]))
        velocity = self.head(self.velocity(padded))[..., : size[0], : size[1], : size[2]]
        found: Tensor = self.integrate(velocity * years.view(-1, 1, 1, 1, 1))
        return found

    def deform(self, scans: Tensor, displacements: Tensor) -> Tensor:
        """Return scans (B, 1, x, y, z) moved by displacements on their own grid."""
        moved: Tensor = self.warp(scans, displacements)
        return moved


def coarsen(scans: Tensor) -> Tensor:
    """Return scans (B, 1, *shape) averaged onto the grid of the field."""
    return functional.avg_pool3d(scans, STRIDE, ceil_mode=True)


@dataclass(frozen=True)
class ScanDeformation:
    """Predicts by a trained network.

    Parameters
    ----------
    config
        What it is.
    network
        Trained.
    """

    config: DeformationConfig
    network: DeformationNetwork

    def predict(
        self,
        model: BrlpModel,
        scans: Sequence[TimedScan],
        table: pd.DataFrame,
        months: float,
    ) -> FollowUp:
        """Return the last scan, deformed.

        Raises
        ------
        ModelError
            Where the table lacks something that the network was told in training.
        """
        coding = TableCoding(CovariateCoding.from_dict(self.config.coding))
        known = coding.encode_complete(table, self.config.name)
        start = scans[-1]
        scan = start.image[None].to(model.device)
        network = self.network.to(model.device).eval()
        planes = torch.from_numpy(known).to(model.device)
        years = torch.tensor([(months - start.months) / 12], device=model.device)
        # where the T1w moves, further channels move along
        field = network(coarsen(scan[:, :1]), planes, years)
        # from voxels of the coarse grid to those of the scan, which may end within a coarse one
        size = [STRIDE * n for n in field.shape[2:]]
        fine = STRIDE * functional.interpolate(field, size=size, mode="trilinear")
        x, y, z = scan.shape[2:]
        image = network.deform(scan, fine[..., :x, :y, :z])[0].clamp(0, 1).cpu()
        return FollowUp(image, image, start.image)

    def write(self, path: Path) -> None:
        """Write the weights as safetensors."""
        write_weights(self.network, path)

    @classmethod
    def load(cls, path: Path, config: DeformationConfig) -> "ScanDeformation":
        """Read the weights.

        Raises
        ------
        ModelError
            Where the file cannot be read, or is of another network.
        """
        network = DeformationNetwork(config.n_planes, config.channels)
        load_weights(network, path)
        return cls(config, network)
