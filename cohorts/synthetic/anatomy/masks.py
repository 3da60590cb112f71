"""Where masks on a grid are, what lies near them and what they enclose."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cohorts.synthetic.resampling import Box

Mask = npt.NDArray[np.bool_]


def find_box(mask: Mask, *, margin: int = 0) -> Box:
    """Return the smallest box around a mask, wider by a margin as far as the grid goes.

    Parameters
    ----------
    mask
        With a voxel at least.
    margin
        In voxels, on every side.
    """
    sides = []
    first = np.asarray(mask.any(axis=0))
    for own in (mask.reshape(len(mask), -1).any(axis=1), first.any(axis=1), first.any(axis=0)):
        where = np.flatnonzero(own)
        sides.append(slice(max(0, int(where[0]) - margin), int(where[-1]) + 1 + margin))
    x, y, z = (
        slice(side.start, min(n, side.stop)) for side, n in zip(sides, mask.shape, strict=True)
    )
    return x, y, z


def find_near(mask: Mask, distance: float) -> Mask:
    """Return what lies within so many voxels of the mask, which is itself included.

    As `ndimage.distance_transform_edt(~mask) <= distance`, in a fraction of its time for a few
    voxels.
    """
    # a ball is a column for each step across
    reach = int(distance)
    columns = [_widen_last(mask, height) for height in range(reach + 1)]
    near = np.zeros_like(mask)
    for dx in range(-reach, reach + 1):
        for dy in range(-reach, reach + 1):
            rest = distance**2 - dx**2 - dy**2
            if rest >= 0:
                (x, from_x), (y, from_y) = _shift(dx), _shift(dy)
                near[x, y] |= columns[int(np.sqrt(rest))][from_x, from_y]
    return near


def fill_holes(mask: Mask) -> Mask:
    """Return the mask with whatever it encloses.

    As `ndimage.binary_fill_holes`, which grows the outside step by step.
    """
    regions, n = ndimage.label(~mask)
    is_outside = np.zeros(n + 1, dtype=bool)
    for axis in range(3):
        for end in (0, -1):
            is_outside[np.unique(regions.take(end, axis))] = True
    is_outside[0] = False
    filled: Mask = ~is_outside[regions]
    return filled


def _widen_last(mask: Mask, reach: int) -> Mask:
    wide = mask.copy()
    for step in (*range(-reach, 0), *range(1, reach + 1)):
        to, source = _shift(step)
        wide[..., to] |= mask[..., source]
    return wide


def _shift(step: int) -> tuple[slice, slice]:
    """Return what receives, and what is received, where an axis moves by so many voxels."""
    if step >= 0:
        return slice(step, None), slice(None, -step or None)
    return slice(None, step), slice(-step, None)
