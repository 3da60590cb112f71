"""The choices under comparison: a strategy with the fraction that it enrolls."""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohorts.keys import has_repeated, locate_rows
from cohorts.sources.columns import name_volume_column
from trialsim.analyses import ANALYSES
from trialsim.analysis.result import Flags, Floats
from trialsim.analytic.cutoffs import count_selected
from trialsim.comparison.archive import (
    FEWEST_EFFECTIVE,
    ScreenedPeople,
    Target,
    build_target,
    take_start,
)
from trialsim.comparison.transport import N_DRAWN, draw_futures
from trialsim.design import TrialDesign
from trialsim.enrichment.balancing import compute_effective_size
from trialsim.enrichment.features import GROWTH_PREDICTORS
from trialsim.enrichment.registry import STRATEGIES
from trialsim.enrichment.selection import rank_scores
from trialsim.errors import DesignError
from trialsim.simulation.expectations import (
    ExpectedOutcomes,
    Predictors,
    expect_outcomes,
    expect_predicted,
)
from trialsim.simulation.growth import fit_growth
from trialsim.simulation.own_volume import center, remove_own_volume
from trialsim.simulation.pool import Pool, build_pool
from trialsim.simulation.trajectories import convert_unit

EVERYONE: Final = "everyone"
"""What is expected of people without regard to a score."""


@dataclass(frozen=True)
class Candidate:
    """A strategy at one fraction enrolled."""

    strategy: str
    fraction_enrolled: float

    @property
    def label(self) -> str:
        """Its name in a sentence: one in a thousand is 0.1%."""
        return f"{self.strategy}, {100 * self.fraction_enrolled:.3g}% enrolled"

    @property
    def is_screened(self) -> bool:
        """Whether people are chosen by a scan, rather than everyone eligible enrolled."""
        known = STRATEGIES.get(self.strategy)
        return known is None or not known.enrolls_everyone

    @property
    def expectation(self) -> str:
        """Which of `Screened.expected` holds: the strategy's own where it leaves someone out."""
        leaves_out = self.is_screened and self.fraction_enrolled < 1
        return self.strategy if leaves_out else EVERYONE

    @property
    def is_attainable(self) -> bool:
        """Whether a trial could do this: the oracle is shown, never chosen."""
        known = STRATEGIES.get(self.strategy)
        return known is None or known.is_attainable


