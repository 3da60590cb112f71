"""Crops of scans for the autoencoder and the refiner."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from brlp_models.training.banks.crops import draw_crop
from brlp_models.training.banks.predicted_visits import PredictedVisits
from brlp_models.training.banks.volumes import Bank
from brlp_models.training.synthesis import SynthesisSettings, synthesize_crop
from brlp_models.training.tissues import MEDIAL_TEMPORAL, SEGMENTED, TISSUES

REFINEMENT = 2
"""Label banks have half the model's voxel size."""

_STRIPPED_T1W = SynthesisSettings(random_contrast=0.0, whole_head=0.0)


class PlaceRequest(Protocol):
    """What a source needs to know of the stage's settings."""

    crop: tuple[int, int, int]
    medial_temporal_share: float
    medial_temporal_weight: float


class RenderingRequest(PlaceRequest, Protocol):
    """What a source of scans to sharpen needs to know beside."""

    noiseless: bool


class CropRequest(PlaceRequest, Protocol):
    """What a source of one or two visits needs to know beside."""

    change_weight: float


@dataclass(frozen=True)
class SynthesisSource:
    """Stripped T1w-like scans drawn from a bank of label maps."""

    bank: Bank
    synthesis: SynthesisSettings = _STRIPPED_T1W

    def draw_crop(self, rng: np.random.Generator, settings: CropRequest) -> tuple[Tensor, Tensor]:
        """Return a scan (1, 1, x, y, z) and the weight of every voxel."""
        row = int(rng.choice(self.bank.rows))
        crop = [size * REFINEMENT for size in settings.crop]
        place = _draw_place(self.bank, row, crop, settings, rng)
        tissues = np.array(self.bank.labels[row][place])
        tissues = tissues[::-1].copy() if rng.random() < 0.5 else tissues
        scan, shares = synthesize_crop(tissues, factor=REFINEMENT, settings=self.synthesis, rng=rng)
        wanted = [SEGMENTED.index(name) for name in MEDIAL_TEMPORAL]
        return scan[None], _compute_weights(shares[wanted].sum(0), settings)[None]


@dataclass(frozen=True)
class ScanSource:
    """Crops of the preprocessed scans of a bank, mirrored half of the time.

    Parameters
    ----------
    bank
        With images and labels.
    """

    bank: Bank

    def draw_crop(self, rng: np.random.Generator, settings: CropRequest) -> tuple[Tensor, Tensor]:
        """Return one or two visits' scans (visits, channels, x, y, z) and every voxel's weight."""
        row = int(rng.choice(self.bank.rows))
        place = _draw_place(self.bank, row, settings.crop, settings, rng)
        mirrored = rng.random() < 0.5
        rows = [row, self._draw_other(row, rng)] if settings.change_weight else [row]
        crops = [self._cut(r, place, settings, mirrored=mirrored) for r in rows]
        return torch.stack([a for a, _ in crops]), torch.stack([b for _, b in crops])

    @cached_property
    def _visits(self) -> dict[int, npt.NDArray[np.int64]]:
        return _group_visits(self.bank)

    def _draw_other(self, row: int, rng: np.random.Generator) -> int:
        """Return another visit of the same person, or this one where there is none."""
        others = self._visits[row][self._visits[row] != row]
        return int(rng.choice(others)) if len(others) else row

    def _cut(
        self, row: int, place: tuple[slice, ...], settings: CropRequest, *, mirrored: bool
    ) -> tuple[Tensor, Tensor]:
        scan, tissues = self.bank.images[row][:, *place], self.bank.labels[row][place]
        if mirrored:
            scan, tissues = scan[:, ::-1], tissues[::-1]
        image = torch.from_numpy(scan.astype(np.float32) / 255)
        return image, _compute_weights(_find_medial_temporal(tissues), settings)


@dataclass(frozen=True)
class RenderingSource:
    """Crops of two visits of a person with their decoded latents, mirrored half of the time.

    Parameters
    ----------
    bank
        With images and labels; visits of a person share their acquisition.
    decoded
        The decoded latent of every row, (rows, channels, *shape), 0 to 255.
    predicted
        What later visits are predicted as, which is shown in place of what they are decoded as;
        None: nothing is predicted.
    """

    bank: Bank
    decoded: npt.NDArray[np.uint8]
    predicted: PredictedVisits | None = None

    def draw_crop(
        self, rng: np.random.Generator, settings: RenderingRequest
    ) -> tuple[Tensor, Tensor]:
        """Return the images of a pair of visits, (4, channels, x, y, z), and every voxel's weight.

        The images are the first visit's scan, its decoded latent, the second visit's decoded
        latent and its scan, whose T1w has no noise if that is asked for. The second visit is
        earlier, later, or the first itself, so that losses, gains and no change are all learned;
        of predictions it is a later one.
        """
        row, other, second = self._draw_visits(rng)
        place = _draw_place(self.bank, row, settings.crop, settings, rng)
        images = self.bank.images
        shown = (images[row], self.decoded[row], second, images[other])
        cut = np.stack([scan[:, *place] for scan in shown])
        if settings.noiseless:
            cut[-1, 0] = self.bank.noiseless[other][place]
        labels = self.bank.labels[row][place]
        if rng.random() < 0.5:
            cut, labels = cut[:, :, ::-1], labels[::-1]
        weights = _compute_weights(_find_medial_temporal(labels), settings)
        return torch.from_numpy(cut.astype(np.float32) / 255), weights

    def _draw_visits(self, rng: np.random.Generator) -> tuple[int, int, npt.NDArray[np.uint8]]:
        """Return the rows of two visits, and what is shown as the second one's latent."""
        if self.predicted is None:
            row = int(rng.choice(self.bank.rows))
            other = int(rng.choice(self._visits[row]))
            return row, other, self.decoded[other]
        pair = int(rng.integers(len(self.predicted.rows)))
        row, other = self.predicted.rows[pair].tolist()
        return row, other, self.predicted.decoded[pair]

    @cached_property
    def _visits(self) -> dict[int, npt.NDArray[np.int64]]:
        return _group_visits(self.bank)


def _group_visits(bank: Bank) -> dict[int, npt.NDArray[np.int64]]:
    """Return the rows of everyone's visits, by each of these rows."""
    groups = bank.index.groupby("participant_id").groups.values()
    return {int(row): np.asarray(rows) for rows in groups for row in rows}


def _find_medial_temporal(tissues: npt.NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(TISSUES.find_medial_temporal(tissues).astype(np.float32))


def _draw_place(
    bank: Bank,
    row: int,
    crop: Sequence[int],
    settings: PlaceRequest,
    rng: np.random.Generator,
) -> tuple[slice, slice, slice]:
    aimed = rng.random() < settings.medial_temporal_share
    return draw_crop(
        bank.labels.shape[1:],
        crop,
        around=bank.find_medial_temporal(row) if aimed else None,
        rng=rng,
    )


def _compute_weights(inside: Tensor, settings: PlaceRequest) -> Tensor:
    # two voxels around count as well: the boundary is what a volume depends on
    near = functional.max_pool3d(inside[None, None], 5, stride=1, padding=2)[0]
    return 1 + (settings.medial_temporal_weight - 1) * near
