"""The step that reads the screened people."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.eligibility import screen_cohort
from cohorts.files.folder import COHORT_TABLES
from cohorts.volumes.measurement import list_tools, tell_acquisition
from reports.store.places import PATH_COLUMNS, resolve
from reports.store.run import Run
from reports.store.study import Study
from trialsim.study.engine import Step
from trialsim.study.job import Job
from trialsim.study.steps.durations import estimate_loading
from trialsim.study.steps.tools import SCREENED, settle, settle_screened


def make_load_step(job: Job) -> Step:
    """Return the step that reads, checks and screens the cohort."""
    return Step(
        "load",
        lambda run: load(job, run),
        job.config("cohort", without=["cohort.training", "cohort.window_months"]),
        inputs=[*_list_files(job), *job.census.scans],
        estimate=lambda: estimate_loading(job),
    )


def _list_files(job: Job) -> list[Path]:
    section = job.protocol.cohort
    return [path for path in (section.path, section.measured_twice) if path is not None]


def load(job: Job, run: Run) -> None:
    """Read the screened people, leave out who is not eligible, keep the tables of the others."""
    from trialsim.study.steps.prediction import get_workers_ready

    get_workers_ready(job)
    section = job.protocol.cohort
    found = settle_screened(job, job.load(section.path))
    screening = screen_cohort(found, section.eligibility)
    eligible = screening.eligible
    run.note(
        cohort_name=eligible.name,
        is_synthetic=eligible.is_synthetic,
        rejected=found.rejected.to_dict("records"),
    )
    run.write("participants", eligible.participants)
    run.write("visits", eligible.visits)
    run.write("volumes", eligible.numbered_volumes)
    if section.eligibility:
        run.write("screening_flow", screening.flow)
    scanned = tell_acquisition({"screened": eligible})
    job.forget(section.path)
    _keep(job, run, eligible)
    job.tell([*scanned, *found.notes])
    job.tell(f"Left out: {text}" for text in found.rejected["problem"])


_AS_WRITTEN: Final = {"str", "float64", "int64"}
"""Types that a study gives back as they were written."""


def _keep(job: Job, run: Run, people: Cohort) -> None:
    """Hold people for the steps that follow, where these would read the same of the study."""
    tables = [people.participants, people.visits, people.numbered_volumes.others]
    kinds = {str(kind) for table in tables for kind in table.dtypes}
    paths = people.visits[list(PATH_COLUMNS["visits"])]  # are read as absolute ones
    if kinds <= _AS_WRITTEN and paths.isna().all(axis=None):
        job.screen((run.run_id,) * len(COHORT_TABLES), lambda: people)


def recall_cohort(job: Job, run: Run) -> Cohort:
    """Return the screened people as the study holds them, read once for all steps of a job."""
    writers = run.study.writers()
    if not set(COHORT_TABLES) <= set(writers):
        return read_cohort(run.study)  # says what is missing
    own = {table: writers[table] for table in COHORT_TABLES}
    run.parents.update(own)
    return job.screen(tuple(own.values()), lambda: read_cohort(run.study))


def recall_measured(job: Job, run: Run, notes: list[str] | None = None) -> Cohort:
    """Return the screened people with the volumes that were measured in scans that came without.

    The baseline from which a person is scored, weighted and followed is then that from which the
    model predicts, by one tool.

    Parameters
    ----------
    job, run
        The study's work, and the run that reads.
    notes
        Gets what is done to volumes of several tools; nobody is told again when None.

    Raises
    ------
    CohortError
        As `settle`.
    """
    cohort = recall_cohort(job, run)
    if job.protocol.prediction is None or not run.study.has("scan_volumes"):
        return cohort
    measured = run.read("scan_volumes")
    if measured.empty:
        return cohort
    volumes = pd.concat([cohort.volumes, measured], ignore_index=True)
    told = [] if notes is None else notes
    return settle(job.protocol.cohort, told, {SCREENED: replace(cohort, volumes=volumes)})


def recall_comparable(job: Job, run: Run) -> Cohort:
    """Return the screened people with volumes that may be set beside an archive's.

    As `recall_measured`; but volumes that the model measured in scans are left out where the
    archive's were measured otherwise: weights that make one tool's volumes agree with another's
    would mistake the tools' difference for one between people.
    """
    cohort, measured = recall_cohort(job, run), recall_measured(job, run)
    path = job.protocol.cohort.training
    if path is None or measured is cohort:
        return measured
    own, theirs = ({*list_tools(people).index} for people in (measured, job.load(path)))
    return measured if own <= theirs else cohort


def read_cohort(study: Study) -> Cohort:
    """Return the cohort that `study` holds, with its name and its mark as synthetic or real.

    Parameters
    ----------
    study
        That holds the people.
    """
    with study.snapshot():
        participants, visits = map(study.read, ("participants", "visits"))
        volumes = study.read_numbered("volumes")
        runs = study.runs().set_index("run_id")
        run = runs.loc[study.writers()["participants"]]
    config = json.loads(str(run["config"]))
    files = tuple(
        Path(resolve(file["path"], study.folder)) for file in json.loads(str(run["inputs"]))
    )
    return Cohort(
        participants,
        visits,
        volumes.empty(),
        name=str(config.get("cohort_name", "cohort")),
        is_synthetic=bool(config.get("is_synthetic", False)),
        sources=files,
    ).with_volumes(volumes)
