"""How much a twin adds to a trial's precision."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from trialsim.errors import DesignError
from trialsim.finished.trial import FinishedTrial


@dataclass(frozen=True)
class TwinGain:
    """What the twin adds to what baseline and covariates say already.

    Attributes
    ----------
    partial_correlation, correlation_lower, correlation_upper
        Of twin and outcome at the last visit given arm, baseline and covariates.
    gain, gain_lower, gain_upper
        Effective sample size with the twin over that without, 1 / (1 - r^2): 1.5 is what half as
        many people again would bring.
    """

    partial_correlation: float
    correlation_lower: float
    correlation_upper: float
    gain: float
    gain_lower: float
    gain_upper: float


_LEAST_UNEXPLAINED: Final = 1e-9
"""Share of the outcome's variance that no prediction from baseline explains."""


def estimate_twin_gain(trial: FinishedTrial, *, alpha: float = 0.05) -> TwinGain:
    """Return the twin's gain in effective sample size, with its interval.

    The residual variance of PROCOVA is that of ANCOVA times 1 - r^2 with the partial correlation r
    of twin and outcome (Schuler et al. 2022, Int J Biostat 18:329); the interval of r is Fisher's,
    with n - 3 - (number of other covariates) as its information.

    Raises
    ------
    DesignError
        No twins, too few people, or twins that are the outcomes themselves.
    """
    trial.require_effect()
    if trial.twins is None:
        raise DesignError("The gain of a twin needs twins (`--twins`).")
    seen = ~np.isnan(trial.outcome[:, -1])
    known = np.column_stack(
        [np.ones(trial.size), trial.arms, trial.outcome[:, 0], trial.covariates.to_numpy(float)]
    )[seen]
    pair = np.column_stack([trial.outcome[seen, -1], trial.twins.predicted[seen, -1]])
    centred = known - np.append(0.0, known[:, 1:].mean(axis=0))
    left = pair - centred @ np.linalg.lstsq(centred, pair, rcond=None)[0]
    r = float(np.corrcoef(left.T)[0, 1])
    if 1 - r**2 < _LEAST_UNEXPLAINED:
        raise DesignError(
            "The twins tell everybody's outcome at the last visit exactly, as nothing known at "
            "baseline can: they were made of the outcomes."
        )
    information = len(pair) - 3 - (known.shape[1] - 1)
    if information < 1:
        raise DesignError("Too few people at the last visit to tell the gain of the twin.")
    reach = float(stats.norm.isf(alpha / 2)) / np.sqrt(information)
    lower, upper = np.tanh(np.arctanh(r) + np.array([-reach, reach]))
    # where the sign is not known the square may be 0
    least = 0.0 if lower <= 0 <= upper else min(lower**2, upper**2)
    most = max(lower**2, upper**2)
    return TwinGain(
        r, float(lower), float(upper), 1 / (1 - r**2), 1 / (1 - least), float(1 / (1 - most))
    )
