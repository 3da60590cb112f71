"""The MNI152 template that scans are registered to."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from brlp_models.grid import Grid

TEMPLATE_NAME: Final = "ICBM 2009a nonlinear symmetric, 1 mm, skull-stripped (nilearn)"


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
