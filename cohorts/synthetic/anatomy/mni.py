"""The built-in base anatomy: the MNI152 template with modelled deep structures.

Tissue comes from nilearn's bundled ICBM 2009a symmetric template (T1, grey and white matter
probability; Fonov et al. 2011, NeuroImage 54:313). The template has no labels, so the deep
structures are smooth shapes at their places in MNI space, trimmed to the tissue that the template
shows there; their sizes follow the Harvard-Oxford atlas.
"""

import warnings
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import SimpleITK
from nilearn import datasets
from scipy import ndimage

from cohorts.synthetic.anatomy.base import CSF, BaseAnatomy, crop_anatomy
from cohorts.synthetic.anatomy.head import add_head
from cohorts.synthetic.anatomy.masks import fill_holes, find_box, find_near
from cohorts.synthetic.anatomy.shapes import make_coordinates, make_ellipsoid, make_tube

Mask = npt.NDArray[np.bool_]
Volume = npt.NDArray[np.float32]

_FLUID_BELOW: Final = 0.52
_VENTRICLE_BELOW: Final = 0.56
_SULCUS_BELOW: Final = -0.04
_RIM_MM: Final = 2.5
_MARGIN_MM: Final = 8
"""Around the brain; half of how far a Gaussian of 4 mm reaches, so that its mirrored ends are 0."""
_AROUND_CEREBELLUM_MM: Final = 10

_ELLIPSOIDS: Final = {
    "thalamus": (((12.0, -18.5, 7.5), (11.5, 17.0, 11.0)),),
    "caudate": (((13.0, 14.0, 5.0), (7.0, 10.0, 10.0)),),
    "putamen": (((26.5, 1.0, 1.0), (7.0, 16.5, 11.0)),),
    "pallidum": (((19.0, -4.0, -1.0), (5.5, 9.0, 6.0)),),
    "accumbens": (((9.5, 11.5, -7.0), (4.5, 5.5, 4.5)),),
    "amygdala": (((23.0, -2.5, -18.5), (9.0, 8.0, 8.5)),),
    "ventral_dc": (((9.5, -12.0, -8.5), (10.0, 12.0, 6.5)),),
}
"""Centre and half axes in mm, on the right; the left mirrors them."""

_TUBES: Final = {
    "hippocampus": (
        (22.0, -12.0, -21.5, 6.2),
        (26.0, -15.0, -20.0, 6.8),
        (28.5, -21.0, -16.0, 6.2),
        (30.0, -28.0, -11.0, 5.6),
        (28.5, -34.5, -6.0, 5.0),
        (24.5, -39.0, -1.5, 4.2),
    ),
    "caudate": (
        (13.0, 8.0, 13.0, 5.0),
        (14.5, -2.0, 18.0, 4.0),
        (17.0, -12.0, 20.5, 3.2),
        (20.5, -22.0, 20.5, 2.6),
    ),
}
"""Centre line and radius in mm."""

_BRAIN_STEM: Final = (
    (0.0, -25.0, -8.0, 13.0),
    (0.0, -26.0, -18.0, 14.0),
    (0.0, -25.0, -32.0, 16.5),
    (0.0, -33.0, -46.0, 11.5),
    (0.0, -41.0, -58.0, 9.0),
    (0.0, -47.0, -72.0, 8.0),
)

_CODES: Final = {
    "cerebral_white_matter": (2, 41), "cerebral_cortex": (3, 42), "lateral_ventricle": (4, 43),
    "inferior_lateral_ventricle": (5, 44), "cerebellum_white_matter": (7, 46),
    "cerebellum_cortex": (8, 47), "thalamus": (10, 49), "caudate": (11, 50), "putamen": (12, 51),
    "pallidum": (13, 52), "hippocampus": (17, 53), "amygdala": (18, 54), "accumbens": (26, 58),
    "ventral_dc": (28, 60), "third_ventricle": (14, 14), "fourth_ventricle": (15, 15),
    "brain_stem": (16, 16),
}  # fmt: skip


