"""White-matter lesions: which voxels become one first, and how dark they are in a T1w scan.

Lesions lie around the ventricles and, with age and Alzheimer's disease, further back (Brickman et
al. 2015, Neurobiol Aging 36:27). They stay white matter: no volume of a table changes.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cohorts.synthetic.anatomy.base import find_codes
from cohorts.synthetic.anatomy.cortex import Floats
from cohorts.synthetic.resampling import average_by_area, interpolate_to_fine

WHITE_MATTER: Final = (2, 41)
_VENTRICLES: Final = (4, 43)
_STEP_MM: Final = 2.0
_BLOB_SD: Final = 2.0
_REACH_SD: Final = 4.0
_NEARNESS: Final = 6.0
_BACKWARDS: Final = 0.5
_SOFTNESS: Final = 0.4
_LARGEST_SHARE: Final = 0.25


def rank_lesion_sites(labels: npt.NDArray[np.uint16], rng: np.random.Generator) -> Floats:
    """Return, on a 2 mm grid, how early each voxel becomes a lesion; -inf where it never does.

    Parameters
    ----------
    labels
        On a 1 mm grid in RAS order.
    rng
        Decides where this person's lesions are.
    """
    white = average_by_area(find_codes(labels, WHITE_MATTER).astype(np.float32), _STEP_MM)
    fluid = average_by_area(find_codes(labels, _VENTRICLES).astype(np.float32), _STEP_MM)
    blobs = ndimage.gaussian_filter(
        rng.standard_normal(white.shape, dtype=np.float32), _BLOB_SD, truncate=2.5
    )
    nearness = ndimage.gaussian_filter(fluid, _REACH_SD, truncate=2.5)
    back = -np.linspace(-1, 1, white.shape[1], dtype=np.float32)[:, None]
    score = blobs / blobs.std() + _NEARNESS * np.sqrt(nearness) + _BACKWARDS * back
    deep = ndimage.minimum_filter(white, 3) > 0.99
    return np.where(deep, score, -np.inf).astype(np.float32)


def paint_lesions(sites: Floats, volume_mm3: float) -> Floats:
    """Return, on the 1 mm grid, how much of each voxel's full darkening is there, 0 to 1.

    Parameters
    ----------
    sites
        From `rank_lesion_sites`.
    volume_mm3
        Of the lesions; at most a quarter of the deep white matter.
    """
    possible = sites[np.isfinite(sites)]
    n = min(round(volume_mm3 / _STEP_MM**3), int(_LARGEST_SHARE * possible.size))
    if n == 0:
        return np.zeros([2 * side for side in sites.shape], dtype=np.float32)
    threshold = np.partition(possible, possible.size - n)[possible.size - n]
    return interpolate_to_fine(np.clip((sites - threshold) / _SOFTNESS + 0.5, 0, 1))
