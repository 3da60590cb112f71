"""What lies outside the skull's inside, as a T1w scan shows it.

The codes are those of SynthSeg's training maps (Billot et al. 2023, Med Image Anal 86:102789).
Their label for soft tissue holds fat and muscle alike: fat lies under the skin and between muscles.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cohorts.synthetic.resampling import interpolate_to_fine

EYE: Final = 506
SOFT_TISSUE: Final = 507
MUCOSA: Final = 509
SKIN: Final = 511
CORTICAL_BONE: Final = 515
MARROW: Final = 516

FAT_INTENSITY: Final = 1.15
MUSCLE_INTENSITY: Final = 0.50

EXTRACEREBRAL_INTENSITIES: Final = {
    502: 0.55,  # arteries
    EYE: 0.22,
    SOFT_TISSUE: MUSCLE_INTENSITY,
    508: 0.50,  # muscles of the eye
    MUCOSA: 0.72,
    SKIN: 0.62,
    512: 0.85,  # spinal cord
    514: 0.40,  # veins
    CORTICAL_BONE: 0.10,
    MARROW: 0.80,
    530: 0.75,  # optic nerve
}
"""Mean T1w intensity by code, relative to cerebral white matter; other codes look like muscle."""

_BETWEEN_PEOPLE_SD = 0.05
_FAT_UNDER_SKIN_MM = 6.0
_FAT_FADES_OVER_MM = 3.0
_STREAK_MM = 3.0
_STREAK_THRESHOLD = 1.0
_MARROW_SD = 0.15


def sample_extracerebral_means(
    highest: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], float]:
    """Return a person's mean intensities of the codes from 500 to `highest`, and that of fat."""
    codes = range(500, highest + 1)
    means = np.array([EXTRACEREBRAL_INTENSITIES.get(code, MUSCLE_INTENSITY) for code in codes])
    means *= np.exp(rng.normal(0, _BETWEEN_PEOPLE_SD, means.size))
    return means.astype(np.float32), FAT_INTENSITY * float(
        np.exp(rng.normal(0, _BETWEEN_PEOPLE_SD))
    )


def paint_fat(
    image: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint16],
    fat_intensity: float,
    *,
    rng: np.random.Generator,
) -> None:
    """Turn a part of the soft tissue into fat and make marrow uneven, in place.

    Parameters
    ----------
    image
        Intensities at 1 mm; every side of an even length.
    labels
        SynthSeg codes, on the same grid.
    fat_intensity
        Relative to cerebral white matter.
    rng
        Decides where fat lies between muscles.
    """
    coarse = labels[::2, ::2, ::2]
    depth = 2 * ndimage.distance_transform_edt((coarse != SKIN) & (coarse != 0))
    streaks = rng.standard_normal(coarse.shape, dtype=np.float32)
    streaks = ndimage.gaussian_filter(streaks, _STREAK_MM / 2)
    streaks /= streaks.std()
    under_skin = np.clip((_FAT_UNDER_SKIN_MM - depth) / _FAT_FADES_OVER_MM + 1, 0, 1)
    between = np.clip((streaks - _STREAK_THRESHOLD) / 0.5, 0, 0.8)
    share = interpolate_to_fine(np.maximum(under_skin, between).astype(np.float32))
    soft = labels == SOFT_TISSUE
    image[soft] += share[soft] * (np.float32(fat_intensity) - image[soft])
    marrow = labels == MARROW
    image[marrow] *= 1 + np.float32(_MARROW_SD) * interpolate_to_fine(streaks)[marrow]
