"""The choices under comparison: a strategy with the fraction that it enrolls."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialsim.analysis.result import Floats
from trialsim.design import ANALYSES, TrialDesign
from trialsim.enrichment.registry import STRATEGIES
from trialsim.enrichment.selection import count_selected, rank_scores
from trialsim.errors import DesignError
from trialsim.simulation.pool import Pool, build_pool


@dataclass(frozen=True)
class Candidate:
    """A strategy at one fraction enrolled."""

    strategy: str
    fraction_enrolled: float

    @property
    def is_screened(self) -> bool:
        """Whether people are chosen by a scan, rather than everyone eligible enrolled."""
        known = STRATEGIES.get(self.strategy)
        return known is None or not known.enrolls_everyone

    @property
    def is_attainable(self) -> bool:
        """Whether a trial could do this: the oracle is shown, never chosen."""
        known = STRATEGIES.get(self.strategy)
        return known is None or known.is_attainable


@dataclass(frozen=True)
class Screened:
    """The screened people: outcomes, scores of each strategy, the score that ANCOVA adjusts for.

    Attributes
    ----------
    outcome
        (n_people, n_visits), unit of the design, NaN where missing.
    scores
        Strategy -> (n_people,), NaN where missing.
    prognostic
        (n_people,); None: each strategy's own score is adjusted for.
    """

    outcome: Floats
    scores: dict[str, Floats]
    prognostic: Floats | None

    def resample(self, people: NDArray[np.intp], scores: dict[str, Floats]) -> "Screened":
        """Return a bootstrap sample with scores of its own."""
        prognostic = None if self.prognostic is None else self.prognostic[people]
        return Screened(self.outcome[people], scores, prognostic)


def list_candidates(strategies: Sequence[str], fractions: Sequence[float]) -> list[Candidate]:
    """Return every strategy at every fraction; a strategy that screens nobody out, once.

    Raises
    ------
    DesignError
        A fraction outside (0, 1], or none at all.
    """
    wrong = [f for f in fractions if not 0 < f <= 1]
    if wrong or not fractions:
        got = ", ".join(f"{f:g}" for f in wrong) or "none"
        raise DesignError(f"fractions_enrolled must lie above 0 and at most at 1, got {got}.")
    candidates = []
    for strategy in strategies:
        everyone = Candidate(strategy, 1.0)
        own = fractions if everyone.is_screened else [1.0]
        candidates += [Candidate(strategy, float(fraction)) for fraction in own]
    return candidates


def select_people(
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
    known = score[np.isfinite(score)]
    n_selected = count_selected(candidate.fraction_enrolled, n_people)
    if n_selected < n_people and (not known.size or np.ptp(known) == 0):
        what = f"every score is {known[0]:g}" if known.size else "nobody has a score"
        raise DesignError(f"{candidate.strategy}: {what}, so it cannot choose whom to enroll.")
    return np.flatnonzero(rank_scores(score, rng) <= n_selected)


def gather_pool(candidate: Candidate, screened: Screened, rng: np.random.Generator) -> Pool:
    """Return the pool of the people enrolled.

    Raises
    ------
    DesignError
        As in `select_people`, or too few of them have every visit.
    """
    chosen = select_people(candidate, screened, rng)
    score = screened.prognostic
    if score is None:
        score = screened.scores[candidate.strategy] if candidate.is_screened else None
    name = f"{candidate.strategy}, {candidate.fraction_enrolled:.0%} enrolled"
    return build_pool(screened.outcome[chosen], None if score is None else score[chosen], name=name)


def keep_possible_analyses(design: TrialDesign, pool: Pool) -> TrialDesign:
    """Return the design without the score-adjusted analyses where the pool has no score."""
    possible = tuple(name for name in design.analyses if not ANALYSES[name].uses_score)
    if pool.has_score or possible == design.analyses:
        return design
    if not possible:
        names = ", ".join(design.analyses)
        raise DesignError(f"{names}: a prognostic score is needed; the strategy has none.")
    return design.change(analyses=possible)


def read_screened(
    outcome: Floats, people: pd.Index, scores: pd.DataFrame, prognostic: "pd.Series[float] | None"
) -> Screened:
    """Return the screened people, everyone who has a row of scores.

    Raises
    ------
    DesignError
        Fewer than 10 people, repeated people, no strategy, or a person without a trajectory row.
    """
    problems = []
    if scores.index.has_duplicates or people.has_duplicates:
        problems.append("Each participant may have one row of scores and one trajectory.")
    if scores.empty:
        problems.append("There are no scores: give at least one strategy and its people.")
    unknown = scores.index.difference(people)
    if len(unknown):
        problems.append(
            f"{len(unknown)} scored participants have no trajectory, such as {unknown[0]}."
        )
    if 0 < len(scores) < 10:
        problems.append(f"A comparison needs at least 10 screened people, got {len(scores)}.")
    if problems:
        raise DesignError(*problems)
    rows = people.get_indexer(scores.index)
    table = {str(name): scores[name].to_numpy(dtype=float) for name in scores.columns}
    given = None
    if prognostic is not None:
        given = np.asarray(prognostic.reindex(scores.index), dtype=float)
    return Screened(outcome[rows], table, given)
