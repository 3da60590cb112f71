"""Intensities of a brain between 0 and 1."""

import math

import numpy as np
from numpy.typing import NDArray

from brlp_models.scans.files import Scan
from brlp_models.scans.registration import from_itk, load_simpleitk, to_itk

HEADROOM = 1.25
"""Voxels brighter than this many times the brain's 99.9th percentile are cut to it."""


def scale_intensity(
    data: NDArray[np.float32], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], float]:
    """Return the brain scaled from 0 to 1 on a background of exactly 0, and the share cut off.

    The darkest value is 0, as in the published min-max; the brightest is the brain's own, unless
    single voxels (vessels, artefacts) exceed `HEADROOM` times its 99.9th percentile, since a few
    of those would take the contrast away from all others.

    Parameters
    ----------
    data
        Intensities from 0 upwards; negative ones count as 0.
    mask
        Brain.
    """
    positive = np.where(mask, np.clip(data, 0, None), 0).astype(np.float32)
    ceiling = find_ceiling(data, mask)
    if ceiling == 0:
        return positive, 0.0
    cut = float((positive[mask] > ceiling).mean())
    return np.clip(positive / np.float32(ceiling), 0, 1), cut


def find_ceiling(data: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Return the intensity that `scale_intensity` makes 1; 0 where the brain shows nothing."""
    inside = data[mask]
    if inside.size == 0 or inside.max() <= 0:
        return 0.0
    high = np.percentile(np.clip(inside, 0, None), 99.9)
    return min(float(inside.max()), HEADROOM * float(high))


def shift_to_positive(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a scan without negative brain voxels.

    Scans standardized to mean 0 have their dark half below the background; those are moved up by
    their lowest value. Scans with fewer than 1 % negative voxels among those that are not
    background (interpolation overshoot) are only cut at 0.
    """
    values, counts = np.unique(data[::2, ::2, ::2], return_counts=True)
    background = values[counts.argmax()]
    shown = data != background
    if not shown.any() or float((data[shown] < 0).mean()) < 0.01:
        return np.clip(data, 0, None)
    low = min(float(np.percentile(data[shown], 0.1)), 0.0)
    # an air background of its own (below the tissue) moves with the rest
    moved = np.clip(data - low, 0, None)
    moved[~shown] = max(float(background) - low, 0.0) if background < low else 0.0
    return np.asarray(moved, dtype=np.float32)


WORKING_SPACING_MM = 4.0
_ITERATIONS = [50, 50, 30]


def correct_bias_field(scan: Scan) -> NDArray[np.float32]:
    """Return the scan divided by its N4 bias field (Tustison et al., IEEE TMI 2010).

    The field is estimated at 4 mm or a little coarser inside an Otsu foreground, then evaluated at
    full resolution; values below 0 are set to 0 first.

    Parameters
    ----------
    scan
        Intensities of any scale.
    """
    sitk = load_simpleitk()

    image = to_itk(np.clip(scan.data, 0, None), scan.grid)
    shrink = [
        int(max(1, min(math.ceil(WORKING_SPACING_MM / spacing), size // 8)))
        for spacing, size in zip(image.GetSpacing(), image.GetSize(), strict=True)
    ]
    foreground = sitk.OtsuThreshold(image, 0, 1, 200)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetNumberOfThreads(1)
    corrector.SetMaximumNumberOfIterations(_ITERATIONS)
    corrector.Execute(sitk.Shrink(image, shrink), sitk.Shrink(foreground, shrink))
    log_field = corrector.GetLogBiasFieldAsImage(image)
    corrected = from_itk(image) / np.exp(from_itk(log_field))
    return np.asarray(corrected, dtype=np.float32)
