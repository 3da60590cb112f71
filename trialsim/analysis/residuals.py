"""Covariance of the visits from the residuals of each visit's own regression."""

import numpy as np

from trialsim.analysis.adjusted import regress
from trialsim.analysis.result import Floats


def estimate_residual_covariance(outcome: Floats, predictors: Floats) -> Floats:
    """Return a first covariance of the visits, (n_trials, n_visits, n_visits), for a REML fit.

    Parameters
    ----------
    outcome
        (n_trials, n_participants, n_visits), NaN where unseen.
    predictors
        (n_trials or 1, n_participants, p).
    """
    ones = np.ones(outcome.shape[:2])
    fits = [regress(outcome[..., j], predictors, ones) for j in range(outcome.shape[2])]
    residual = np.nan_to_num(np.stack([fit.residual for fit in fits], axis=2))
    seen = (~np.isnan(outcome)).astype(float)
    pairs = seen.transpose(0, 2, 1) @ seen
    covariance = residual.transpose(0, 2, 1) @ residual / np.maximum(pairs, 1)
    values, vectors = np.linalg.eigh(covariance)
    # pairs of visits are seen in different people, so that the whole may not be a covariance
    kept = np.maximum(values, 0.02 * values[:, -1:])
    return np.asarray((vectors * kept[:, None, :]) @ vectors.transpose(0, 2, 1))
