"""The step that simulates the trials of each choice."""

from dataclasses import asdict

from reports.store.study import Run
from trialsim.cli.recording import read_cohort
from trialsim.errors import DesignError
from trialsim.simulation import build_trajectories, compare_strategies
from trialsim.simulation.cohort_power import add_normal_change
from trialsim.simulation.refitting import build_rescore, widen_scores
from trialsim.study.engine import Step
from trialsim.study.job import Job
from trialsim.study.selection_steps import build_screening, list_strategies
from trialsim.study.simulation_timing import estimate_simulation


def make_simulation_step(job: Job, stands_on: list[str]) -> Step:
    """Return the step that finds power, sample size and cost."""
    protocol = job.protocol
    config = {
        "design": protocol.design.to_dict(),
        "costs": asdict(protocol.costs),
        "simulation": protocol.simulation.model_dump(mode="json", exclude={"workers"}),
        "fractions_enrolled": protocol.selection.fractions_enrolled,
    }
    return Step(
        "simulate",
        lambda run: simulate(job, run),
        config,
        stands_on=stands_on,
        estimate=lambda: estimate_simulation(protocol),
    )


def simulate(job: Job, run: Run) -> None:
    """Simulate trials of the people that each strategy enrolls."""
    cohort, section = read_cohort(job.study), job.protocol.simulation
    try:
        trajectories = build_trajectories(cohort.visits, cohort.volumes, job.protocol.design)
    except DesignError as error:
        job.tell(run, [*error.problems, "No trial was simulated."])
        return
    design = add_normal_change(job.protocol.design, cohort, trajectories)
    screening = build_screening(job)
    scores = widen_scores(job.study.read("scores"))
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
        rescore=build_rescore(list_strategies(job, screening), screening.tables),
        on_progress=lambda done, total, name: job.on_progress(name, done, total),
    )
    for name, table in found.tables.items():
        run.write(name, table)
    job.tell(run, found.notes)
