"""Brains on the tiny model's grid, for tests in which the input check has to let scans pass."""

import numpy as np

from brlp_models.scans.grid import Grid, resample
from brlp_models.scans.template import load_template

SHAPE = (20, 24, 20)
AFFINE = np.array([[-9, 0, 0, 88.5], [0, 9, 0, -124.5], [0, 0, 9, -70.5], [0, 0, 0, 1]])


def draw_brain(rng: np.random.Generator, affine: np.ndarray = AFFINE) -> np.ndarray:
    """Return the template with a texture of its own, from 0 to 1."""
    template, grid = load_template(), Grid(SHAPE, affine)
    mask = resample(template.mask.astype(np.float32), template.grid, grid) >= 0.5
    mask &= np.pad(np.ones([size - 2 for size in SHAPE], dtype=bool), 1)
    image = np.where(mask, resample(template.image, template.grid, grid), 0)
    brain = image * rng.uniform(0.9, 1.1, SHAPE)
    return np.asarray(brain / brain.max(), dtype=np.float32)
