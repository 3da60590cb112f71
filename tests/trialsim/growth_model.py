"""People whose decline is known, for tests of what trials of them give."""

import numpy as np

from trialsim.simulation.outcomes import GrowthModel

MONTHS = (0.0, 12.0, 24.0)


def build_model(months: tuple[float, ...] = MONTHS) -> GrowthModel:
    return GrowthModel(
        intercept=6500.0,
        slope=-14.0,
        score_intercept=0.0,
        score_slope=0.0,
        covariance=np.array([[700.0**2, 600.0], [600.0, 25.0]]),
        residual_variance=2500.0,
        times=np.array(months),
        scores=np.zeros(2),
    )
