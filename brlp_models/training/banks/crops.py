"""Where crops are cut from a volume."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from brlp_models.training.loop import LoopSettings


class CropSettings(BaseModel):
    """Which crops a stage learns from, and for how long.

    Parameters
    ----------
    loop
        Length and pace.
    crop
        Voxels of a crop.
    batch_size
        Crops a batch.
    medial_temporal_share
        Share of crops around a hippocampus or amygdala.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    loop: LoopSettings
    crop: tuple[int, int, int] = (48, 48, 48)
    batch_size: Annotated[int, Field(ge=1)] = 1
    medial_temporal_share: Annotated[float, Field(ge=0, le=1)] = 0.5


def draw_crop(
    shape: Sequence[int],
    crop: Sequence[int],
    *,
    around: npt.NDArray[np.int64] | None,
    multiple: int = 1,
    rng: np.random.Generator,
) -> tuple[slice, slice, slice]:
    """Draw where a crop lies inside a volume.

    Parameters
    ----------
    shape, crop
        Voxels of the volume and of the crop along each axis.
    around
        Voxels (n, 3); the crop's centre falls near one of them. None: anywhere.
    multiple
        Corners fall on multiples of this, so that a crop of latents matches a crop of voxels.
    rng
        Draws the place.
    """
    slices = []
    focus = None if around is None or not len(around) else around[rng.integers(len(around))]
    for axis, (size, length) in enumerate(zip(shape, crop, strict=True)):
        last = size - length
        if focus is None:
            start = int(rng.integers(0, last + 1))
        else:
            shift = int(rng.integers(-length // 8, length // 8 + 1))
            start = int(focus[axis]) - length // 2 + shift
        start = int(np.clip(start, 0, last)) // multiple * multiple
        slices.append(slice(start, start + length))
    return slices[0], slices[1], slices[2]
