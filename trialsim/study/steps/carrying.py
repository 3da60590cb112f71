"""Whether the data can carry every step and strategy of a protocol, told before anything runs."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cohorts.cohort import Cohort
from cohorts.eligibility import screen_cohort
from cohorts.errors import TrialsimError
from trialsim.comparison.candidates import gather_pool, list_candidates, read_screened
from trialsim.comparison.comparison import add_normal_change
from trialsim.comparison.refitting import widen_scores
from trialsim.enrichment import Strategy, score_people
from trialsim.enrichment.features import build_all_features
from trialsim.enrichment.screening import Screening
from trialsim.study.job import Job
from trialsim.study.steps.archive import load_archive
from trialsim.study.steps.screening import (
    assemble_screening,
    list_strategies,
    read_given_predictions,
)
from trialsim.study.steps.selection import choose_truth, is_judged_on_archive
from trialsim.study.steps.simulation import find_normal_people, find_outcomes


def find_problems(job: Job) -> Iterator[str]:
    """Yield one sentence for each thing that a run would stop at.

    What only a prediction can tell is not among them: its scans are counted, not read.
    """
    try:
        found = job.load(job.protocol.cohort.path)
        cohort = screen_cohort(found, job.protocol.cohort.eligibility).eligible
        predictions = read_given_predictions(job)
        screening = assemble_screening(job, cohort, predictions)
        strategies = list_strategies(job, screening)
    except TrialsimError as error:
        yield from error.problems
        return
    if job.protocol.prediction and not job.census.first_images:
        yield "The protocol asks for predictions, but nobody in the cohort has a scan."
    scores: list[pd.DataFrame] = []
    for strategy in strategies:
        yield from _try_strategy(job, strategy, screening, scores)
    yield from _try_comparison(job, cohort, screening)
    yield from _try_simulation(job, cohort, screening, scores, predictions)


def _try_strategy(
    job: Job, strategy: Strategy, screening: Screening, scores: list[pd.DataFrame]
) -> Iterator[str]:
    """Score people where that takes no prediction that is still to be made."""
    tables = screening.tables
    if "predictions" in strategy.needs and tables.predictions is None and job.protocol.prediction:
        learns = tables if tables.training is None else tables.training
        if "outcome" in strategy.needs and learns.outcome is None:
            yield f"{strategy.name}: nobody's decline is measured, so there is nothing to fit on."
        return
    try:
        scores.append(score_people([strategy], tables, job.rng("scores")))
    except TrialsimError as error:
        yield from error.problems


def _try_comparison(job: Job, cohort: Cohort, screening: Screening) -> Iterator[str]:
    try:
        if is_judged_on_archive(job, screening):
            cohort, screening = load_archive(job, None)
        choose_truth(job, cohort, screening)
    except TrialsimError as error:
        yield from error.problems


def _try_simulation(
    job: Job,
    cohort: Cohort,
    screening: Screening,
    scores: list[pd.DataFrame],
    predictions: pd.DataFrame | None,
) -> Iterator[str]:
    design = job.protocol.design
    if not scores:
        return
    try:
        wide = widen_scores(pd.concat(scores, ignore_index=True))
        source = find_outcomes(job, cohort, screening, wide, predictions)
        screened = read_screened(
            source.trajectories,
            source.scores,
            design,
            baseline=build_all_features(source.tables),
            normal_people=find_normal_people(source.cohort, design),
            stands_for=source.stands_for,
        )
        add_normal_change(design, screened)
        fractions = job.protocol.selection.fractions_enrolled
        for candidate in list_candidates(list(screened.scores), fractions):
            gather_pool(candidate, screened, np.random.default_rng(0))
    except TrialsimError as error:
        yield from (f"No trial can be simulated: {text}" for text in error.problems)
