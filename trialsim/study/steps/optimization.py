"""The step that searches for the design."""

import numpy as np
import pandas as pd

from cohorts.cohort import Cohort
from reports.store.run import Run
from trialsim.analysis.result import Floats
from trialsim.comparison.refitting import widen_scores
from trialsim.enrichment.screening import Screening
from trialsim.errors import DesignError
from trialsim.optimization.ranges import SearchRanges
from trialsim.optimization.representation import list_groups
from trialsim.optimization.search import optimize_design
from trialsim.study.engine import Step
from trialsim.study.job import Job
from trialsim.study.steps.outcomes import Outcomes, find_outcomes
from trialsim.study.steps.screening import recall_screened

_SECONDS: float = 30.0


def make_optimization_step(job: Job, stands_on: list[str]) -> Step:
    """Return the step that finds the designs which nothing beats."""
    return Step(
        "optimize",
        lambda run: optimize(job, run),
        job.config("optimize", "design", "costs", "accrual", "simulation", "cohort.window_months"),
        stands_on=stands_on,
        estimate=lambda: _SECONDS,
    )


def optimize(job: Job, run: Run) -> None:
    """Search for the design.

    Raises
    ------
    DesignError
        Where neither the cohort nor an archive can stand for the trials, or nothing can be
        searched.
    """
    protocol = job.protocol
    cohort, predictions, screening = recall_screened(job, run)
    scores = widen_scores(run.read("scores"))
    try:
        source = find_searched(job, cohort, screening, scores, predictions)
    except DesignError as error:
        raise DesignError(f"No design was searched: {' '.join(error.problems)}") from error
    screened = source.read(protocol.design)
    people = source.scores.index if source.stands_for is None else source.stands_for.scores.index
    found = optimize_design(
        screened,
        protocol.design,
        protocol.trial_costs,
        protocol.optimize or SearchRanges(),
        groups=list_groups(cohort.participants, people),
        columns=read_columns(source),
        accrual=protocol.accrual,
        rescore=source.rescore,
        n_simulations=protocol.simulation.n_simulations,
        n_bootstrap=protocol.simulation.n_bootstrap,
        seed=protocol.study.seed,
        workers=job.workers,
        on_progress=lambda done, total, name: job.on_progress(name, done, total),
    )
    run.write("design_front", found.front)
    run.note(n_designs=found.n_designs)
    job.tell([source.sentence, *found.notes])


def find_searched(
    job: Job,
    cohort: Cohort,
    screening: Screening,
    scores: pd.DataFrame,
    predictions: pd.DataFrame | None,
) -> Outcomes:
    """Return the people whose designs are searched; parameters as in `find_outcomes`.

    Raises
    ------
    DesignError
        As in `find_outcomes`, or nothing is known of anyone.
    """
    source = find_outcomes(job, cohort, screening, scores, predictions)
    if source.kind == "assumed":
        raise DesignError(
            "outcomes that are assumed say nothing of people at baseline, which a search compares."
        )
    return source


def read_columns(source: Outcomes) -> dict[str, Floats]:
    """Return the numbers that are known of people at baseline, by column."""
    table = source.known.reindex(source.scores.index).select_dtypes("number")
    return {str(name): np.asarray(table[name], dtype=float) for name in table}
