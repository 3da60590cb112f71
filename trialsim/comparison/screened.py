"""Who was screened: outcomes, scores by each strategy, what is expected of everyone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohorts.keys import has_repeated, is_among, locate_rows, order_by_name
from cohorts.sources.columns import name_volume_column
from trialsim.analysis.result import Flags, Floats
from trialsim.comparison.archive import ScreenedPeople, Target, build_target, take_start
from trialsim.comparison.candidates import EVERYONE, Candidate
from trialsim.design import TrialDesign
from trialsim.enrichment.strategies.features import GROWTH_PREDICTORS
from trialsim.errors import DesignError
from trialsim.simulation.expectations import (
    ExpectedOutcomes,
    Predictors,
    expect_outcomes,
    expect_predicted,
)
from trialsim.simulation.growth import fit_growth
from trialsim.simulation.own_volume import center, remove_own_volume
from trialsim.simulation.trajectories import convert_unit


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

    @cached_property
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
    """Return the screened people, everyone who has a row of scores, in order of their names.

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
    scores = order_by_name(scores)
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
        None if normal_people is None else is_among(scores.index.to_series(), normal_people),
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
