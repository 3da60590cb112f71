"""Futures of the screened people themselves, from how outcomes follow a prediction in an archive.

Decline is skewed and its error grows with the prediction, so that one slope with one error for
everyone gives trials that are a third too small. Outcomes are therefore regressed, among the people
of the archive beyond the cut-off, on the measured baseline and the prediction together: what is
left over is drawn from those same people, whole courses at a time. A prediction whose slope is
wrong is thereby calibrated, and errors keep their relation to the measured baseline.
"""

import numpy as np

from trialsim.analysis.result import Floats
from trialsim.comparison.cohort_error.sample_moments import PersonMoments, SampleMoments
from trialsim.simulation.expectations import ExpectedOutcomes
from trialsim.simulation.pool import Pool, fill_score

N_DRAWN = 2000
"""Futures in a pool, at least; more than one of each person."""


def compute_selected_moments(
    weights: Floats, start: Floats, score: Floats
) -> tuple[Floats, Floats]:
    """Return mean and covariance of baseline and score in weighted samples.

    Parameters
    ----------
    weights
        (n_samples, n_people).
    start
        Measured baseline, (n_people,).
    score
        (n_people,) or (n_samples, n_people), none missing.

    Returns
    -------
    tuple of ndarray
        (n_samples, 2) and (n_samples, 2, 2).
    """
    share = weights / weights.sum(axis=1, keepdims=True)
    both = np.stack(np.broadcast_arrays(start, np.broadcast_to(score, share.shape)), axis=-1)
    mean = (share[:, None, :] @ both)[:, 0]
    off = both - mean[:, None, :]
    return mean, (share[..., None] * off).transpose(0, 2, 1) @ off


def transport(
    moments: SampleMoments,
    people: PersonMoments,
    weights: Floats,
    score: Floats,
    selected: tuple[Floats, Floats],
) -> SampleMoments:
    """Return the moments of outcomes predicted for other people of known baseline and score.

    Parameters
    ----------
    moments
        Of the archive's people beyond the cut-off.
    people, weights, score
        That they were computed with.
    selected
        From `compute_selected_moments`, on the scale of `people`.
    """
    covariance = moments.get_covariance()
    ends = [0, -1]
    known = covariance[:, ends][:, :, ends]
    inverse = np.linalg.pinv(known, hermitian=True)
    slopes = covariance[:, :, ends] @ inverse
    share = weights / weights.sum(axis=1, keepdims=True)
    offset = people.change - moments.change[:, None]
    with_change = np.stack(
        [
            (share * offset * column).sum(axis=1)
            for column in (people.outcome[:, 0], np.broadcast_to(score, share.shape))
        ],
        axis=1,
    )
    mean, spread = selected
    moved = mean - moments.mean[:, ends]
    center = moments.mean + (slopes @ moved[..., None])[..., 0]
    whole = covariance + slopes @ (spread - known) @ slopes.transpose(0, 2, 1)
    change = moments.change + ((inverse @ with_change[..., None])[..., 0] * moved).sum(axis=1)
    second = whole + center[:, :, None] * center[:, None, :]
    return SampleMoments(change, center, second, moments.unseen, moments.spread)


def draw_futures(
    expected: ExpectedOutcomes,
    weights: Floats,
    score: Floats | None,
    start: Floats,
    own_score: Floats,
    rng: np.random.Generator,
) -> Pool:
    """Return a pool of futures of the screened people whom a rule enrolls.

    Parameters
    ----------
    expected, weights, score
        Of the archive's people beyond the cut-off; the score is None where there is none.
    start, own_score
        Measured baseline and score of the screened people beyond it, (n_enrolled,).
    rng
        Draws what was missed, and who lends what is left over.
    """
    weights = weights / weights.sum()
    filled = fill_score(score, len(weights), weights)
    missing = np.zeros(len(start)) if score is None else own_score
    known = np.isfinite(missing)
    own = np.where(known, missing, np.mean(missing[known]) if known.any() else 0.0)
    if score is not None:
        seen = np.isfinite(score)
        own = own - np.average(score[seen], weights=weights[seen])
    whole = expected.draw(rng, weights)
    predictors = np.column_stack([np.ones(len(weights)), whole[:, 0], filled])
    theirs = np.column_stack([np.ones(len(start)), _widen(start), _widen(own)])
    root = np.sqrt(weights)[:, None]
    inverse = np.linalg.pinv(root * predictors)
    slopes = inverse @ (root * whole)
    left = whole - predictors @ slopes
    n_effective = float(1 / (weights**2).sum())
    left *= np.sqrt(n_effective / (n_effective - np.linalg.matrix_rank(predictors)))
    copies = max(2, -(-N_DRAWN // len(start)))
    # evenly over the weights, so that the draws vary as the people do
    places = (np.arange(copies * len(start)) + rng.random()) / (copies * len(start))
    donors = rng.permutation(np.searchsorted(np.cumsum(weights), places).clip(max=len(weights) - 1))
    outcome = np.repeat(theirs @ slopes, copies, axis=0) + left[donors]
    order = np.argsort(outcome[:, -1] - outcome[:, 0], kind="stable")
    true_change = (theirs @ (inverse @ (root * expected.true_change))).mean(axis=0)
    shown = np.repeat(theirs[:, 2] - theirs[:, 2].mean(), copies)
    equal = np.full(len(outcome), 1 / len(outcome))
    outcome = outcome[order]
    each, drawn_from = np.arange(len(outcome)), (len(weights), n_effective)
    return Pool(outcome, outcome, each, shown[order], true_change, equal, drawn_from)


def _widen(values: Floats) -> Floats:
    """Return values whose variance is unbiased; see `trialsim.simulation.pool.widen`."""
    n = len(values)
    factor = np.sqrt(n / (n - 1)) if n > 1 else 1.0
    return np.asarray(values.mean() + factor * (values - values.mean()))
