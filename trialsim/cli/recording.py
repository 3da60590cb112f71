"""How the commands share one study: the cohort they read, the run they write."""

import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cohorts.cohort import Cohort
    from reports.store.study import Run, Study

CohortArgument = Annotated[
    Path | None,
    typer.Argument(
        help="A cohort folder, BIDS dataset or table; left out, the study's own cohort."
    ),
]
StudyOption = Annotated[Path, typer.Option("--study", help="The study file to read and write.")]
SeedOption = Annotated[int, typer.Option("--seed", help="The seed of everything random.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
OutputOption = Annotated[Path | None, typer.Option(help="Folder for tables (CSV) and figures.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Say nothing but the result.")]

DEFAULT_STUDY = Path("study.duckdb")


def load_screened(cohort: Path | None, study: Path) -> "Cohort":
    """Return the cohort at `cohort`, or the one that the study file holds.

    Raises
    ------
    TrialsimError
        If neither can be read.
    """
    if cohort is not None:
        from cohorts.sources.loading import load_cohort

        return load_cohort(cohort)
    from reports.store.study import Study
    from trialsim.study.cohort_step import read_cohort

    return read_cohort(Study.open(study, read_only=True))


@contextmanager
def recorded_run(
    study: Path,
    *,
    config: dict[str, Any],
    cohort: "Cohort | None" = None,
    seed: int | None = None,
    inputs: Iterable[Path] = (),
    weights: Iterable[Path] = (),
) -> Iterator["Run"]:
    """Record the running command in the study file; what it writes is kept when the block ends.

    A `cohort` that the study does not hold yet is written first, so that later commands find it.
    """
    from reports.store.study import Study

    with Study.open(study) as opened:
        if cohort is not None:
            record_cohort(opened, cohort)
        command = shlex.join(["trialsim", *sys.argv[1:]])
        files = [*inputs, *(cohort.sources if cohort is not None else ())]
        with opened.run(
            command=command, config=config, seed=seed, inputs=files, weights=weights
        ) as run:
            yield run


def record_cohort(study: "Study", cohort: "Cohort") -> None:
    """Write the cohort's tables into `study`, unless the study already holds just these."""
    from reports.store.provenance import compute_fingerprint

    tables = {table: getattr(cohort, table) for table in ("participants", "visits", "volumes")}
    fingerprint = compute_fingerprint(tables)
    current = _cohort_run(study)
    if current is not None and current == study.find_finished(fingerprint):
        return
    config = {"cohort_name": cohort.name, "is_synthetic": cohort.is_synthetic}
    with study.run(
        command=shlex.join(["trialsim", *sys.argv[1:]]),
        config=config,
        inputs=cohort.sources,
        fingerprint=fingerprint,
    ) as run:
        for table, frame in tables.items():
            run.write(table, frame)


def _cohort_run(study: "Study") -> str | None:
    written = study.tables()
    rows = written.loc[written["table_name"] == "participants", "run_id"]
    return None if rows.empty else str(rows.iloc[0])
