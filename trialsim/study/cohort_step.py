"""The step that reads the screened people."""

from cohorts.eligibility import screen_cohort
from reports.store.study import Run
from trialsim.study.durations import estimate_loading
from trialsim.study.engine import Step
from trialsim.study.job import Job


def make_load_step(job: Job) -> Step:
    """Return the step that reads, checks and screens the cohort."""
    section = job.protocol.cohort
    config = {
        "title": job.protocol.study.title,
        "cohort": section.model_dump(mode="json", exclude={"training"}),
    }
    return Step(
        "load",
        lambda run: load(job, run),
        config,
        inputs=[section.path, *job.census.scans],
        estimate=lambda: estimate_loading(job),
    )


def load(job: Job, run: Run) -> None:
    """Read the screened people, leave out who is not eligible, keep the tables of the others."""
    section = job.protocol.cohort
    found = job.load(section.path)
    screening = screen_cohort(found, section.eligibility)
    eligible = screening.eligible
    run.note(
        cohort_name=eligible.name,
        is_synthetic=eligible.is_synthetic,
        rejected=found.rejected.to_dict("records"),
    )
    for table in ("participants", "visits", "volumes"):
        run.write(table, getattr(eligible, table))
    if section.eligibility:
        run.write("screening_flow", screening.flow)
    job.tell(run, [*found.notes, *(f"Left out: {text}" for text in found.rejected["problem"])])
