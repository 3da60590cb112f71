"""The step that simulates the trials of each choice."""

from cohorts.errors import CohortError
from cohorts.schema import validate_table
from reports.store.run import Run
from trialsim.comparison.comparison import compare_screened
from trialsim.comparison.refitting import widen_scores
from trialsim.errors import DesignError
from trialsim.simulation.trials import check_sizes
from trialsim.study.engine import Step
from trialsim.study.job import Job
from trialsim.study.memory import hand_back_memory
from trialsim.study.steps.outcomes import find_outcomes
from trialsim.study.steps.screening import recall_screened
from trialsim.study.steps.simulation_timing import estimate_simulation


def make_simulation_step(job: Job, stands_on: list[str]) -> Step:
    """Return the step that finds power, sample size and cost.

    Raises
    ------
    DesignError
        Sample sizes that no trial can have: scans are not predicted for hours before they are told.
    """
    design, sizes = job.protocol.design, job.protocol.simulation.sample_sizes
    try:
        check_sizes([design.split(n) for n in sorted(set(sizes))])
    except DesignError as error:
        raise DesignError(
            *(f"Protocol, simulation.sample_sizes: {text}" for text in error.problems)
        ) from error
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
    section, design = job.protocol.simulation, job.protocol.design
    cohort, predictions, screening = recall_screened(job, run)
    try:
        source = find_outcomes(
            job, cohort, screening, widen_scores(run.read_numbered("scores")), predictions
        )
        # simulating takes the memory of tables and of millions of visits that it does not look at
        del cohort, predictions, screening
        job.forget_screened()
        screened = source.read(design)
        kind, sentence, rescore = source.kind, source.sentence, source.rescore
        del source
        hand_back_memory()
        found = compare_screened(
            screened,
            design,
            job.protocol.trial_costs,
            sample_sizes=section.sample_sizes,
            fractions_enrolled=job.protocol.selection.fractions_enrolled,
            n_simulations=section.n_simulations,
            n_bootstrap=0 if kind == "assumed" else section.n_bootstrap,
            seed=job.protocol.study.seed,
            workers=job.workers,
            rescore=rescore,
            on_progress=lambda done, total, name: job.on_progress(name, done, total),
        )
    except (CohortError, DesignError) as error:
        raise DesignError(f"No trial was simulated: {' '.join(error.problems)}") from error
    for name, table in found.tables.items():
        run.write(name, table)
    if job.protocol.accrual is not None:
        # the distributions of SciPy take half a second to load
        from trialsim.comparison.enrollment import tabulate_accrual

        sizes = (found.tables["sample_sizes"], found.tables["proposed_sizes"])
        table = tabulate_accrual(*sizes, job.protocol.accrual, design.duration_months)
        run.write("accrual", validate_table(table, "accrual"))
    run.note(outcomes=kind)
    job.tell([sentence, *found.notes])
