"""Where in the brain the lobes lie, as smooth weights on a person's grid."""

from typing import Final

import numpy as np
import numpy.typing as npt

from cohorts.labels import get_brain_codes
from cohorts.synthetic.anatomy.base import find_codes
from cohorts.synthetic.anatomy.cortex import Floats
from cohorts.synthetic.resampling import interpolate_to_fine

LOBES: Final = ("frontal", "parietal", "temporal", "occipital")

_CENTERS: Final = np.array([(0.6, 1.3, 0.4), (0.6, -0.7, 1.4), (1.3, 0.1, -0.9), (0.4, -1.7, 0.0)])
"""Of the lobes, in standard deviations of the brain's voxels from its centroid: |x|, y, z (RAS)."""

_WIDTH: Final = 0.45
_STEP: Final = 4


def weigh_lobes(labels: npt.NDArray[np.uint16]) -> Floats:
    """Return each lobe's weight on a 4 mm grid, (4, x, y, z); weights of a voxel sum to 1.

    Parameters
    ----------
    labels
        On a 1 mm grid in RAS order, with sides divisible by 4.
    """
    weights = weigh_lobes_at(labels[2::_STEP, 2::_STEP, 2::_STEP])
    return weights.astype(np.float32)


def weigh_lobes_at(labels: npt.NDArray[np.uint16]) -> npt.NDArray[np.float64]:
    """Return each lobe's weight in every voxel of a label map in RAS order, (4, x, y, z)."""
    where = np.argwhere(find_codes(labels, tuple(get_brain_codes())))
    center, spread = where.mean(axis=0), where.std(axis=0)
    axes = [(np.arange(n) - c) / s for n, c, s in zip(labels.shape, center, spread, strict=True)]
    distance = np.stack(
        [
            (np.abs(axes[0]) - x)[:, None, None] ** 2
            + (axes[1] - y)[None, :, None] ** 2
            + (axes[2] - z)[None, None, :] ** 2
            for x, y, z in _CENTERS
        ]
    )
    weights = np.exp(-(distance - distance.min(axis=0)) / (2 * _WIDTH**2))
    return np.asarray(weights / weights.sum(axis=0))


def spread_over_lobes(weights: Floats, values: npt.ArrayLike) -> Floats:
    """Return a smooth field on the 1 mm grid that has each lobe's value in that lobe.

    Parameters
    ----------
    weights
        From `weigh_lobes`.
    values
        One a lobe, in the order of `LOBES`.
    """
    coarse = np.tensordot(np.asarray(values, dtype=np.float32), weights, axes=1)
    return interpolate_to_fine(interpolate_to_fine(coarse))
