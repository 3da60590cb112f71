"""Power of a two-arm comparison whose estimate is normal."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from trialsim.analytic.point import FloatArray

Distribution = Literal["t", "z"]

_SMALLEST_ARM = 2.0
"""Below two people an arm no variance can be estimated."""


def compute_fewest_control(allocation_ratio: npt.ArrayLike) -> FloatArray:
    """Return the people in control of a trial whose smaller arm is as small as an arm may be."""
    return np.asarray(_SMALLEST_ARM / np.minimum(1, allocation_ratio), dtype=float)


@dataclass(frozen=True)
class TwoArmTest:
    """What the power depends on beside the sample size and the effect; arrays broadcast.

    Attributes
    ----------
    unit_variance
        Variance of the estimated difference times `n_control`.
    control_variance
        Variance in the control arm for Welch's degrees of freedom, each arm paying its share of
        the covariates; NaN asks for the pooled ones.
    n_covariates
        Covariates whose estimation costs degrees of freedom ("t" only).
    alpha, sides, allocation_ratio
        The rules of the test.
    """

    unit_variance: FloatArray
    control_variance: FloatArray
    n_covariates: FloatArray
    alpha: FloatArray
    sides: FloatArray
    allocation_ratio: FloatArray

    @classmethod
    def build(cls, **values: npt.ArrayLike) -> "TwoArmTest":
        """Return a comparison of plain numbers, lists or arrays."""
        return cls(**{name: np.asarray(value, dtype=float) for name, value in values.items()})

    def list_arrays(self) -> list[FloatArray]:
        """Return the attributes in order; `TwoArmTest(*arrays)` builds it again."""
        return list(vars(self).values())

    def smallest_n_control(self) -> FloatArray:
        """Return the smallest control arm for which the t distribution is defined."""
        # Welch's arms each pay a share of the covariates, the smaller one too
        fewest_total = np.where(
            np.isnan(self.control_variance),
            2 * _SMALLEST_ARM,
            _SMALLEST_ARM * (1 + self.allocation_ratio) / np.minimum(1, self.allocation_ratio),
        )
        for_covariates = np.where(
            self.n_covariates > 0,
            (self.n_covariates + fewest_total) / (1 + self.allocation_ratio),
            0.0,
        )
        fewest = compute_fewest_control(self.allocation_ratio)
        return np.asarray(np.maximum(fewest, for_covariates), dtype=float)


def compute_power(
    n_control: FloatArray,
    delta: FloatArray,
    comparison: TwoArmTest,
    *,
    distribution: Distribution,
) -> FloatArray:
    """Return the probability to reject.

    "z": Phi(abs(delta) / se - z_{1 - alpha / sides}); the wrong tail is left out. "t": noncentral
    t, both tails where the test is two-sided (Julious 2010, *Sample Sizes for Clinical Trials*).

    Parameters
    ----------
    n_control
        Participants in the control arm.
    delta
        Difference between the arms.
    comparison
        Variance and rules of the test.
    distribution
        "t" or "z".
    """
    level = comparison.alpha / comparison.sides
    variance = comparison.unit_variance / n_control
    if distribution == "z":
        distance = np.abs(delta) / np.sqrt(variance)
        return np.asarray(special.ndtr(distance + special.ndtri(level)))
    n_total = n_control * (1 + comparison.allocation_ratio)
    q = comparison.n_covariates
    loss = np.where(q > 0, 1 + q / (n_total - q - 3), 1.0)
    distance = np.abs(delta) / np.sqrt(variance * loss)
    df = _compute_degrees_of_freedom(n_control, n_total, comparison)
    critical = np.asarray(-special.stdtrit(df, level))
    upper = 1 - _compute_noncentral_t(critical, df, distance)
    lower = np.where(comparison.sides == 2, _compute_noncentral_t(-critical, df, distance), 0.0)
    return np.asarray(upper + lower)


def _compute_noncentral_t(x: FloatArray, df: FloatArray, noncentrality: FloatArray) -> FloatArray:
    """Return the noncentral t distribution function at `x`."""
    # SciPy's series gives NaN in the far left tail; over 140,000 points with df from 1 and levels
    # of 0.0001 to 0.2 the value there never exceeded 4e-16 by direct integration.
    return np.asarray(np.nan_to_num(special.nctdtr(df, noncentrality, x), nan=0.0))


def _compute_degrees_of_freedom(
    n_control: FloatArray, n_total: FloatArray, comparison: TwoArmTest
) -> FloatArray:
    control, both = comparison.control_variance, comparison.unit_variance
    n_treatment = n_total - n_control
    paid = 1 - comparison.n_covariates / n_total
    left = n_control * paid - 1, n_treatment * paid - 1
    welch = both**2 / (control**2 / left[0] + (both - control) ** 2 / left[1])
    return np.where(np.isnan(control), n_total - 2 - comparison.n_covariates, welch)
