"""Random scans of a crop of tissue, with the share of every class in each voxel.

Follows SynthSeg (Billot et al., Medical Image Analysis 2023): brightness drawn per tissue, then
bias field, blur, noise, contrast. Brightness is T1w-like in most scans, since T1w scans are what
the model reads, and anything at all in the rest.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from brlp_models.training.tissues import SEGMENTED, TISSUES

WHITE_MATTER_LEVEL: Final = 0.75
"""Brightness of white matter in a normalized T1w scan, where 1 is the brightest voxel."""

_FLUID: Final = TISSUES.names.index("csf")
_HEAD: Final = SEGMENTED.index("extracerebral")
_SEGMENT_OF_TISSUE: Final = functional.one_hot(torch.from_numpy(TISSUES.segments)).T.float()
"""(classes, tissues): 1 where a tissue belongs to a class."""


@dataclass(frozen=True)
class SynthesisSettings:
    """How varied the synthetic scans are.

    Parameters
    ----------
    random_contrast
        Share of scans whose tissues have any brightness.
    whole_head
        Share of scans that keep the skull; the others are stripped, half of them without the
        fluid around the brain.
    bias_sd
        Sd of the log of the bias field.
    noise_sd
        Largest sd of the noise, white matter being at `WHITE_MATTER_LEVEL`.
    """

    random_contrast: float = 0.2
    whole_head: float = 0.4
    bias_sd: float = 0.12
    noise_sd: float = 0.04


def synthesize_crop(
    tissues: npt.NDArray[np.uint8],
    *,
    factor: int,
    settings: SynthesisSettings,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one scan.

    Parameters
    ----------
    tissues
        Tissue indices at the fine grid, shape (x, y, z).
    factor
        Fine voxels along an edge of a scan voxel; a scan voxel averages `factor`^3 of them, so
        partial volume is as in a real scan.
    settings
        How varied.
    rng
        Draws everything.

    Returns
    -------
    tuple of Tensor
        The scan, shape (1, x / factor, ...), in [0, 1] with the outside exactly 0; and the share
        of each class of `SEGMENTED`, shape (classes, x / factor, ...).
    """
    present = _drop(_count_tissues(torch.from_numpy(tissues), factor), settings, rng)
    shares = torch.tensordot(_SEGMENT_OF_TISSUE, present, 1)
    means, texture = _draw_contrast(settings, rng)
    bright, spread = torch.tensordot(torch.from_numpy(np.stack([means, texture])), present, 1)
    noise = torch.from_numpy(rng.standard_normal(tuple(bright.shape), dtype=np.float32))
    scan = (bright + spread * noise)[None]
    scan = _degrade(scan, settings, rng)
    outside = shares[:1] >= 1 - 1e-6
    return torch.where(outside, 0.0, scan).clamp(0, 1), shares


def _count_tissues(tissues: torch.Tensor, factor: int) -> torch.Tensor:
    """Return the share of every tissue in each scan voxel, shape (tissues, x / factor, ...)."""
    x, y, z = (size // factor for size in tissues.shape)
    blocks = tissues.reshape(x, factor, y, factor, z, factor)
    parts = blocks.permute(1, 3, 5, 0, 2, 4).reshape(factor**3, 1, x, y, z).long()
    shares = torch.zeros(len(TISSUES.names), x, y, z)
    one = torch.full((1, x, y, z), 1 / len(parts))
    for part in parts:
        shares.scatter_add_(0, part, one)
    return shares


def _drop(
    shares: torch.Tensor, settings: SynthesisSettings, rng: np.random.Generator
) -> torch.Tensor:
    """Turn what is stripped into air."""
    if rng.random() < settings.whole_head:
        return shares
    dropped = TISSUES.segments == _HEAD
    dropped[_FLUID] = rng.random() < 0.5
    shares[0] += shares[dropped].sum(0)
    shares[dropped] = 0
    return shares


def _draw_contrast(
    settings: SynthesisSettings, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    n = len(TISSUES.names)
    if rng.random() < settings.random_contrast:
        means = rng.uniform(0.05, 1.2, n)
        means[0] = rng.uniform(0, 0.3)
    else:
        shared = rng.normal(0, 0.03)
        means = TISSUES.t1_mean + shared + TISSUES.t1_sd * rng.standard_normal(n)
        means[0] = 0
    texture = rng.uniform(0.0, 0.1, n)
    texture[0] = 0.01
    level = WHITE_MATTER_LEVEL * rng.uniform(0.85, 1.15)
    return (level * means).astype(np.float32), (level * texture).astype(np.float32)


def _degrade(
    scan: torch.Tensor, settings: SynthesisSettings, rng: np.random.Generator
) -> torch.Tensor:
    bias = torch.from_numpy(rng.normal(0, settings.bias_sd, (1, 1, 3, 3, 3)).astype(np.float32))
    field = functional.interpolate(bias, size=scan.shape[1:], mode="trilinear", align_corners=True)[
        0
    ]
    noise = torch.from_numpy(rng.standard_normal(tuple(scan.shape), dtype=np.float32))
    scan = scan * field.exp()
    if rng.random() < 0.3:
        scan = _blur(scan, float(rng.uniform(0.3, 0.7)))
    scan = scan + float(rng.uniform(0.0, settings.noise_sd)) * noise
    return scan.clamp(min=0) ** float(np.exp(rng.normal(0, 0.1)))


def _blur(scan: torch.Tensor, sigma: float) -> torch.Tensor:
    weights = torch.exp(-(torch.arange(-1.0, 2.0) ** 2) / (2 * sigma**2))
    weights = weights / weights.sum()
    for axis in range(3):
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = 3
        pad = [0] * 6
        pad[4 - 2 * axis : 6 - 2 * axis] = [1, 1]
        padded = functional.pad(scan[None], pad, mode="replicate")
        scan = functional.conv3d(padded, weights.view(shape))[0]
    return scan
