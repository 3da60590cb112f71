"""A modelled head around the built-in brain: fluid, skull, scalp, eyes, neck.

The template ends at the brain. Skull and scalp are smooth shells at a distance from its hull, with
a thickness that varies slowly over the head (about 5 mm at the temples to 9 mm at the occiput;
Lillie et al. 2016, J Anat 228:200); face and neck are simple solids of soft tissue, with eyes and
an airway. There is no jaw, ear or nose.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cohorts.synthetic.anatomy.base import CSF
from cohorts.synthetic.anatomy.extracerebral import (
    CORTICAL_BONE,
    EYE,
    MARROW,
    MUCOSA,
    SKIN,
    SOFT_TISSUE,
)
from cohorts.synthetic.anatomy.shapes import (
    Mask,
    Volume,
    make_coordinates,
    make_ellipsoid,
    make_tube,
)
from cohorts.synthetic.resampling import interpolate_to_fine

_BELOW_MM: Final = 44
"""How far below the template the neck goes."""

_HULL_MM: Final = 14.0
_FLUID_MM: Final = 1.5
_BONE_TABLE_MM: Final = 2.0
_SKIN_MM: Final = 2.0
_BLEND_MM: Final = 5.0

_FACE: Final = (((0.0, 32.0, -62.0), (60.0, 56.0, 70.0)),)
_NECK_CENTRE_MM: Final = (0.0, -22.0)
_NECK_HALF_AXES_MM: Final = (56.0, 62.0)
_NECK_TOP_MM: Final = -45.0
_EYES: Final = (((33.0, 66.0, -36.0), (12.5, 12.5, 12.5)),)
_AIRWAY: Final = (
    (0.0, 84.0, -68.0, 5.0),
    (0.0, 55.0, -62.0, 7.0),
    (0.0, 22.0, -62.0, 8.0),
    (0.0, 8.0, -84.0, 7.0),
    (0.0, 4.0, -125.0, 7.0),
)


def add_head(
    labels: npt.NDArray[np.uint16], affine: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.float64]]:
    """Return the label map with a head around the brain, and its affine.

    Parameters
    ----------
    labels
        The brain and its fluid at 1 mm in MNI space, RAS.
    affine
        Voxel indices to mm.
    """
    below = _BELOW_MM + (-(labels.shape[2] + _BELOW_MM)) % 2
    sides = [(0, n % 2) for n in labels.shape[:2]]
    head = np.pad(labels, [*sides, (below, 0)])
    moved = affine.copy()
    moved[2, 3] -= below
    grid = make_coordinates(head.shape, moved)
    depth = _measure_depth(head > 0)
    bone_mm, scalp_mm = _vary_thickness(grid)
    free = head == 0
    outside = depth > _FLUID_MM + bone_mm + scalp_mm
    flesh = _join_face(~outside, grid)
    head[free & flesh] = SOFT_TISSUE
    head[free & _find_skin(flesh)] = SKIN
    _cut_airway(head, free, grid)
    _paint_skull(head, free, depth - _FLUID_MM, bone_mm)
    head[free & (depth <= _FLUID_MM)] = CSF
    head[free & (depth > _FLUID_MM) & make_ellipsoid(grid, *_EYES[0])] = EYE
    return head, moved


def _measure_depth(brain: Mask) -> Volume:
    """Return the signed distance in mm from the brain's smooth hull, negative inside."""
    coarse = brain[::2, ::2, ::2]
    wide = ndimage.distance_transform_edt(~coarse) <= _HULL_MM / 2
    hull = (ndimage.distance_transform_edt(wide) > _HULL_MM / 2) | coarse
    signed = ndimage.distance_transform_edt(~hull) - ndimage.distance_transform_edt(hull)
    return interpolate_to_fine(ndimage.gaussian_filter(2 * signed.astype(np.float32), 1.5))


def _vary_thickness(grid: tuple[Volume, ...]) -> tuple[Volume, Volume]:
    """Return the thickness of skull and scalp in mm: thick behind, thin at the temples."""
    x, y, z = grid
    behind = np.exp(-(((y + 110) / 45) ** 2) - ((z + 10) / 50) ** 2)
    temple = np.exp(-(((np.abs(x) - 70) / 25) ** 2) - ((y - 5) / 45) ** 2 - ((z + 12) / 35) ** 2)
    ripple = np.cos(x / 23) * np.cos(y / 31 + 1) + np.cos(z / 27)
    bone = 6.5 + 2.5 * behind - 2.0 * temple + 0.4 * ripple
    scalp = 6.0 + 2.0 * behind + 4.0 * temple - 0.4 * ripple
    return bone.astype(np.float32), scalp.astype(np.float32)


def _join_face(head: Mask, grid: tuple[Volume, ...]) -> Mask:
    """Return the head joined smoothly with face and neck."""
    x, y, z = grid
    (cx, cy), (hx, hy) = _NECK_CENTRE_MM, _NECK_HALF_AXES_MM
    neck = (((x - cx) / hx) ** 2 + ((y - cy) / hy) ** 2 < 1) & (z < _NECK_TOP_MM)
    whole = head | make_ellipsoid(grid, *_FACE[0]) | neck
    coarse = whole[::2, ::2, ::2].astype(np.float32)
    blended = ndimage.gaussian_filter(coarse, _BLEND_MM / 2, mode="nearest")
    joined: Mask = (interpolate_to_fine(blended) > 0.5) | head
    return joined


def _find_skin(flesh: Mask) -> Mask:
    """Return the outermost layer, but not the cut through the neck."""
    above = np.concatenate([np.repeat(flesh[:, :, :1], 4, axis=2), flesh], axis=2)
    inner = ndimage.distance_transform_edt(above[::2, ::2, ::2])[:, :, 2:].astype(np.float32)
    skin: Mask = flesh & (2 * interpolate_to_fine(inner) <= _SKIN_MM + 1)
    return skin


def _cut_airway(head: npt.NDArray[np.uint16], free: Mask, grid: tuple[Volume, ...]) -> None:
    air = make_tube(grid, _AIRWAY, mirrored=False)
    lined = tuple((*point, radius + 2.5) for *point, radius in _AIRWAY)
    head[free & make_tube(grid, lined, mirrored=False) & (head > 0)] = MUCOSA
    head[free & air] = 0


def _paint_skull(
    head: npt.NDArray[np.uint16], free: Mask, height: Volume, thickness: Volume
) -> None:
    """Paint bone where the height above the fluid is less than the skull's thickness."""
    bone = free & (height > 0) & (height <= thickness)
    head[bone] = CORTICAL_BONE
    head[bone & (height > _BONE_TABLE_MM) & (height < thickness - _BONE_TABLE_MM)] = MARROW
