"""The signs as anybody can measure them in a scan and its label map."""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cohorts.synthetic.anatomy.base import CORTEX, CSF, find_codes
from cohorts.synthetic.signs.lesions import WHITE_MATTER
from cohorts.synthetic.signs.lobes import LOBES, weigh_lobes_at

_DARK: Final = 0.9
_HIPPOCAMPI: Final = (17, 53)


def measure_signs(
    t1w: npt.NDArray[np.float32], labels: npt.NDArray[np.uint16], voxel_mm3: float
) -> dict[str, float]:
    """Return contrast, lesions, hippocampal shape and cortical pattern of a scan.

    Parameters
    ----------
    t1w
        Intensities of any scale, in RAS order.
    labels
        Codes of SynthSeg 2.0 on the same grid.
    voxel_mm3
        A voxel's volume.

    Returns
    -------
    dict
        `contrast_<lobe>`: log of the cortex's intensity over that of the white matter around it;
        `lesions`: log of 50 mm3 plus the volume of deep white matter that is more than 10 % darker
        than the white matter's median near it; `head_share`, `ca1_share`: where the hippocampi's
        volume lies, along y and away from the midline, as skewness; `thickness_<lobe>`: log of
        the cortex's voxels over its faces towards white matter in that lobe.
    """
    weights = weigh_lobes_at(labels)
    cortex = find_codes(labels, CORTEX)
    white = find_codes(labels, WHITE_MATTER)
    faces = _count_faces(cortex, white)
    deep = ndimage.binary_erosion(white)
    level = float(np.median(t1w[deep]))
    local = _smooth_inside(t1w, deep & (t1w > _DARK * level), level)
    dark = ndimage.binary_erosion(deep) & (t1w < _DARK * local)
    found = {"lesions": float(np.log(50 + voxel_mm3 * dark.sum()))}
    inner = cortex & ~ndimage.binary_dilation(labels == CSF)
    bright = deep & ~ndimage.binary_dilation(dark)
    for lobe, weight in zip(LOBES, weights, strict=True):
        gray = np.average(t1w[inner], weights=weight[inner])
        near = np.average(t1w[bright], weights=weight[bright])
        found[f"contrast_{lobe}"] = float(np.log(gray / near))
        thickness = weight[cortex].sum() / (weight * faces).sum()
        found[f"thickness_{lobe}"] = float(np.log(thickness))
    return found | _measure_shape(labels)


def _smooth_inside(
    t1w: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_], level: float
) -> npt.NDArray[np.float32]:
    """Return the mean around each voxel over those inside: the bias field, seen in white matter."""
    weight = ndimage.gaussian_filter(inside.astype(np.float32), 6, truncate=2)
    total = ndimage.gaussian_filter(np.where(inside, t1w, 0).astype(np.float32), 6, truncate=2)
    return np.where(weight > 0.02, total / np.maximum(weight, 0.02), np.float32(level))


def _count_faces(
    inside: npt.NDArray[np.bool_], outside: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """Return how many of a voxel's faces lead from one tissue into the other."""
    faces = np.zeros(inside.shape, dtype=np.uint8)
    for axis in range(3):
        low: list[slice] = [slice(None)] * 3
        high = list(low)
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        here, there = tuple(low), tuple(high)
        faces[here] += inside[here] & outside[there]
        faces[there] += inside[there] & outside[here]
    return faces


def _measure_shape(labels: npt.NDArray[np.uint16]) -> dict[str, float]:
    found: dict[str, list[float]] = {"head_share": [], "ca1_share": []}
    for code, lateral in zip(_HIPPOCAMPI, (-1, 1), strict=True):
        where = np.argwhere(labels == code)
        for name, own in (("head_share", where[:, 1]), ("ca1_share", lateral * where[:, 0])):
            away = own - own.mean()
            found[name].append(float((away**3).mean() / (away**2).mean() ** 1.5))
    return {name: float(np.mean(own)) for name, own in found.items()}
