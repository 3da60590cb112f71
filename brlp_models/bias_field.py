"""Slow brightness changes of a scan, estimated by N4 and divided out."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from brlp_models.itk_images import from_itk, load_simpleitk, to_itk
from brlp_models.scans import Scan

WORKING_SPACING_MM = 4.0


def correct_bias_field(
    scan: Scan, *, iterations: Sequence[int] = (50, 50, 30)
) -> NDArray[np.float32]:
    """Return the scan divided by its N4 bias field (Tustison et al., IEEE TMI 2010).

    The field is estimated at 4 mm or a little coarser inside an Otsu foreground, then evaluated at
    full resolution; values below 0 are set to 0 first.

    Parameters
    ----------
    scan
        Intensities of any scale.
    iterations
        At each fitting level.
    """
    sitk = load_simpleitk()

    image = to_itk(np.clip(scan.data, 0, None), scan.grid)
    shrink = [
        int(max(1, min(math.ceil(WORKING_SPACING_MM / spacing), size // 8)))
        for spacing, size in zip(image.GetSpacing(), image.GetSize(), strict=True)
    ]
    foreground = sitk.OtsuThreshold(image, 0, 1, 200)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetNumberOfThreads(1)
    corrector.SetMaximumNumberOfIterations(list(iterations))
    corrector.Execute(sitk.Shrink(image, shrink), sitk.Shrink(foreground, shrink))
    log_field = corrector.GetLogBiasFieldAsImage(image)
    corrected = from_itk(image) / np.exp(from_itk(log_field))
    return np.asarray(corrected, dtype=np.float32)
