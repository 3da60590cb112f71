"""Where crops are cut from a volume."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


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