@dataclass(frozen=True)
class Screened:
    """The screened people: outcomes, what is expected of them, scores of each strategy.

    Attributes
    ----------
    outcome
        (n_people, n_visits), unit of the design, NaN where missing.
    scores
        Strategy -> (n_people,), NaN where missing.
    prognostic
        Score that ANCOVA adjusts for, (n_people,); None: each strategy's own.
    expected
        Strategy -> what is expected of everyone given all their visits and its score; `EVERYONE`
        -> the same without a score.
    weights
        What is expected -> (n_people,), how many people each stands for.
    is_normal
        (n_people,), whose change is normal ageing; None where nobody's is known.
    target
        The screened people, where these are an archive that stands for them.
    is_predicted
        Whether the outcomes are predictions, with errors that `expected` holds.
    """

    outcome: Floats
    scores: dict[str, Floats]
    prognostic: Floats | None
    expected: dict[str, ExpectedOutcomes]
    weights: dict[str, Floats]
    is_normal: Flags | None = None
    target: Target | None = None
    is_predicted: bool = False

    @property
    def n_screened(self) -> int:
        """People screened."""
        return len(self.outcome) if self.target is None else self.target.size

    @property
    def was_seen(self) -> Flags:
        """Whether a person has any visit."""
        return np.asarray(np.isfinite(self.outcome).any(axis=1))

    def score_alike(self, candidates: Sequence[Candidate]) -> "Screened":
        """Return the same people with a score of 0 by each strategy that is to choose nobody.

        A candidate that enrolls everyone needs no score, and its strategy may not have been asked
        for.
        """
        unscored = {one.strategy for one in candidates if not one.is_screened}
        unscored -= self.scores.keys()
        scores = {name: np.zeros(len(self.outcome)) for name in unscored}
        target = self.target
        if target is not None:
            theirs = {name: np.zeros(target.size) for name in unscored}
            target = replace(target, scores={**target.scores, **theirs})
        return replace(self, scores={**self.scores, **scores}, target=target)

    def select(self, people: NDArray[np.intp]) -> "Screened":
        """Return some of the people, with what is expected of them by the models of everyone."""
        expected = {
            name: replace(
                one.select(people), refit=None if one.refit is None else one.refit.select(people)
            )
            for name, one in self.expected.items()
        }
        return replace(
            self,
            outcome=self.outcome[people],
            scores={name: score[people] for name, score in self.scores.items()},
            prognostic=None if self.prognostic is None else self.prognostic[people],
            expected=expected,
            weights={name: weight[people] for name, weight in self.weights.items()},
            is_normal=None if self.is_normal is None else self.is_normal[people],
        )

    def get_prognostic(self, candidate: Candidate) -> Floats | None:
        """Return the score that a trial of the candidate's people could adjust for."""
        if self.prognostic is not None:
            return self.prognostic
        return self.scores[candidate.strategy] if candidate.is_screened else None


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
            f"{name}: {len(chosen)} people of the archive lie beyond the cut-off, and weighted to "
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
    trajectories: pd.DataFrame,
    scores: pd.DataFrame,
    design: TrialDesign,
    *,
    baseline: pd.DataFrame | None = None,
    prognostic: "pd.Series[float] | None" = None,
    normal_people: pd.Index | None = None,
    weights: "pd.Series[float] | None" = None,
    stands_for: ScreenedPeople | None = None,
    error_covariance: Floats | None = None,
) -> Screened:
    """Return the screened people, everyone who has a row of scores.

    Parameters
    ----------
    trajectories, scores, baseline, normal_people, weights, stands_for, error_covariance
        As in `compare_strategies`.
    design
        Its visits and its unit.
    prognostic
        `prognostic_score` of `compare_strategies`.

    Raises
    ------
    DesignError
        Fewer than 10 people, repeated people, no strategy, or a person without a trajectory row.
    """
    ids, people = (one.index.to_frame(name="person") for one in (scores, trajectories))
    places = locate_rows(ids, people, ["person"])
    problems = []
    if any(has_repeated(one, ["person"]) for one in (ids, people)):
        problems.append("Each participant may have one row of scores and one trajectory.")
    if scores.empty:
        problems.append("There are no scores: give at least one strategy and its people.")
    unknown = scores.index[places < 0].unique()
    if len(unknown):
        problems.append(
            f"{len(unknown)} scored participants have no trajectory, such as {min(unknown)}."
        )
    if 0 < len(scores) < 10:
        problems.append(f"A comparison needs at least 10 screened people, got {len(scores)}.")
    if problems:
        raise DesignError(*problems)
    outcome = convert_unit(trajectories, design)[places]
    table = {str(name): scores[name].to_numpy(dtype=float) for name in scores.columns}
    own = np.ones(len(scores)) if weights is None else _align(weights, scores.index)
    if not (np.isfinite(own) & (own >= 0)).all() or not own.any():
        raise DesignError("weights must be 0 or more for everyone, and above 0 for someone.")
    features = _align_features(baseline, scores.index)
    target: Target | None = None
    by_name: dict[str, Floats] = {}
    if stands_for is not None:
        measured = pd.DataFrame(index=scores.index) if features is None else features
        start = trajectories.loc[scores.index, trajectories.columns[0]]
        measured = measured.assign(**{name_volume_column(design.endpoint): start})
        target = build_target(
            table, measured, stands_for, everyone=EVERYONE, start=take_start(stands_for, design)
        )
        counts = own[None], np.ones((1, target.size))
        by_name = {name: target.weigh(name, *counts)[0] for name in target.covariates}
    by_name = share_weights(own, table) | by_name
    if error_covariance is None:
        expected = expect_each(outcome, table, design.times, features, by_name)
    else:
        spread = error_covariance[places]
        expected = dict.fromkeys(by_name, expect_predicted(outcome, spread))
    return Screened(
        outcome,
        table,
        None if prognostic is None else _align(prognostic, scores.index),
        expected,
        by_name,
        None if normal_people is None else np.asarray(scores.index.isin(normal_people)),
        target,
        error_covariance is not None,
    )


def share_weights(weights: Floats, strategies: Iterable[str]) -> dict[str, Floats]:
    """Return the same weights for everyone and whatever strategy."""
    return dict.fromkeys((EVERYONE, *strategies), weights)


def expect_each(
    outcome: Floats,
    scores: dict[str, Floats],
    times: Floats,
    baseline: pd.DataFrame | None,
    weights: Mapping[str, Floats],
) -> dict[str, ExpectedOutcomes]:
    """Return what is expected of everyone given their visits, and each strategy's score besides.

    Parameters
    ----------
    outcome
        (n_people, n_visits).
    scores
        Strategy -> (n_people,).
    times
        Months, (n_visits,).
    baseline
        What else scores read, as numbers, one row a person; None where it is not known.
    weights
        Strategy, or `EVERYONE` -> (n_people,).
    """
    features = None if baseline is None else baseline.to_numpy(dtype=float)
    shared = np.empty((len(outcome), 0))
    if baseline is not None:
        names = [name for name in GROWTH_PREDICTORS if name in baseline]
        shared = center(baseline[names].to_numpy(dtype=float))
    known = {EVERYONE: Predictors(shared)}
    for name, score in scores.items():
        if Candidate(name, 1.0).is_screened:
            own = remove_own_volume(score, outcome[:, 0], features)
            known[name] = Predictors(shared, own)
    return {
        name: expect_outcomes(fit_growth(outcome, times, x.join(), weights[name]), outcome, x)
        for name, x in known.items()
    }


def _align(values: "pd.Series[float]", people: pd.Index) -> Floats:
    return np.asarray(values.reindex(people), dtype=float)


def _align_features(baseline: pd.DataFrame | None, people: pd.Index) -> pd.DataFrame | None:
    return None if baseline is None else baseline.reindex(people)