@lru_cache(maxsize=2)
def load_mni_anatomy(*, whole_head: bool = False) -> BaseAnatomy:
    """Return the built-in base anatomy: symmetric, about 1.9 litres inside.

    Parameters
    ----------
    whole_head
        Put the brain into a modelled head.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nilearn announces changes of its own defaults
        image = datasets.load_mni152_template(resolution=1)
        grey = _read(datasets.load_mni152_gm_template(resolution=1))
        white = _read(datasets.load_mni152_wm_template(resolution=1))
    labels, affine = _label_template(_read(image), grey, white, image.affine), image.affine
    if whole_head:
        labels, affine = add_head(labels, affine)
    return crop_anatomy(labels, affine, name="MNI152 (ICBM 2009a, symmetric)")


def _read(image: Any) -> Volume:
    return np.asarray(image.dataobj, dtype=np.float32)


def _label_template(
    t1: Volume, grey: Volume, white: Volume, affine: npt.NDArray[np.float64]
) -> npt.NDArray[np.uint16]:
    x, y, z = make_coordinates(t1.shape, affine)
    i, j, k = (_start_even(side) for side in find_box(t1 > 0, margin=_MARGIN_MM))
    labels = np.zeros(t1.shape, dtype=np.uint16)
    grid = x[i], y[:, j], z[..., k]
    labels[i, j, k] = _label_brain(t1[i, j, k], grey[i, j, k], white[i, j, k], grid)
    return labels


def _start_even(side: slice) -> slice:
    # distances are measured on every second voxel
    return slice(side.start // 2 * 2, side.stop)


def _label_brain(
    t1: Volume, grey: Volume, white: Volume, grid: tuple[Volume, Volume, Volume]
) -> npt.NDArray[np.uint16]:
    x, _, _ = grid
    brain = fill_holes(t1 > 0)
    regions = _find_ventricles(t1, brain, grid)
    deep = _find_deep_structures(t1, grey, grid, np.logical_or.reduce(list(regions.values())))
    stem = make_tube(grid, _BRAIN_STEM, mirrored=False) & (t1 > _FLUID_BELOW)
    cerebellum = _find_cerebellum(t1, brain, grid, stem)
    regions |= deep | _find_tissue(t1, grey, white, brain, regions["lateral_ventricle"], cerebellum)
    regions["brain_stem"] = stem & ~cerebellum
    regions |= {
        name: regions[name] for name in ("lateral_ventricle", "third_ventricle", "fourth_ventricle")
    }
    rim = find_near(brain, _RIM_MM)
    labels = np.where(rim, np.uint16(CSF), np.uint16(0))
    right = np.broadcast_to(x >= 0, t1.shape)
    for name in (*_PAINTING_ORDER,):
        mask = regions[name]
        labels[mask] = np.where(right[mask], _CODES[name][1], _CODES[name][0])
    return labels


_PAINTING_ORDER: Final = (
    "cerebral_cortex", "cerebral_white_matter", "cerebellum_cortex", "cerebellum_white_matter",
    "ventral_dc", "brain_stem", "thalamus", "putamen", "pallidum", "caudate", "accumbens",
    "inferior_lateral_ventricle", "lateral_ventricle", "third_ventricle", "fourth_ventricle",
    "hippocampus", "amygdala",
)  # fmt: skip
"""Later regions lie over earlier ones."""


def _find_ventricles(t1: Volume, brain: Mask, grid: tuple[Volume, ...]) -> dict[str, Mask]:
    x, y, z = grid
    side = np.abs(x)
    dark = brain & (t1 < _VENTRICLE_BELOW)
    cistern = (side < 8) & ((y < -30) | ((z < 16) & (y < 4)))
    horn_and_body = (side < 26) & (y > -42) & (y < 36) & (z > 0) & (z < 34) & ~cistern
    atrium = (side > 13) & (side < 38) & (y > -56) & (y <= -24) & (z > -6) & (z < 28)
    third = (side < 5) & (y > -30) & (y < 6) & (z > -12) & (z < 12) & (y + 0.6 * z < 12)
    fourth = (side < 12) & (y > -54) & (y < -33) & (z > -48) & (z < -18)
    lateral = dark & (horn_and_body | atrium) & ~(third & (z < 9))
    seeds = ndimage.label(lateral)[0]
    kept = {int(seeds[tuple(_index(grid, p))]) for p in ((15, -30, 20), (-15, -30, 20))} - {0}
    return {
        "lateral_ventricle": np.isin(seeds, list(kept)),
        "third_ventricle": dark & third,
        "fourth_ventricle": dark & fourth,
    }


def _find_deep_structures(
    t1: Volume, grey: Volume, grid: tuple[Volume, ...], ventricles: Mask
) -> dict[str, Mask]:
    shapes = {
        name: np.logical_or.reduce([make_ellipsoid(grid, *one) for one in parts])
        for name, parts in _ELLIPSOIDS.items()
    }
    for name, line in _TUBES.items():
        tube = make_tube(grid, line, mirrored=True)
        shapes[name] = shapes[name] | tube if name in shapes else tube
    tissue = (t1 > _FLUID_BELOW) & ~ventricles
    trims = {
        "caudate": grey > 0.4,
        "putamen": grey > 0.25,
        "hippocampus": t1 < 0.80,
        "amygdala": t1 < 0.76,
    }
    found = {name: shape & tissue for name, shape in shapes.items()}
    for name, trim in trims.items():
        found[name] &= trim
    near = _find_near_coarsely(found["hippocampus"], 5)
    lateral = np.abs(grid[0]) > 25
    found["inferior_lateral_ventricle"] = near & lateral & (t1 < _VENTRICLE_BELOW) & (grid[2] > -24)
    return {name: _smooth(mask) for name, mask in found.items()}


def _find_cerebellum(t1: Volume, brain: Mask, grid: tuple[Volume, ...], stem: Mask) -> Mask:
    """Return what lies below the tentorium, by a watershed that stops at its dark line."""
    x, y, z = grid
    roof = 4 - 0.55 * np.abs(x) - 0.012 * (y + 56) ** 2 * (y < -56) - 0.3 * (y + 50) * (y > -50)
    below = (z < roof) & (y < -30) & (np.abs(x) < 60)
    markers = np.zeros(t1.shape, dtype=np.uint8)
    markers[~_find_near_coarsely(~(below & brain), 6)] = 1
    markers[~_find_near_coarsely(below | ~brain, 6)] = 2
    markers[stem] = 2
    # the flood from inside stops at the markers around it
    box = find_box(below, margin=_AROUND_CEREBELLUM_MM)
    relief = SimpleITK.GetImageFromArray(-t1[box] * brain[box])
    basins: Any = SimpleITK.MorphologicalWatershedFromMarkers(  # type: ignore[no-untyped-call]
        relief, SimpleITK.GetImageFromArray(markers[box]), markWatershedLine=False
    )
    below_roof = np.zeros_like(brain)
    below_roof[box] = np.asarray(SimpleITK.GetArrayFromImage(basins)) == 1
    return below_roof & brain & ~stem


def _find_tissue(
    t1: Volume, grey: Volume, white: Volume, brain: Mask, ventricle: Mask, cerebellum: Mask
) -> dict[str, Mask]:
    """Return cortex and white matter; dark sulci stay fluid."""
    relief = t1 - ndimage.gaussian_filter(t1, 4)
    sulcus = (relief < _SULCUS_BELOW) & (white < 0.2) | (t1 < _FLUID_BELOW)
    solid = brain & ~sulcus
    near_ventricle = _find_near_coarsely(ventricle, 5)
    near_fluid = _find_near_coarsely(~(solid | near_ventricle | cerebellum), 7)
    is_white = (white > grey) | near_ventricle | ~near_fluid
    cerebrum = solid & ~cerebellum
    folia = solid & cerebellum
    return {
        "cerebral_white_matter": cerebrum & is_white,
        "cerebral_cortex": cerebrum & ~is_white,
        "cerebellum_white_matter": folia & (white > 0.45),
        "cerebellum_cortex": folia & (white <= 0.45),
    }


def _find_near_coarsely(mask: Mask, distance_mm: float) -> Mask:
    """Return what lies so near to the mask, to about 1 mm: found on every second voxel."""
    coarse = find_near(mask[::2, ::2, ::2], distance_mm / 2)
    whole = coarse.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    x, y, z = mask.shape
    return whole[:x, :y, :z]


def _smooth(mask: Mask) -> Mask:
    if not mask.any():
        return mask
    smooth = np.zeros_like(mask)
    # nothing reaches further than four standard deviations
    box = find_box(mask, margin=4)
    smooth[box] = ndimage.gaussian_filter(mask[box].astype(np.float32), 0.8) > 0.5
    return smooth


def _index(grid: tuple[Volume, ...], point: tuple[float, ...]) -> list[int]:
    return [int(np.abs(g.ravel() - p).argmin()) for g, p in zip(grid, point, strict=True)]
