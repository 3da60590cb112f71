"""The contrast of white and gray matter, which the same scanner may set otherwise."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from brlp_models.scans.grid import Grid, resample
from brlp_models.scans.metrics import load_reference

CONTRASTS: Final = (0.93, 1.07)
"""Exponents of brightness under which volumes are measured again: they spread the hippocampus as
much as is left between gamma 0.7, 1 and 1.4 of a scan once its contrast is that of training."""

MASK_CONTRASTS: Final = (0.8, 1.25)
"""Exponents of a whole head's brightness under which its brain is looked for again: what that moves
is about what gamma 0.7 and 1.4 move by way of the brain mask."""

_EXPONENTS: Final = (0.4, 2.5)
LEAST_CONTRAST: Final = 1.02
"""A scan of less has no T1w contrast to bring anywhere; the input check refuses it."""


def measure_white_over_gray(image: NDArray[np.float32], grid: Grid) -> float:
    """Return the median brightness of white over that of gray matter, by the template's maps.

    Parameters
    ----------
    image
        Brain in MNI152, background exactly 0.
    grid
        Of the image.
    """
    white, gray = (_take_median(image, mask) for mask in _find_tissues(grid))
    return white / gray if gray > 0 else 0.0


def compute_exponent(white_over_gray: float, wanted: float) -> float:
    """Return the power of brightness that gives a scan the wanted contrast, 0.4 to 2.5.

    1 for a scan without T1w contrast.
    """
    if white_over_gray < LEAST_CONTRAST:
        return 1.0
    return float(np.clip(math.log(wanted) / math.log(white_over_gray), *_EXPONENTS))


def standardize_contrast(
    image: NDArray[np.float32], grid: Grid, wanted: float
) -> tuple[NDArray[np.float32], float]:
    """Return a scan with the contrast that a model learned from, and the exponent that it took.

    Brightness is raised to a power; white matter stays as bright as it is. Of one real head with
    gamma 0.7, 1 and 1.4 the measured hippocampus then differs by 1.5 and -2 %, without it by
    8 and -10 %.

    Parameters
    ----------
    image
        Brain in MNI152 from 0 to 1, background exactly 0.
    grid
        Of the image.
    wanted
        White over gray matter.
    """
    white = _take_median(image, _find_tissues(grid)[0])
    exponent = compute_exponent(measure_white_over_gray(image, grid), wanted)
    if exponent == 1 or white == 0:
        return image, 1.0
    return change_contrast(image, exponent, white=white), exponent


def change_contrast(
    image: NDArray[np.float32], exponent: float, *, white: float = 1.0
) -> NDArray[np.float32]:
    """Return brightness raised to a power, with what is as bright as `white` left as it is."""
    return np.asarray(np.clip(white * (image / white) ** exponent, 0, 1), dtype=np.float32)


def compute_spread(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """Return the sd of two volumes over their mean, by region."""
    pairs = {region: (volume, second[region]) for region, volume in first.items()}
    return {
        region: float(np.std(pair, ddof=1) / np.mean(pair))
        for region, pair in pairs.items()
        if max(pair) > 0
    }


def _take_median(image: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    values = image[mask & (image > 0)]
    return float(np.median(values)) if values.size else 0.0


@lru_cache(maxsize=2)
def _find_tissues(grid: Grid) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the template's deep white matter and its cortex on a grid."""
    reference = load_reference()
    white, gray = (
        resample(mask, reference.grid, grid) for mask in (reference.white, reference.gray)
    )
    return white, gray
