"""The sample size that reaches the target power, read off simulated power."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from trialsim.analysis.result import Flags, Floats

_CURVES = 400
"""Bootstrap curves behind an interval: its ends are then known to a few percent of its width."""


@dataclass(frozen=True)
class SizeEstimate:
    """People needed in control, with the 95 % interval of Monte Carlo error; NaN: not reached.

    Attributes
    ----------
    samples
        The same from resampled replicates, (n_curves,). Strategies simulated with the same streams
        have theirs from the same replicates, so differences are paired.
    """

    n_control: float
    lower: float
    upper: float
    samples: Floats


def draw_replicate_weights(n_replicates: int, rng: np.random.Generator) -> Floats:
    """Return how often each replicate enters each bootstrap curve, (n_curves, n_replicates)."""
    shares = np.full(n_replicates, 1 / n_replicates)
    return rng.multinomial(n_replicates, shares, size=_CURVES).astype(float)


def estimate_sample_size(
    n_control: Floats, rejected: Flags, target_power: float, weights: Floats
) -> SizeEstimate:
    """Return the sample size at which a probit curve in sqrt(n) crosses the target power.

    Power of a z test is Phi(a + b sqrt(n)). Fitting that curve uses the replicates of every size.
    Its error comes from a bootstrap of whole replicates, because the sizes share their people.

    Parameters
    ----------
    n_control
        People in control at each size, (n_sizes,).
    rejected
        (n_sizes, n_replicates).
    target_power
        Power that is sought, 0 to 1.
    weights
        From `draw_replicate_weights`; the same for strategies that are to be compared.
    """
    n_sizes, n_replicates = rejected.shape
    resampled = weights @ rejected.T.astype(float) / n_replicates
    powers = np.vstack([rejected.mean(axis=1), resampled])
    roots = _solve_curves(np.sqrt(n_control), powers, n_replicates, target_power)
    inside = (roots >= n_control[0] * 0.999) & (roots <= n_control[-1] * 1.001)
    if n_sizes < 2 or not inside[0]:
        return SizeEstimate(np.nan, np.nan, np.nan, np.full(len(weights), np.nan))
    samples = roots[1:]
    lower, upper = np.quantile(samples, [0.025, 0.975])
    return SizeEstimate(float(roots[0]), float(lower), float(upper), samples)


def _solve_curves(x: Floats, powers: Floats, n: int, target: float) -> Floats:
    """Return n at which each fitted probit curve reaches the target, by scoring (n_curves,)."""
    # half a replicate away from 0 and 1, where a probit is infinite
    shares = np.clip(powers, 0.5 / n, 1 - 0.5 / n)
    eta = special.ndtri(shares)
    for _ in range(25):
        density = np.exp(-(eta**2) / 2) / np.sqrt(2 * np.pi)
        fitted = np.clip(special.ndtr(eta), 1e-12, 1 - 1e-12)
        weight = density**2 / (fitted * (1 - fitted))
        working = eta + (shares - fitted) / np.maximum(density, 1e-12)
        intercept, slope = _fit_weighted_lines(x, working, weight)
        # keeps the working response finite where the curve is flat at 0 or 1
        eta = np.clip(intercept[:, None] + slope[:, None] * x, -6, 6)
    with np.errstate(all="ignore"):
        root = (special.ndtri(target) - intercept) / slope
        return np.asarray(np.where((slope > 0) & (root > 0), root**2, np.nan))


def _fit_weighted_lines(x: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats]:
    total = weight.sum(axis=1)
    mean_x, mean_y = (weight @ x) / total, (weight * y).sum(axis=1) / total
    from_mean = x - mean_x[:, None]
    with np.errstate(all="ignore"):
        slope = (weight * from_mean * y).sum(axis=1) / (weight * from_mean**2).sum(axis=1)
    return mean_y - slope * mean_x, slope
