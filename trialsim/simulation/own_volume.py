"""A score without what it takes from the measured baseline of the endpoint."""

import numpy as np

from trialsim.analysis.result import Floats

_MIN_PEOPLE = 10


def remove_own_volume(score: Floats, baseline: Floats, features: Floats | None) -> Floats:
    """Return the score without what it takes from the measured baseline of the endpoint.

    A score that reads the baseline volume holds its measurement error; as a predictor of the true
    course it must not. The coefficient of the baseline volume in a regression of the score on it
    and on `features` is taken off; without features nothing can be told apart, nothing is.

    Parameters
    ----------
    score, baseline
        (n_people,); NaN where missing.
    features
        Everything else that scores read, (n_people, p); NaN counts as the column's mean.

    Returns
    -------
    ndarray
        With mean 0; a missing score counts as the mean.
    """
    known = np.isfinite(score) & np.isfinite(baseline)
    if features is not None and known.sum() > _MIN_PEOPLE:
        own = baseline[known] - baseline[known].mean()
        others = np.column_stack([own, _standardize(features[known])])
        target = score[known] - score[known].mean()
        direct = np.linalg.lstsq(others, target, rcond=None)[0][0]
        score = score - direct * np.where(np.isfinite(baseline), baseline, 0.0)
        score = np.where(known, score, np.nan)
    if not np.isfinite(score).any():
        return np.zeros(len(score))
    return np.asarray(np.where(np.isfinite(score), score - np.nanmean(score), 0.0))


def center(columns: Floats) -> Floats:
    """Return columns minus their means; what is missing counts as the mean."""
    known = columns[:, np.isfinite(columns).any(axis=0)]
    offset = known - np.nanmean(known, axis=0) if known.size else known
    return np.asarray(np.where(np.isfinite(offset), offset, 0.0))


def _standardize(features: Floats) -> Floats:
    offset = center(features)
    spread = offset.std(axis=0)
    return np.asarray(offset[:, spread > 0] / spread[spread > 0])
