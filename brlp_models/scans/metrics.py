"""Numbers that tell a head scan in MNI152 from anything else."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from brlp_models.scans.files import Scan
from brlp_models.scans.grid import Grid, make_grid, resample
from brlp_models.scans.registration import Registration
from brlp_models.scans.template import compute_template_dice, load_template

_SPACING_MM = 2.0
_COARSE_VOXELS = 2.0
_SD_PER_MEDIAN = 1.4826
"""Of normal values: sd over the median absolute deviation."""

_NEIGHBOR_MM = 2.0
"""Voxels farther apart differ by anatomy more than by noise."""


def compute_scan_metrics(
    scan: Scan, mask: NDArray[np.bool_], registration: Registration
) -> dict[str, float]:
    """Return what the input check judges.

    Parameters
    ----------
    scan
        After bias correction.
    mask
        Brain on the scan's grid.
    registration
        To MNI152.

    Returns
    -------
    dict
        ``mutual_information`` (nats) and ``correlation`` with the template inside its mask;
        ``mask_dice``, `compute_template_dice`; ``white_over_gray``, median
        brightness of the template's white matter over that of its gray matter; ``coverage``, share
        of the template's brain inside of the field of view; ``determinant``;
        ``rotation_degrees``, of the head against the scanner's axes; ``slice_thickness_mm``, the
        largest voxel side; ``brain_volume_ml``, native; ``noise_share``, `measure_noise`, where
        it can be told.
    """
    reference = load_reference()
    to_mni = registration.affine
    warped = resample(scan.data, scan.grid, reference.grid, source_to_target=to_mni)
    field = resample(
        np.ones(scan.grid.shape, dtype=bool), scan.grid, reference.grid, source_to_target=to_mni
    )
    seen = reference.mask & field
    metrics = {
        "mutual_information": _compute_mutual_information(warped[seen], reference.image[seen]),
        "correlation": _correlate(warped[seen], reference.image[seen]),
        "mask_dice": compute_template_dice(mask, scan.grid, to_mni),
        "white_over_gray": _compare(warped, reference.white & field, reference.gray & field),
        "coverage": float(seen.sum() / reference.mask.sum()),
        "determinant": registration.determinant,
        "rotation_degrees": registration.rotation_degrees,
        "slice_thickness_mm": float(scan.grid.spacing_mm.max()),
        "brain_volume_ml": float(mask.sum() * scan.grid.voxel_volume_mm3 / 1000),
    }
    noise = measure_noise(scan, mask)
    return metrics if noise is None else {**metrics, "noise_share": noise}


def measure_noise(scan: Scan, mask: NDArray[np.bool_]) -> float | None:
    """Return the sd of a scan's noise over its 90th percentile, about that of white matter.

    The noise is that of each voxel against its neighbors, six where voxels are small, by the median
    absolute deviation (Coupe et al. 2010, Med Image Anal 14:483), which edges between tissues
    hardly touch. Neighbors more than 2 mm away differ by anatomy, and are not asked.

    Parameters
    ----------
    scan
        Native.
    mask
        Brain on the same voxels; 0 is returned for one without an inside.

    Returns
    -------
    float or None
        None where no neighbor is near enough.
    """
    from scipy.ndimage import binary_erosion

    axes = [axis for axis in range(3) if scan.grid.spacing_mm[axis] <= _NEIGHBOR_MM]
    if not axes:
        return None
    inside = binary_erosion(mask)
    places = np.argwhere(inside)
    if not len(places):
        return 0.0
    # a margin of one voxel: every neighbor is in the box
    low, high = places.min(axis=0) - 1, places.max(axis=0) + 2
    box = tuple(map(slice, low, high))
    values, within, n = scan.data[box], inside[box], 2 * len(axes)
    neighbors = sum(np.roll(values, step, axis) for axis in axes for step in (-1, 1))
    residual = (values - neighbors / n)[within]
    # the variance of one less the mean of n others is (n + 1) / n
    sd = _SD_PER_MEDIAN * math.sqrt(n / (n + 1)) * float(np.median(np.abs(residual)))
    bright = float(np.percentile(values[within], 90))
    return sd / bright if bright > 0 else 0.0


def compute_placement_metrics(
    image: NDArray[np.float32], mask: NDArray[np.bool_], grid: Grid
) -> dict[str, float]:
    """Return what says of a brain in MNI152 that it is a T1w brain, the right way up, in its place.

    Parameters
    ----------
    image
        Brain, background 0.
    mask
        Brain on `grid`.
    grid
        In MNI152.

    Returns
    -------
    dict
        ``coarse_correlation`` with the template inside of both brains, after a Gaussian of 4 mm,
        so that neither the outline nor single gyri count; ``offset_mm``, from the center of the
        template's brain to that of the mask.
    """
    from scipy.ndimage import gaussian_filter

    reference = load_reference()
    placed = resample(image, grid, reference.grid)
    both = resample(mask, grid, reference.grid) & reference.mask
    blurred = (
        gaussian_filter(layer, _COARSE_VOXELS, mode="constant")[both]
        for layer in (both.astype(np.float32), *(both * scan for scan in (placed, reference.image)))
    )
    share = next(blurred)
    first, second = (layer / share for layer in blurred)
    offset = _find_center(mask, grid) - _find_center(reference.mask, reference.grid)
    return {
        "coarse_correlation": _correlate(first, second),
        "offset_mm": float(np.linalg.norm(offset)),
    }


def _find_center(mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    voxels = np.argwhere(mask)
    if not len(voxels):
        return np.full(3, np.inf)
    return np.asarray(grid.affine[:3, :3] @ voxels.mean(axis=0) + grid.affine[:3, 3])


class Reference:
    """The template's brain at the metrics' resolution, with its deep white matter and its cortex.

    Nothing is compared outside of the smallest box around the brain, so that it ends there.
    """

    def __init__(self) -> None:
        from nilearn.datasets import load_mni152_gm_template, load_mni152_wm_template

        template = load_template()
        grid = make_grid(template.grid, _SPACING_MM)
        mask = resample(template.mask, template.grid, grid)
        inside = np.argwhere(mask)
        low, high = inside.min(axis=0), inside.max(axis=0) + 1
        brain = tuple(map(slice, low, high))
        affine = grid.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ low
        self.grid = Grid(tuple(high - low), affine)
        self.image = resample(template.image, template.grid, grid)[brain]
        self.mask = mask[brain]
        self.gray = self._threshold(load_mni152_gm_template(resolution=2), 0.7)
        self.white = self._threshold(load_mni152_wm_template(resolution=2), 0.9)

    def _threshold(self, image: object, level: float) -> NDArray[np.bool_]:
        data = np.asarray(image.dataobj, dtype=np.float32)  # type: ignore[attr-defined]
        return np.asarray(resample(data, Grid.of_image(image), self.grid) >= level)


@lru_cache(maxsize=1)
def load_reference() -> Reference:
    """Return the template as scans are compared with it."""
    return Reference()


def _correlate(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    if len(first) < 100 or first.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _compute_mutual_information(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the mutual information in nats; brightness is cut at the 99.5th percentile."""
    if len(first) < 100 or first.std() == 0:
        return 0.0
    first = np.clip(first, None, np.percentile(first, 99.5))
    joint, _, _ = np.histogram2d(first, second, bins=32)
    joint /= joint.sum()
    product = np.outer(joint.sum(1), joint.sum(0))
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / product[seen])).sum())


def _compare(
    data: NDArray[np.float32], numerator: NDArray[np.bool_], denominator: NDArray[np.bool_]
) -> float:
    if not numerator.any() or not denominator.any():
        return 0.0
    below = float(np.median(data[denominator]))
    return float(np.median(data[numerator])) / below if below > 0 else 0.0
