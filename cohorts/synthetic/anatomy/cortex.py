"""The cortex's outer boundary, which shifts as a level set to give the cortex its volume.

The cortex is too thin for a normal field: its boundary shifts by some mm towards the white matter.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import ndtr, ndtri

from cohorts.labels import get_brain_codes
from cohorts.synthetic.anatomy.base import CORTEX, find_codes
from cohorts.synthetic.anatomy.masks import find_box
from cohorts.synthetic.resampling import Box, align_box

Floats = npt.NDArray[np.float32]

_BLUR_SD_MM: Final = 0.8
_BLUR_REACH_MM: Final = 2
_RELATIVE_TOLERANCE: Final = 5e-4
_MAX_ITERATIONS: Final = 12


@dataclass(frozen=True)
class Cortex:
    """The outer boundary of a person's cortex.

    Parameters
    ----------
    box
        Outside of which there is no cortex, and no boundary that can move.
    in_box
        Flat indices into the box where the boundary can move.
    voxels
        The same voxels, in the person's grid.
    brain
        1 in the voxels of the person's grid that are brain, else 0.
    level
        Signed distance to the boundary, over the standard deviation of its blur (inside > 0); in a
        thinning pattern, to where the pattern moves it.
    tissue
        The brain's share of `voxels` without a shift.
    weight
        The cortex's share of the brain tissue there.
    volume_mm3
        The volume without a shift.
    """

    box: Box
    in_box: npt.NDArray[np.intp]
    voxels: npt.NDArray[np.intp]
    brain: Floats
    level: Floats
    tissue: Floats
    weight: Floats
    volume_mm3: float

    def compute_gain(self, shift_mm: float) -> Floats:
        """Return the change of the tissue's share in `voxels` for a shift inwards."""
        shifted = ndtr(self.level - np.float32(shift_mm / _BLUR_SD_MM))
        return np.asarray(self.weight * (shifted - self.tissue), dtype=np.float32)


def prepare_cortex(labels: npt.NDArray[np.uint16]) -> Cortex:
    """Return the cortex of a person's label map."""
    brain = find_codes(labels, tuple(get_brain_codes())).astype(np.float32)
    cortex = find_codes(labels, CORTEX)
    # blurred cortex ends at one reach from cortex; blurred brain is right up to there
    box = align_box(find_box(cortex, margin=2 * _BLUR_REACH_MM))
    near_brain, near_cortex = (
        ndimage.gaussian_filter(own[box].astype(np.float32), _BLUR_SD_MM, truncate=3)
        for own in (brain, cortex)
    )
    in_box = np.flatnonzero(
        (labels[box] > 0) & (near_brain > 0.005) & (near_brain < 0.995) & (near_cortex > 0.005)
    )
    where = np.unravel_index(in_box, near_brain.shape)
    voxels = np.ravel_multi_index(
        tuple(own + side.start for own, side in zip(where, box, strict=True)), labels.shape
    )
    level = ndtri(near_brain.ravel()[in_box])
    return Cortex(
        box=box,
        in_box=in_box,
        voxels=voxels,
        brain=brain,
        level=level,
        tissue=ndtr(level),
        weight=near_cortex.ravel()[in_box] / near_brain.ravel()[in_box],
        volume_mm3=float(np.count_nonzero(cortex)),
    )


def add_pattern(cortex: Cortex, inwards_mm: Floats) -> Cortex:
    """Return the cortex with a boundary that lies elsewhere by as many mm in each voxel.

    Parameters
    ----------
    cortex
        From `prepare_cortex`.
    inwards_mm
        On the person's grid; positive where the cortex is thinner.
    """
    moved = inwards_mm.ravel()[cortex.voxels] / np.float32(_BLUR_SD_MM)
    return replace(cortex, level=cortex.level - moved)


def shift_to_volume(cortex: Cortex, target_mm3: float, limit_mm: float) -> Floats:
    """Return the change of the tissue's share that gives the cortex its volume.

    Parameters
    ----------
    cortex
        From `prepare_cortex`.
    target_mm3
        The volume.
    limit_mm
        The largest shift; a volume beyond it is not reached.
    """
    low, high = -limit_mm, limit_mm
    shift = 0.0
    for _ in range(_MAX_ITERATIONS):
        gain = cortex.compute_gain(shift)
        gap = cortex.volume_mm3 + float(gain.sum()) - target_mm3
        if abs(gap) <= _RELATIVE_TOLERANCE * target_mm3:
            return gain
        low, high = (shift, high) if gap > 0 else (low, shift)
        density = np.exp(-0.5 * (cortex.level - shift / _BLUR_SD_MM) ** 2) / np.sqrt(2 * np.pi)
        step = gap * _BLUR_SD_MM / float((cortex.weight * density).sum())
        shift = shift + step if low < shift + step < high else (low + high) / 2
    return cortex.compute_gain(shift)
