"""Brains on coarse grids, for tests in which the input check has to let scans pass."""

from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brlp_models.scans.grid import Grid, resample
from brlp_models.scans.template import load_template

SHAPE = (20, 24, 20)
AFFINE = np.array([[-9, 0, 0, 88.5], [0, 9, 0, -124.5], [0, 0, 9, -70.5], [0, 0, 0, 1]])

# the tiny model's grid is refused on reading: its voxels of 9 mm hold no hippocampus
READABLE_AFFINE = nib.affines.from_matvec(np.diag([-4.0, 4, 4]), [38, -64, -30])


@cache
def draw_template(affine: bytes) -> NDArray[np.float64]:
    """Return the brain of the template on a grid; resampled once, since it takes longest."""
    template, grid = load_template(), Grid(SHAPE, np.frombuffer(affine).reshape(4, 4))
    mask = resample(template.mask.astype(np.float32), template.grid, grid) >= 0.5
    mask &= np.pad(np.ones([size - 2 for size in SHAPE], dtype=bool), 1)
    return np.where(mask, resample(template.image, template.grid, grid), 0)


def draw_brain(rng: np.random.Generator, affine: NDArray[np.float64] = AFFINE) -> np.ndarray:
    """Return the template with a texture of its own, from 0 to 1."""
    image = draw_template(np.asarray(affine, dtype=np.float64).tobytes())
    brain = image * rng.uniform(0.9, 1.1, SHAPE)
    return np.asarray(brain / brain.max(), dtype=np.float32)


def write_brain(path: Path, seed: int) -> Path:
    """Write a brain that can be read and predicted."""
    scan = draw_brain(np.random.default_rng(seed), READABLE_AFFINE)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(scan, READABLE_AFFINE), path)
    return path
