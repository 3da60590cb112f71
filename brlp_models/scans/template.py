"""The MNI152 template that scans are registered to."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from brlp_models.scans.grid import Affine, Grid, make_grid, resample

TEMPLATE_NAME: Final = "ICBM 2009a nonlinear symmetric, 1 mm, skull-stripped (nilearn)"
TEMPLATE_SPACE: Final = "MNI152NLin2009aSym"
"""The template's name in BIDS."""

_SHELL_MM = 10.0
_COARSE_MM = 2.0
_SULCUS_VOXELS = 2


@dataclass(frozen=True)
class Template:
    """The average T1w brain (0-1, outside 0), its brain mask, their grid."""

    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    grid: Grid


@lru_cache(maxsize=1)
def load_template() -> Template:
    """Return the template that nilearn carries; nothing is downloaded."""
    from nilearn.datasets import load_mni152_brain_mask, load_mni152_template

    image = load_mni152_template(resolution=1)
    mask = load_mni152_brain_mask(resolution=1)
    grid = Grid(image.shape, image.affine)
    return Template(np.asarray(image.dataobj, dtype=np.float32), np.asarray(mask.dataobj) > 0, grid)


@lru_cache(maxsize=1)
def load_widened_mask() -> tuple[NDArray[np.bool_], Grid]:
    """Return the template's mask widened by 10 mm, at 2 mm: farther out no brain is in place."""
    from scipy.ndimage import distance_transform_edt

    template = load_template()
    grid = make_grid(template.grid, _COARSE_MM, margin_mm=(_SHELL_MM,) * 3)
    mask = resample(template.mask, template.grid, grid)
    return np.asarray(_COARSE_MM * distance_transform_edt(~mask) <= _SHELL_MM), grid


def compute_template_dice(mask: NDArray[np.bool_], grid: Grid, to_mni: Affine) -> float:
    """Return the overlap (Dice) of a brain mask with the template's.

    Sulci are closed first: the template's mask holds the fluid in them, most brain masks do not.
    The aseg brain of a 25-year-old came to .90 without closing and to .96 with it.

    Parameters
    ----------
    mask
        Brain on `grid`.
    grid
        Any.
    to_mni
        Matrix from the grid's world to MNI152.
    """
    from scipy.ndimage import binary_closing

    template, common = _load_comparison_mask()
    brain = resample(mask, grid, common, source_to_target=to_mni)
    # padded, since a closing would wear the mask away where it meets the border
    padded = binary_closing(np.pad(brain, _SULCUS_VOXELS + 1), iterations=_SULCUS_VOXELS)
    inner = slice(_SULCUS_VOXELS + 1, -_SULCUS_VOXELS - 1)
    closed = padded[inner, inner, inner]
    return float(2 * (closed & template).sum() / (closed.sum() + template.sum()))


@lru_cache(maxsize=1)
def _load_comparison_mask() -> tuple[NDArray[np.bool_], Grid]:
    template = load_template()
    grid = make_grid(template.grid, _COARSE_MM)
    return resample(template.mask, template.grid, grid), grid
