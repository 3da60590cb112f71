"""Power of a cohort's strategies, from its tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cohorts.cohort import Cohort
from trialsim.costs import Costs
from trialsim.design import TrialDesign
from trialsim.enrichment import (
    FastProgressorDefinition,
    build_screening_tables,
    build_strategies,
    read_score_strategies,
    score_people,
)
from trialsim.simulation.comparison import Comparison, Progress, compare_strategies
from trialsim.simulation.refitting import build_rescore, widen_scores
from trialsim.simulation.trajectories import build_trajectories, estimate_normal_change


@dataclass(frozen=True)
class PowerQuestion:
    """What is asked of a cohort.

    Attributes
    ----------
    strategies
        Names of built-in strategies.
    score_file
        CSV with further strategies' scores, or None.
    fractions_enrolled, sample_sizes, n_simulations, n_bootstrap, seed, workers
        As in `compare_strategies`.
    """

    strategies: Sequence[str]
    score_file: Path | None
    fractions_enrolled: Sequence[float]
    sample_sizes: Sequence[int]
    n_simulations: int
    n_bootstrap: int
    seed: int
    workers: int | None


def simulate_cohort(
    cohort: Cohort,
    design: TrialDesign,
    costs: Costs,
    question: PowerQuestion,
    *,
    predictions: pd.DataFrame | None = None,
    latent_volumes: pd.DataFrame | None = None,
    on_progress: Progress | None = None,
) -> Comparison:
    """Score the cohort's people, then return what each strategy's choice of them buys.

    Parameters
    ----------
    predictions
        Table of `cohorts.schema`, for the strategies that need it.
    latent_volumes
        The noise-free truth of a synthetic cohort, for the oracle.

    Raises
    ------
    DesignError
        One sentence for each part of the question that the cohort cannot answer.
    """
    trajectories = build_trajectories(cohort.visits, cohort.volumes, design)
    design = add_normal_change(design, cohort, trajectories)
    definition = FastProgressorDefinition(unit="mm3", horizon_months=design.duration_months)
    screening = build_screening_tables(
        cohort,
        definition,
        region=design.endpoint,
        latent_volumes=latent_volumes,
        predictions=predictions,
    )
    tables = screening.tables
    given = read_score_strategies(question.score_file, tables.index) if question.score_file else []
    strategies = [*build_strategies(question.strategies), *given]
    scores = widen_scores(
        score_people(strategies, tables, np.random.default_rng([question.seed, 1]))
    )
    return compare_strategies(
        trajectories,
        scores.loc[tables.index],
        design,
        costs,
        sample_sizes=question.sample_sizes,
        fractions_enrolled=question.fractions_enrolled,
        n_simulations=question.n_simulations,
        n_bootstrap=question.n_bootstrap,
        seed=question.seed,
        workers=question.workers,
        rescore=build_rescore(strategies, tables),
        on_progress=on_progress,
    )


def add_normal_change(
    design: TrialDesign, cohort: Cohort, trajectories: pd.DataFrame
) -> TrialDesign:
    """Return the design with the cohort's own normal ageing where the design takes it off.

    It is the mean change of the people who are CN at baseline, unless the design states it.

    Raises
    ------
    DesignError
        Too few people who are CN at baseline have follow-up.
    """
    if design.relative_to == "all decline" or design.normal_change_per_year is not None:
        return design
    people = cohort.participants
    normal = people.loc[people["diagnosis"] == "CN", "participant_id"]
    change = estimate_normal_change(trajectories.loc[trajectories.index.isin(normal)], design)
    return design.change(normal_change_per_year=change)
