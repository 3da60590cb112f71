"""Where the brain is in a scan."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brlp_models.errors import ScanError
from brlp_models.grid import Affine, Grid, make_grid, resample
from brlp_models.scans import Scan, read_labels
from brlp_models.template import load_template
from cohorts.labels import get_codes, get_intracranial_codes

BrainSegmenter = Callable[[Scan], NDArray[np.bool_]]
"""Anything that finds the brain in a whole head, on the scan's own grid."""

_SHELL_MM = 10.0
_STRIPPED_SHARE = 0.02


def find_brain_mask(
    scan: Scan,
    native_to_mni: Affine,
    *,
    segmentation: Path | str | None = None,
    mask: Path | str | None = None,
    segmenter: BrainSegmenter | None = None,
) -> tuple[NDArray[np.bool_], str]:
    """Return the brain mask on the scan's grid, and which source it came from.

    The first that there is: the labels of `segmentation`, `mask`, the scan's own outline when it
    is skull-stripped already, `segmenter`, the template's mask warped back.

    Raises
    ------
    ScanError
        Where a given segmentation or mask does not overlap with the scan.
    """
    if segmentation is not None:
        return _read_mask(segmentation, scan, is_segmentation=True), "segmentation"
    if mask is not None:
        return _read_mask(mask, scan, is_segmentation=False), "mask"
    if is_stripped(scan, native_to_mni):
        return _fill(_find_outline(scan)), "stripped scan"
    if segmenter is not None:
        return _fill(segmenter(scan)), "segmenter"
    template = load_template()
    back = np.linalg.inv(native_to_mni)
    warped = resample(template.mask, template.grid, scan.grid, source_to_target=back)
    return warped, "template"


def is_stripped(scan: Scan, native_to_mni: Affine) -> bool:
    """Tell whether a scan shows nothing but brain.

    True when at most 2 % of what is not background lies more than 10 mm outside of the template's
    mask; scalp and neck are much more than that.
    """
    outside = Grid(scan.grid.shape, native_to_mni @ scan.grid.affine)
    coarse = make_grid(outside, 4.0)
    shown = resample(_find_outline(scan), outside, coarse)
    if not shown.any():
        return False
    near = resample(_widened_template_mask(), load_template().grid, coarse)
    return float((shown & ~near).sum() / shown.sum()) <= _STRIPPED_SHARE


@lru_cache(maxsize=1)
def _widened_template_mask() -> NDArray[np.bool_]:
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(~load_template().mask) <= _SHELL_MM)


def _find_outline(scan: Scan) -> NDArray[np.bool_]:
    """Return what differs from the background, whose value is the scan's commonest.

    A scan with noise in its air has no exact background: a hundredth of its bright end counts.
    """
    values, counts = np.unique(scan.data[::2, ::2, ::2], return_counts=True)
    background = values[counts.argmax()]
    noise = 0.01 * abs(float(np.percentile(scan.data, 99)) - background)
    return np.asarray(np.abs(scan.data - background) > noise)


def _fill(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest connected part with its holes filled."""
    from scipy.ndimage import binary_fill_holes, label

    parts, _ = label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(binary_fill_holes(parts == sizes.argmax()))


def _read_mask(path: Path | str, scan: Scan, *, is_segmentation: bool) -> NDArray[np.bool_]:
    labels, grid = read_labels(path)
    if is_segmentation:
        wanted = np.setdiff1d(get_intracranial_codes(), get_codes("csf"))
        brain = np.isin(labels, wanted)
    else:
        brain = labels > 0
    mask = brain if grid == scan.grid else resample(brain, grid, scan.grid)
    if mask.sum() * scan.grid.voxel_volume_mm3 < 1e5:
        raise ScanError(
            f"{path} covers {mask.sum() * scan.grid.voxel_volume_mm3 / 1000:.0f} ml of brain in "
            f"{scan.name}; it is not a segmentation of this scan or lies in another space."
        )
    return _fill(mask)
