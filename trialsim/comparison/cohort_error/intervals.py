"""Intervals from bootstrap samples."""

from typing import Final

import numpy as np
from scipy import special

from trialsim.analysis.result import Floats

MIN_SAMPLES: Final = 200
"""Fewer bootstrap samples carry no 95 % interval: five of them lie beyond each end of 200."""

LEVEL: Final = 0.95

_NO_INTERVAL = (np.nan, np.nan)


def compute_size_interval(log_ratios: Floats, df: float) -> tuple[float, float]:
    """Return factors of the sample size that are the ends of its 95 % interval.

    ln n +- t x standard deviation of the bootstrap's ln n. The degrees of freedom of t are those of
    a variance in heavy tails, because a small pool rarely holds the people who would show them;
    percentiles of the sizes miss upward (methods-simulation.md).

    Parameters
    ----------
    log_ratios
        ln of the size of each bootstrap sample over the cohort's, (n_bootstrap,).
    df
        Degrees of freedom of the standard error of ln size.

    Returns
    -------
    tuple
        Lower and upper factor; NaN where there are fewer than 200 samples, or nothing varies; the
        upper one NaN where more than 1 in 40 samples reach the target at no size.
    """
    known = np.isfinite(log_ratios)
    if len(log_ratios) < MIN_SAMPLES or not known.any() or np.ptp(log_ratios[known]) == 0:
        return _NO_INTERVAL
    half = compute_t_quantile(df) * float(log_ratios[known].std(ddof=1))
    unreached = 1 - known.mean() > (1 - LEVEL) / 2
    return float(np.exp(-half)), float("nan") if unreached else float(np.exp(half))


def compute_t_quantile(df: float) -> float:
    """Return the quantile of the t distribution that a 95 % interval goes to."""
    return float(special.stdtrit(max(df, 1.0), (1 + LEVEL) / 2))


def compute_end_error(log_ratios: Floats, df: float) -> float:
    """Return the Monte Carlo standard error of ln of an interval's end.

    An end lies t standard deviations away, and that of B normal samples has the standard error
    sd / sqrt(2 (B - 1)).
    """
    known = log_ratios[np.isfinite(log_ratios)]
    if len(known) < 2:
        return float("nan")
    spread = float(known.std(ddof=1))
    return compute_t_quantile(df) * spread / float(np.sqrt(2 * (len(known) - 1)))


def compute_freedom(influence: Floats, weights: Floats, one_copy: Floats) -> float:
    """Return Satterthwaite's degrees of freedom, 2 mean^2 / variance, of a squared standard error.

    It is a sum over people of squared influences, which heavy tails make vary.
    """
    # each copy of a person is a person drawn on its own
    copies = np.divide(weights, one_copy, out=np.zeros_like(weights), where=one_copy > 0)
    part = copies * (one_copy * influence) ** 2
    n, square = copies.sum(), part.sum()
    if not square > 0:
        return float(max(n - 1, 1))
    excess = float((part * (one_copy * influence) ** 2).sum() / square**2 - 1 / n)
    return float(np.clip(2 / excess if excess > 0 else np.inf, 1, max(n - 1, 1)))
