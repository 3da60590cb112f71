"""Samples of people, screened and of an archive, and who is chosen in each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.result import Floats
from trialsim.comparison.archive import Target
from trialsim.enrichment.strategies.folds import Samples
from trialsim.ordering import sort_places

_CHUNK = 100
"""Samples that are computed at once; results do not depend on it."""


def list_chunks(n_bootstrap: int) -> list[tuple[int, int]]:
    """Return the number and the size of each chunk of samples."""
    starts = range(0, n_bootstrap, _CHUNK)
    return [(number, min(_CHUNK, n_bootstrap - start)) for number, start in enumerate(starts)]


def draw_counts(
    n_people: int, seed: int, chunk: tuple[int, int], *, n_drawn: int | None = None
) -> tuple[Floats, np.random.Generator]:
    """Return how often each person is in each sample of a chunk, and what draws on.

    As many people are drawn as there are where `n_drawn` is None.
    """
    number, size = chunk
    rng = np.random.default_rng([seed, 1, number])
    drawn = n_people if n_drawn is None else n_drawn
    counts = rng.multinomial(drawn, np.full(n_people, 1 / n_people), size=size)
    return counts.astype(float), rng


def draw_samples(n_people: int, n_bootstrap: int, seed: int) -> Floats:
    """Return how often each person is in each sample of `bootstrap_sizes`.

    Returns
    -------
    ndarray
        (n_bootstrap, n_people).
    """
    drawn = [draw_counts(n_people, seed, chunk)[0] for chunk in list_chunks(n_bootstrap)]
    return np.concatenate(drawn) if drawn else np.empty((0, n_people))


@dataclass(frozen=True)
class TargetSample:
    """Samples of the screened people whom an archive stands for.

    Attributes
    ----------
    counts
        (n_samples, n_screened).
    scores
        Strategy -> (n_samples, n_screened), of the strategies that samples of the archive change.
    """

    counts: Floats
    scores: dict[str, Floats]


def draw_target(
    target: Target, archive: Floats, rng: np.random.Generator, *, redraws: bool
) -> TargetSample:
    """Draw the screened people again, scored by strategies fitted to samples of the archive."""
    counts = np.ones((len(archive), target.size))
    if redraws:
        shares = np.full(target.size, 1 / target.size)
        counts = rng.multinomial(target.size, shares, size=len(archive)).astype(float)
    scores = {} if target.rescore is None else target.rescore(Samples(training=archive), rng)
    return TargetSample(counts, scores)


@dataclass(frozen=True)
class RankedWeights:
    """The weights of people in order of their score, from which any share may be taken.

    Attributes
    ----------
    places
        The person at each rank, (n_samples, n_people).
    weights
        Of the person at each rank, (n_samples, n_people).
    until
        Weights added up, (n_samples, n_people).
    """

    places: NDArray[np.intp]
    weights: Floats
    until: Floats

    @classmethod
    def by(
        cls, weights: Floats, score: Floats, order: NDArray[np.intp] | None = None
    ) -> "RankedWeights":
        """Return the weights by rank.

        Parameters
        ----------
        weights
            (n_samples, n_people).
        score
            (n_people,) or (n_samples, n_people); NaN comes last.
        order
            In which people are looked at where scores are tied; as they come when None.
        """
        places = np.arange(weights.shape[1]) if order is None else order
        value = np.where(np.isnan(score), np.inf, -score)[..., places]
        ranked = places[sort_places(value)]
        ranked, weights = np.broadcast_arrays(np.atleast_2d(ranked), weights)
        sorted_weights = np.take_along_axis(weights, ranked, axis=1)
        return cls(ranked, sorted_weights, np.cumsum(sorted_weights, axis=1))

    def take_top(self, share: float) -> Floats:
        """Return the weights that fall to the top share; a person may be taken in part.

        Parameters
        ----------
        share
            Of the total weight, above 0 and at most 1.

        Returns
        -------
        ndarray
            In the order of the people, (n_samples, n_people).
        """
        room = share * self.until[:, -1:] - (self.until - self.weights)
        taken = np.empty_like(self.weights)
        np.put_along_axis(taken, self.places, np.clip(room, 0.0, self.weights), axis=1)
        return taken


def repeat_rows(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Return both with as many rows as the longer one has."""
    n = max(len(first), len(second))
    return np.broadcast_to(first, (n, first.shape[1])), np.broadcast_to(
        second, (n, second.shape[1])
    )


def center_score(score: Floats | None) -> Floats:
    """Return the score around its mean, a missing one at the mean; 0 where there is none."""
    if score is None:
        return np.zeros(1)
    middle = np.nanmean(score, axis=-1, keepdims=True)
    return np.asarray(np.where(np.isfinite(score), score - middle, 0.0))
