"""From whom the trials of a candidate draw people: the pool of those whom it enrolls."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cohorts.counting import tally
from trialsim.analyses import ANALYSES
from trialsim.analysis.result import Floats
from trialsim.analytic.cutoffs import count_selected
from trialsim.comparison.archive import FEWEST_EFFECTIVE, Target
from trialsim.comparison.candidates import EVERYONE, Candidate
from trialsim.comparison.screened import Screened
from trialsim.comparison.transport import N_DRAWN, draw_futures
from trialsim.design import TrialDesign
from trialsim.enrichment.balancing import compute_effective_size
from trialsim.enrichment.selection import rank_scores
from trialsim.errors import DesignError
from trialsim.simulation.expectations import ExpectedOutcomes
from trialsim.simulation.pool import Pool, build_pool


def find_enrolled(
    candidate: Candidate, screened: Screened, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return the positions of the people enrolled, ties broken by chance.

    Raises
    ------
    DesignError
        All known scores are equal although someone is to be left out.
    """
    n_people = len(screened.outcome)
    if not candidate.is_screened:
        return np.arange(n_people)
    score = screened.scores[candidate.strategy]
    if screened.target is not None:
        return np.flatnonzero(_admit(candidate, screened.target, score))
    known = score[np.isfinite(score)]
    n_selected = count_selected(candidate.fraction_enrolled, n_people)
    if n_selected < n_people and (not known.size or np.ptp(known) == 0):
        what = f"every score is {known[0]:g}" if known.size else "nobody has a score"
        raise DesignError(f"{candidate.strategy}: {what}, so it cannot choose whom to enroll.")
    if n_selected == n_people:  # nobody has to be ranked; what is drawn later stays the same
        rng.random(n_people)
        return np.arange(n_people)
    return np.flatnonzero(rank_scores(score, rng) <= n_selected)


class PoolGatherer:
    """Gathers the pools of several candidates, one after the other.

    Where everyone is enrolled no score plays a part: what is drawn for them is the same for every
    strategy, that of the first.

    Parameters
    ----------
    screened
        The people.
    rng
        Breaks ties, draws missed visits.
    """

    def __init__(self, screened: Screened, rng: np.random.Generator) -> None:
        self.screened, self.rng = screened, rng
        self._of_everyone: np.random.Generator | None = None

    def gather(self, candidate: Candidate) -> Pool:
        """Return the pool of the people whom the candidate enrolls.

        Raises
        ------
        DesignError
            As in `gather_pool`.
        """
        chosen = find_enrolled(candidate, self.screened, self.rng)
        first, before = self._of_everyone, deepcopy(self.rng)
        if candidate.expectation != EVERYONE or first is None:
            if candidate.expectation == EVERYONE:
                self._of_everyone = before
            return _build(candidate, self.screened, chosen, self.rng)
        # drawn in any case, so that what is drawn for the candidates after it stays the same
        if self.screened.target is None and not self.screened.is_predicted:
            self.rng.standard_normal(self.screened.outcome[self.screened.was_seen].shape)
        else:
            _build(candidate, self.screened, chosen, self.rng)
        return _build(candidate, self.screened, chosen, deepcopy(first))


def gather_pool(candidate: Candidate, screened: Screened, rng: np.random.Generator) -> Pool:
    """Return the pool of the people enrolled.

    Raises
    ------
    DesignError
        As in `find_enrolled`, or too few of them have the first and the last visit; fewer than 20
        effective people of an archive beyond the cut-off.
    """
    return PoolGatherer(screened, rng).gather(candidate)


def keep_possible_analyses(design: TrialDesign, pool: Pool) -> TrialDesign:
    """Return the design without the score-adjusted analyses where the pool has no score."""
    possible = tuple(name for name in design.analyses if not ANALYSES[name].uses_score)
    if pool.has_score or possible == design.analyses:
        return design
    if not possible:
        names = ", ".join(design.analyses)
        raise DesignError(f"{names}: a prognostic score is needed; the strategy has none.")
    return design.change(analyses=possible)


def _admit(candidate: Candidate, target: Target, score: Floats) -> Floats:
    """Return how much of each person is enrolled, (n_people,): a part of those at the cut-off.

    Raises
    ------
    DesignError
        Nobody screened has a score although someone is to be left out.
    """
    if candidate.expectation == EVERYONE:
        return np.ones(len(score))
    own = target.scores[candidate.strategy]
    if np.isnan(own).all():
        raise DesignError(
            f"{candidate.strategy}: nobody screened has a score, so it cannot choose whom to "
            "enroll."
        )
    one_each = np.ones((1, target.size))
    cutoffs = target.find_cutoffs(candidate.fraction_enrolled, one_each, own)
    return np.asarray(cutoffs.admit(score)[0])


def _build(
    candidate: Candidate,
    screened: Screened,
    chosen: NDArray[np.intp],
    rng: np.random.Generator,
) -> Pool:
    chosen = chosen[screened.was_seen[chosen]]
    expectation, score = candidate.expectation, screened.get_prognostic(candidate)
    expected, weights = screened.expected[expectation], screened.weights[expectation]
    target = screened.target
    if target is not None:
        weights = weights * _admit(candidate, target, screened.scores[candidate.strategy])
    if len(chosen) < len(screened.outcome):  # else everyone as they are: nothing is copied
        expected, weights = expected.select(chosen), weights[chosen]
        score = None if score is None else score[chosen]
    name = candidate.label
    effective = float(compute_effective_size(weights)) if len(weights) else 0.0
    if screened.target is not None and effective < FEWEST_EFFECTIVE:
        raise DesignError(
            f"{name}: {tally(len(chosen), 'people')} of the archive lie beyond the cut-off, "
            "and weighted to "
            f"agree with the screened people they say as much as {effective:.0f}; at least "
            f"{FEWEST_EFFECTIVE} are needed to stand for those who would be enrolled."
        )
    if target is not None and target.start is not None:
        theirs = target.scores[candidate.strategy]
        enrolled = _select_screened(candidate, target, rng)
        return draw_futures(expected, weights, score, target.start[enrolled], theirs[enrolled], rng)
    if screened.is_predicted:
        return _draw_often(screened.outcome[chosen], score, expected, weights, rng, name)
    return build_pool(
        screened.outcome,
        score,
        people=chosen,
        expected=expected,
        weights=weights,
        rng=rng,
        name=name,
    )


def _draw_often(
    outcome: Floats,
    score: Floats | None,
    expected: ExpectedOutcomes,
    weights: Floats,
    rng: np.random.Generator,
    name: str,
) -> Pool:
    """Return a pool with many draws of each person's predicted future."""
    n_people = len(outcome)
    again = np.repeat(np.arange(n_people), max(2, -(-N_DRAWN // max(n_people, 1))))
    pool = build_pool(
        outcome,
        None if score is None else score[again],
        people=again,
        expected=expected.select(again),
        weights=weights[again],
        rng=rng,
        name=name,
    )
    return replace(pool, drawn_from=(n_people, float(compute_effective_size(weights))))


def _select_screened(
    candidate: Candidate, target: Target, rng: np.random.Generator
) -> NDArray[np.intp]:
    share = _admit(candidate, target, target.scores[candidate.strategy])
    certain, in_part = np.flatnonzero(share == 1), np.flatnonzero((share > 0) & (share < 1))
    if not in_part.size:
        return certain
    n_more = count_selected(candidate.fraction_enrolled, target.size) - len(certain)
    return np.sort(np.concatenate([certain, rng.permutation(in_part)[:n_more]]))
