"""Two visits of a person, as what predicts an image learns from them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class TimedPair:
    """Two visits of a person.

    Parameters
    ----------
    first, later
        Scans on the model's grid, 0 to 255, or latents (C, *latent_shape).
    planes
        What is known at baseline, coded.
    years
        Between them.
    near_medial_temporal
        Voxels of the first latent in or beside hippocampus and amygdala, (*latent_shape); None
        where the scan has no segmentation.
    """

    first: npt.NDArray[Any]
    later: npt.NDArray[Any]
    planes: npt.NDArray[np.float32]
    years: float
    near_medial_temporal: npt.NDArray[np.bool_] | None = None
