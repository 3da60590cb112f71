"""The step that simulates the trials of each choice."""

import pandas as pd

from cohorts.cohort import Cohort
from reports.store.study import Run
from trialsim.design import TrialDesign
from trialsim.enrichment.features import build_all_features
from trialsim.errors import DesignError
from trialsim.simulation import build_trajectories, compare_strategies
from trialsim.simulation.refitting import build_rescore, widen_scores
from trialsim.study.cohort_step import read_cohort
from trialsim.study.engine import Step
from trialsim.study.job import Job
from trialsim.study.selection_steps import build_screening, list_strategies
from trialsim.study.simulation_timing import estimate_simulation


def make_simulation_step(job: Job, stands_on: list[str]) -> Step:
    """Return the step that finds power, sample size and cost."""
    return Step(
        "simulate",
        lambda run: simulate(job, run),
        job.config("design", "costs", "simulation", "selection.fractions_enrolled"),
        stands_on=stands_on,
        estimate=lambda: estimate_simulation(job.protocol),
    )


def simulate(job: Job, run: Run) -> None:
    """Simulate trials of the people that each strategy enrolls.

    Raises
    ------
    DesignError
        Where the cohort cannot stand for the design's trials.
    """
    cohort, section = read_cohort(run.study, run.read), job.protocol.simulation
    design = job.protocol.design
    try:
        trajectories = build_trajectories(cohort.visits, cohort.volumes, design)
    except DesignError as error:
        raise DesignError(f"No trial was simulated: {' '.join(error.problems)}") from error
    screening = build_screening(job, run)
    scores = widen_scores(run.read("scores"))
    found = compare_strategies(
        trajectories,
        scores.loc[screening.tables.index],
        design,
        job.protocol.costs,
        sample_sizes=section.sample_sizes,
        fractions_enrolled=job.protocol.selection.fractions_enrolled,
        n_simulations=section.n_simulations,
        n_bootstrap=section.n_bootstrap,
        seed=job.protocol.study.seed,
        workers=section.workers,
        baseline=build_all_features(screening.tables),
        normal_people=find_normal_people(cohort, design),
        rescore=build_rescore(list_strategies(job, screening), screening.tables),
        on_progress=lambda done, total, name: job.on_progress(name, done, total),
    )
    for name, table in found.tables.items():
        run.write(name, table)
    job.tell(run, found.notes)


def find_normal_people(cohort: Cohort, design: TrialDesign) -> pd.Index | None:
    """Return the people whose change is normal ageing, those CN at baseline, where it is asked for.

    None where the design takes no normal ageing off, or states it.
    """
    if design.relative_to == "all decline" or design.normal_change_per_year is not None:
        return None
    people = cohort.participants
    normal: pd.Series[str] = people.loc[people["diagnosis"] == "CN", "participant_id"]
    return pd.Index(normal)
