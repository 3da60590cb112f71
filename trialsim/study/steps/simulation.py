"""The step that simulates the trials of each choice."""

from cohorts.errors import CohortError
from cohorts.schema import validate_table
from reports.store.run import Run
from trialsim.comparison import compare_strategies
from trialsim.comparison.enrollment import tabulate_accrual
from trialsim.comparison.refitting import widen_scores
from trialsim.errors import DesignError
from trialsim.study.engine import Step
from trialsim.study.job import Job
from trialsim.study.steps.outcomes import find_outcomes
from trialsim.study.steps.screening import recall_screened
from trialsim.study.steps.simulation_timing import estimate_simulation


def make_simulation_step(job: Job, stands_on: list[str]) -> Step:
    """Return the step that finds power, sample size and cost."""
    return Step(
        "simulate",
        lambda run: simulate(job, run),
        job.config(
            "design",
            "costs",
            "accrual",
            "simulation",
            "selection.fractions_enrolled",
            "cohort.window_months",
        ),
        stands_on=stands_on,
        estimate=lambda: estimate_simulation(job.protocol),
    )


def simulate(job: Job, run: Run) -> None:
    """Simulate trials of the people that each strategy enrolls.

    Raises
    ------
    DesignError
        Where neither the cohort nor an archive can stand for the design's trials.
    """
    section = job.protocol.simulation
    cohort, predictions, screening = recall_screened(job, run)
    try:
        source = find_outcomes(
            job, cohort, screening, widen_scores(run.read("scores")), predictions
        )
        # simulating takes the memory of millions of visits that it does not look at
        del cohort, predictions, screening
        job.forget_screened()
        found = compare_strategies(
            source.trajectories,
            source.scores,
            job.protocol.design,
            job.protocol.trial_costs,
            sample_sizes=section.sample_sizes,
            fractions_enrolled=job.protocol.selection.fractions_enrolled,
            n_simulations=section.n_simulations,
            n_bootstrap=0 if source.kind == "assumed" else section.n_bootstrap,
            seed=job.protocol.study.seed,
            workers=job.workers,
            baseline=source.baseline,
            normal_people=source.normal_people,
            stands_for=source.stands_for,
            error_covariance=source.error_covariance,
            rescore=source.rescore,
            on_progress=lambda done, total, name: job.on_progress(name, done, total),
        )
    except (CohortError, DesignError) as error:
        raise DesignError(f"No trial was simulated: {' '.join(error.problems)}") from error
    for name, table in found.tables.items():
        run.write(name, table)
    if job.protocol.accrual is not None:
        sizes = (found.tables["sample_sizes"], found.tables["proposed_sizes"])
        duration = job.protocol.design.duration_months
        table = tabulate_accrual(*sizes, job.protocol.accrual, duration)
        run.write("accrual", validate_table(table, "accrual"))
    run.note(outcomes=source.kind)
    job.tell([source.sentence, *found.notes])
