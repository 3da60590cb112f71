"""How a command that makes no study of a protocol keeps its people and tables in a study file."""

import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cohorts.cohort import Cohort
from cohorts.eligibility import EligibilityCheck, screen_cohort
from cohorts.files.folder import COHORT_TABLES
from cohorts.sources.loading import load_cohort
from reports.store.provenance import compute_fingerprint
from reports.store.run import Run
from reports.store.study import DESCRIPTION, Study
from trialsim.study.question import add_cohort
from trialsim.study.steps.cohort import read_cohort


def load_screened(cohort: Path | None, study: Path, *, measured_by: str | None = None) -> Cohort:
    """Return the cohort at `cohort`, or the one that the study file holds.

    Parameters
    ----------
    cohort, study
        Where they are.
    measured_by
        The tool whose volumes are kept; all are where left out.

    Raises
    ------
    TrialsimError
        If neither can be read.
    """
    if cohort is not None:
        return load_cohort(cohort, measured_by=measured_by)
    found = read_cohort(Study.open(study, read_only=True))
    return found if measured_by is None else found.select(source=measured_by)


def import_cohort(
    found: Cohort, folder: Path, study: Path, eligibility: Sequence[str] = ()
) -> EligibilityCheck:
    """Screen people, keep their tables in a folder and in a study file.

    Parameters
    ----------
    found
        Everyone.
    folder
        Where the tables of who is eligible go.
    study
        The study file.
    eligibility
        Criteria, in the order in which they are checked.

    Raises
    ------
    TrialsimError
        Where a criterion cannot be checked, or nothing can be written.
    """
    screening = screen_cohort(found, eligibility)
    config = {"eligibility": list(eligibility)}
    # a study that cannot be written is told before the folder is
    with Study.for_a_run(study) as opened, opened.as_only_writer():
        screening.eligible.write(folder, further=screening.tables if eligibility else None)
        eligible = screening.eligible
        with _recorded(opened, config, eligible, inputs=eligible.sources) as run:
            run.write(DESCRIPTION, add_cohort(study, folder))
            if eligibility:
                run.write("screening_flow", screening.flow)
    return screening


@contextmanager
def recorded_run(
    study: Path,
    *,
    config: dict[str, Any],
    cohort: Cohort | None = None,
    keep_people: bool = False,
    seed: int | None = None,
    inputs: Iterable[Path] = (),
) -> Iterator[Run]:
    """Record the running command in the study file; what it writes is kept when the block ends.

    Parameters
    ----------
    study
        The study file.
    config, seed, inputs
        As in `Study.run`.
    cohort
        The people, written first where the study does not hold them yet.
    keep_people
        Whether people whom the study holds stay where `cohort` is about others.
    """
    with Study.for_a_run(study) as opened:
        people = None if keep_people and opened.has("participants") else cohort
        files = [*inputs, *(cohort.sources if cohort is not None else ())]
        with _recorded(opened, config, people, seed=seed, inputs=files) as run:
            yield run


@contextmanager
def _recorded(
    study: Study,
    config: dict[str, Any],
    people: Cohort | None,
    *,
    seed: int | None = None,
    inputs: Iterable[Path],
) -> Iterator[Run]:
    command = shlex.join(["trialsim", *sys.argv[1:]])
    if people is not None:
        _record_cohort(study, people, command)
    with study.run(command=command, config=config, seed=seed, inputs=inputs) as run:
        yield run


def _record_cohort(study: Study, cohort: Cohort, command: str) -> None:
    """Write the cohort's tables into `study`, unless the study already holds just these."""
    tables = {table: getattr(cohort, table) for table in COHORT_TABLES}
    fingerprint = compute_fingerprint(tables)
    current = study.writers().get("participants")
    if current is not None and current == study.find_finished(fingerprint):
        return
    config = {"cohort_name": cohort.name, "is_synthetic": cohort.is_synthetic}
    with study.run(
        command=command, config=config, inputs=cohort.sources, fingerprint=fingerprint
    ) as run:
        for table, frame in tables.items():
            run.write(table, frame)
