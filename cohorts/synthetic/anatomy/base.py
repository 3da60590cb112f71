"""The base anatomy that people are made from: a label map on a 1 mm grid."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.processing import resample_to_output
from scipy import ndimage

from cohorts.errors import CohortError
from cohorts.images import read_image
from cohorts.labels import get_codes, get_intracranial_codes
from cohorts.synthetic.resampling import GRID_STEP
from cohorts.volumes.volumetry import count_labels

MARGIN_MM: Final = 10
FLUID_HULL_MM: Final = 12
FLUID_MARGIN_MM: Final = 5
GAP_MM: Final = 5
CSF: Final = 24
CORTEX: Final = (3, 42)

_SYNTHSEG_CODES: Final = {
    **{code: (2 if code in get_codes("left_cerebral_white_matter") else 41)
       for code in get_codes("cerebral_white_matter")},
    **dict.fromkeys(get_codes("left_cerebral_cortex"), 3),
    **dict.fromkeys(get_codes("right_cerebral_cortex"), 42),
    9: 10, 48: 49, 25: 2, 57: 41,
    136: 4, 137: 5, 163: 43, 164: 44, 31: 4, 63: 43,
    30: CSF, 62: CSF, 85: CSF, 72: 14,
}  # fmt: skip
"""FreeSurfer's and SynthSeg's finer codes -> the 33 classes of SynthSeg 2.0."""

_HIGHEST_EXTRACEREBRAL: Final = 600
_FEW_CODES: Final = 6


@dataclass(frozen=True)
class BaseAnatomy:
    """A label map with SynthSeg codes at 1 mm in RAS order.

    Parameters
    ----------
    labels
        Codes of SynthSeg 2.0; above 500 what lies outside the skull's inside, if kept.
    affine
        Voxel indices to mm.
    name
        Where it comes from.
    """

    labels: npt.NDArray[np.uint16]
    affine: npt.NDArray[np.float64]
    name: str

    def __post_init__(self) -> None:
        counts = count_labels(self.labels, name=self.name)
        regions = ("left_hippocampus", "right_hippocampus", "amygdala", "thalamus",
                   "lateral_ventricle", "cerebral_cortex", "csf")  # fmt: skip
        missing = [region for region in regions if counts[list(get_codes(region))].sum() == 0]
        if missing:
            raise CohortError(
                f"{self.name} has no voxel of {', '.join(missing)}: "
                "a base anatomy needs all of SynthSeg's regions, with the fluid around the brain."
            )


def read_anatomy(path: Path, *, whole_head: bool = False) -> BaseAnatomy:
    """Read a SynthSeg- or FreeSurfer-labelled map as a base anatomy.

    Parameters
    ----------
    path
        The label map, of any orientation and voxel size.
    whole_head
        Keep the labels outside the skull's inside (codes above 500).

    Raises
    ------
    CohortError
        Where the map lacks a region that the generator deforms.
    """
    found = read_image(path)
    kind: Any = nib.Nifti1Image
    image: Any = nib.as_closest_canonical(  # type: ignore[no-untyped-call]
        kind(found.voxels, found.affine, dtype=found.voxels.dtype)
    )
    if not np.allclose(image.header.get_zooms()[:3], 1.0, atol=1e-3):
        image = resample_to_output(image, (1.0, 1.0, 1.0), order=0)  # type: ignore[no-untyped-call]
    labels = simplify_codes(np.asanyarray(image.dataobj), whole_head=whole_head, name=path.name)
    if not whole_head:
        labels = strip_skull(labels)
    return crop_anatomy(labels, image.affine, name=path.name)


def simplify_codes(
    labels: npt.NDArray[Any], *, whole_head: bool, name: str = "the label map"
) -> npt.NDArray[np.uint16]:
    """Return the map with SynthSeg 2.0's codes; anything else becomes background."""
    count_labels(labels, name=name)
    codes = labels.astype(np.intp)
    table = np.zeros(max(int(codes.max()), _HIGHEST_EXTRACEREBRAL) + 1, dtype=np.uint16)
    intracranial = get_intracranial_codes()
    intracranial = intracranial[intracranial < table.size]
    table[intracranial] = intracranial
    for code, simple in _SYNTHSEG_CODES.items():
        if code < table.size:
            table[code] = simple
    if whole_head:
        table[500:_HIGHEST_EXTRACEREBRAL] = np.arange(500, _HIGHEST_EXTRACEREBRAL)
    return table[codes]


def find_codes(labels: npt.NDArray[np.uint16], codes: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Return where the labels are one of the codes."""
    highest = int(labels.max())
    possible = [code for code in codes if code <= highest]
    if 0 < len(possible) <= _FEW_CODES:
        # comparing is quicker than looking up
        found: npt.NDArray[np.bool_] = labels == possible[0]
        for code in possible[1:]:
            found |= labels == code
        return found
    table = np.zeros(highest + 1, dtype=bool)
    table[possible] = True
    return table[labels]


def strip_skull(labels: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Return the brain with the fluid around it, as a skull-stripping tool leaves it.

    Label maps call some of the orbits and of the neck fluid, and leave vessels and dura inside the
    skull unlabelled: fluid far from the brain goes, and gaps between folds become fluid.
    """
    brain = (labels > 0) & (labels != CSF)
    hull = _close(brain, radius_mm=FLUID_HULL_MM, margin_mm=FLUID_MARGIN_MM)
    gaps = _close(brain, radius_mm=GAP_MM, margin_mm=1) & (labels == 0)
    stripped = np.where(hull, labels, 0).astype(np.uint16)
    stripped[gaps] = CSF
    return stripped


def _close(
    mask: npt.NDArray[np.bool_], *, radius_mm: float, margin_mm: float
) -> npt.NDArray[np.bool_]:
    """Return the closing of the mask by a ball, widened by a margin."""
    closed = np.zeros_like(mask)
    if not mask.any():
        return closed
    # nothing reaches further than the ball, and distances are dear
    reach = math.ceil(radius_mm) + 1
    box = tuple(
        slice(max(0, int(low) - reach), int(high) + reach)
        for low, high in zip(*_find_bounds(mask), strict=True)
    )
    wide = ndimage.distance_transform_edt(~mask[box]) <= radius_mm
    closed[box] = ndimage.distance_transform_edt(wide) > radius_mm - margin_mm
    return closed


def crop_anatomy(
    labels: npt.NDArray[np.uint16], affine: npt.NDArray[Any], *, name: str
) -> BaseAnatomy:
    """Return the anatomy cut to the head (or brain) plus a margin, with sides divisible by 12 mm.

    Without a head the fluid below the brain, which follows the spinal cord, is left out.
    """
    whole_head = bool((labels >= 500).any())
    kept = labels > 0 if whole_head else (labels > 0) & (labels != CSF)
    low, high = _find_bounds(kept)
    low, high = low - MARGIN_MM, high + MARGIN_MM
    high += -(high - low) % (2 * GRID_STEP)
    pad = [
        (int(max(0, -a)), int(max(0, b - n)))
        for a, b, n in zip(low, high, labels.shape, strict=True)
    ]
    padded = np.pad(labels, pad)
    start = np.array([max(0, a) for a in low])
    box = tuple(slice(int(a), int(a + n)) for a, n in zip(start, high - low, strict=True))
    moved = np.array(affine, dtype=float)
    moved[:3, 3] += moved[:3, :3] @ low
    return BaseAnatomy(np.ascontiguousarray(padded[box]), moved, name)


def _find_bounds(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    spans = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    return np.array([s[0] for s in spans]), np.array([s[-1] + 1 for s in spans])
