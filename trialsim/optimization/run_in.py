"""A run-in as a way of choosing: people are followed first, those who lose fastest randomized.

Everyone's lines are taken as normal. The slope over the run-in measures a person's own with the
noise of two scans; among those whose measured slope is steepest, mean and covariance of the visits
that follow are those of a truncated normal. The run-in's last scan is the trial's baseline, so its
noise is part of both.

References
----------
Johnson, Kotz & Balakrishnan 1994, Continuous Univariate Distributions 1, section 10.1.
"""

from dataclasses import replace

import numpy as np
from scipy import special

from trialsim.analysis.result import Floats
from trialsim.optimization.courses import Courses


def choose_by_run_in(everyone: Courses, months: float, fraction: float) -> Courses:
    """Return the people whose measured slope over the run-in is among the steepest.

    Parameters
    ----------
    everyone
        Those who enter the run-in; the score is left out.
    months
        From the first scan to randomization, above 0.
    fraction
        Of those who finish the run-in, above 0 and at most 1.
    """
    lines, noise = everyone.covariance, everyone.residual_variance
    own = everyone.loading[:, :, None] * everyone.loading[:, None, :]
    lines = lines + own * everyone.score_variance[:, None, None]
    # intercepts count from randomization
    turn = np.array([[1.0, months], [0.0, 1.0]])
    lines = turn @ lines @ turn.T
    slope_variance = lines[:, 1, 1]
    measured = slope_variance + 2 * noise / months**2
    further, narrower = _truncate(fraction)
    shared = np.column_stack([lines[:, 0, 1], slope_variance, noise / months])
    # loss is a falling line: the steepest are those whose slope is lowest
    steeper = further * slope_variance / np.sqrt(measured)
    mean_slope = everyone.true_change[:, -1] / everyone.times[-1]
    return replace(
        everyone,
        true_change=(mean_slope - steeper)[:, None] * everyone.times,
        covariance=lines,
        loading=np.zeros_like(everyone.loading),
        score_variance=np.zeros_like(everyone.score_variance),
        taken=shared * np.sqrt(narrower / measured)[:, None],
    )


def fit_lines(visits: Floats, times: Floats, residual_variance: float) -> Floats:
    """Return the covariance of lines nearest that of visits, (n_samples, 2, 2), given the noise.

    Parameters
    ----------
    visits
        (n_samples, n_visits, n_visits).
    times
        Months, (n_visits,).
    residual_variance
        Of the noise of a visit.
    """
    ones = np.ones_like(times)
    basis = [
        np.outer(ones, ones),
        np.outer(ones, times) + np.outer(times, ones),
        np.outer(times, times),
    ]
    flat = np.stack(basis).reshape(3, -1)
    left = (visits - residual_variance * np.eye(len(times))).reshape(len(visits), -1)
    terms = left @ np.linalg.pinv(flat)
    slopes = np.maximum(terms[:, 2], 1e-4 * np.trace(visits, axis1=1, axis2=2) / times[-1] ** 2)
    return np.stack([terms[:, 0], terms[:, 1], terms[:, 1], slopes], axis=1).reshape(-1, 2, 2)


def _truncate(fraction: float) -> tuple[float, float]:
    """Return mean and loss of variance of the top of a standard normal."""
    if fraction >= 1:
        return 0.0, 0.0
    cut = float(special.ndtri(1 - fraction))
    mean = float(np.exp(-(cut**2) / 2) / np.sqrt(2 * np.pi)) / fraction
    return mean, mean * (mean - cut)
