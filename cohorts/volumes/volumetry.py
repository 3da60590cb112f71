"""Region volumes of a segmentation label map.

A volume is the count of a region's voxels times the voxel's volume (the determinant of the affine),
in the map's own space, so it depends neither on orientation nor on the order of axes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.errors import CohortError
from cohorts.images import read_image
from cohorts.labels import (
    HIGHEST_CODE,
    MIDLINE_CODES,
    SIDED_CODES,
    get_brain_codes,
    get_codes,
    get_intracranial_codes,
)
from cohorts.schema import BRAIN, HEAD_SIZE, SIDES

if TYPE_CHECKING:
    from nibabel.spatialimages import SpatialImage

_CHUNK_VOXELS = 1 << 18

CODE_TOLERANCE: Final = 0.05
"""How far a value may be from a whole number and still be its code: files saved with scale factors
hold 16.9999 for 17."""


def compute_volumes(image: "str | Path | SpatialImage") -> pd.DataFrame:
    """Return the volume of every region in a label map with SynthSeg or FreeSurfer codes.

    Parameters
    ----------
    image
        A label map, or the path of one (`.nii`, `.nii.gz`, `.mgz`), of any orientation, dtype and
        voxel size.

    Returns
    -------
    DataFrame
        `region`, `volume_mm3`: one-sided regions (`left_hippocampus`), both sides together
        (`hippocampus`, where both are present), `brain` (ventricles included, `csf` left out) and
        `head_size_mm3` (everything inside the skull that the map labels). Regions without a voxel
        are absent.

    Raises
    ------
    CohortError
        Where the image cannot be read, is not 3-D, its affine is singular, or its values are not
        label codes.
    """
    name, labels, affine = _read_labels(image)
    volumes = compute_label_volumes(labels, compute_voxel_volume(affine, name=name), name=name)
    return pd.DataFrame({"region": volumes.keys(), "volume_mm3": volumes.values()})


def compute_label_volumes(
    labels: npt.NDArray[Any], voxel_volume_mm3: float, *, name: str = "the label map"
) -> dict[str, float]:
    """Return region -> volume in mm3 for an array of label codes; see `compute_volumes`."""
    counts = count_labels(labels, name=name)
    volumes = {
        region: float(counts[list(get_codes(region))].sum()) * voxel_volume_mm3
        for region in _one_sided_regions()
    }
    volumes = {region: volume for region, volume in volumes.items() if volume > 0}
    for region in SIDED_CODES:
        if all(f"{side}_{region}" in volumes for side in SIDES):
            volumes[region] = float(counts[list(get_codes(region))].sum()) * voxel_volume_mm3
    volumes[BRAIN] = float(counts[get_brain_codes()].sum()) * voxel_volume_mm3
    volumes[HEAD_SIZE] = float(counts[get_intracranial_codes()].sum()) * voxel_volume_mm3
    return volumes


def count_labels(labels: npt.NDArray[Any], *, name: str = "the label map") -> npt.NDArray[np.int64]:
    """Return how many voxels have each code from 0 to the highest code that means a structure.

    Raises
    ------
    CohortError
        Where the array is not 3-D or holds values that are not codes (fractions, negatives, NaN).
    """
    if labels.ndim == 4 and labels.shape[3] == 1:
        labels = labels[..., 0]
    if labels.ndim != 3:
        raise CohortError(f"{name} must be 3-D, got an array of shape {labels.shape}.")
    counts = np.zeros(HIGHEST_CODE + 1, dtype=np.int64)
    for codes in _iterate_codes(labels, name):
        found = np.bincount(codes)[: counts.size]
        counts[: found.size] += found
    return counts


def compute_voxel_volume(affine: npt.NDArray[Any], *, name: str = "the image") -> float:
    """Return the volume of one voxel in mm3.

    Raises
    ------
    CohortError
        Where the affine is singular or not finite.
    """
    volume = abs(float(np.linalg.det(np.asarray(affine, dtype=float)[:3, :3])))
    if not np.isfinite(volume) or volume < 1e-9:
        raise CohortError(f"{name} must have an invertible affine, got determinant {volume:g}.")
    return volume


def _read_labels(
    image: "str | Path | SpatialImage",
) -> tuple[str, npt.NDArray[Any], npt.NDArray[np.float64]]:
    if isinstance(image, str | Path):
        found = read_image(Path(image))
        return str(image), found.voxels, found.affine
    name = str(image.get_filename() or "the label map")
    return name, np.asanyarray(image.dataobj), image.affine


def _one_sided_regions() -> list[str]:
    return [f"{side}_{region}" for region in SIDED_CODES for side in SIDES] + list(MIDLINE_CODES)


def _iterate_codes(labels: npt.NDArray[Any], name: str) -> Iterator[npt.NDArray[np.intp]]:
    # Small chunks stay in the cache while bincount widens them: four times as fast as the whole.
    flat = labels.ravel(order="K")
    is_whole = labels.dtype.kind in "iub"
    for start in range(0, flat.size, _CHUNK_VOXELS):
        values = flat[start : start + _CHUNK_VOXELS]
        with np.errstate(invalid="ignore"):
            codes = (values if is_whole else np.rint(values)).astype(np.intp)
        is_wrong = codes < 0
        if not is_whole:
            is_wrong |= ~(np.abs(values - codes) <= CODE_TOLERANCE)
        if is_wrong.any():
            raise CohortError(
                f"{name} must hold whole label codes from 0 up, got {values[is_wrong][0]}: "
                "is it a scan or a probability map, or were codes saved with scale factors?"
            )
        yield codes
