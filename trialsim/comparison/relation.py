"""Whether a score has to do with decline at all, among the people whose outcomes make trials."""

import math
from typing import Final

import numpy as np

from trialsim.comparison.candidates import EVERYONE, Candidate
from trialsim.comparison.screened import Screened
from trialsim.ordering import rank_with_ties

_NORMAL: Final = 1.959963984540054
_FEWEST: Final = 5


def list_unrelated(screened: Screened) -> list[str]:
    """Return a sentence for each score that nothing tells from chance.

    Rank correlation of score and decline from the first to the last visit, in the weights of the
    people, with the interval of Fisher's z, whose variance is 1.06 / (n - 3) (Fieller, Hartley &
    Pearson 1957, Biometrika 44:470).

    Parameters
    ----------
    screened
        The people with trajectories; outcomes that are predictions themselves say nothing.
    """
    if screened.is_predicted:
        return []
    decline, told = screened.outcome[:, 0] - screened.outcome[:, -1], []
    for name, score in screened.scores.items():
        known = np.isfinite(decline) & np.isfinite(score)
        if not Candidate(name, 1.0).is_screened or known.sum() < _FEWEST:
            continue
        weights = screened.weights.get(name, screened.weights[EVERYONE])[known]
        ranks = np.stack([rank_with_ties(score[known]), rank_with_ties(decline[known])])
        covariance = np.cov(ranks, aweights=weights)
        spread = math.sqrt(covariance[0, 0] * covariance[1, 1])
        found = float(covariance[0, 1]) / spread if spread else 0.0
        n_effective = float(weights.sum() ** 2 / (weights**2).sum())
        half = _NORMAL * math.sqrt(1.06 / max(n_effective - 3, 1.0))
        middle = math.atanh(min(max(found, -0.999999), 0.999999))
        if middle - half <= 0:
            low, high = math.tanh(middle - half), math.tanh(middle + half)
            told.append(
                f"{name}: nothing tells its score from chance; its rank correlation with the "
                f"decline is {found:.2f} (95 % interval {low:.2f} to {high:.2f})."
            )
    return told
