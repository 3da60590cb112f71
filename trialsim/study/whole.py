"""A protocol from its first step to its report."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from reports.page.answer import describe_answer
from reports.page.file_formats import ReportFormat
from reports.page.gather import gather_study
from reports.page.writing import write_report
from reports.store.study import Study
from trialsim.analytic.anchors import check_anchors
from trialsim.protocol import Protocol
from trialsim.study.engine import Step, run_steps
from trialsim.study.job import Job, Progress
from trialsim.study.steps import list_steps

STUDY, REPORT = "study.duckdb", "report.html"


def run_protocol(
    protocol: Protocol, *, command: str, as_json: bool = False, quiet: bool = False
) -> None:
    """Do every step that is not current, write the report, print the answer with its paths.

    Raises
    ------
    TrialsimError
        Where a step cannot be done; what was finished stays, and the same command goes on.
    """
    output = protocol.study.output
    output.mkdir(parents=True, exist_ok=True)
    with Study.open(output / STUDY) as study, _show_progress(quiet=quiet) as on_progress:
        job = Job(protocol, study, on_progress)
        steps = list_steps(job)

        def announce(position: int, step: Step, will_run: bool) -> None:
            state = "" if will_run else ": unchanged since the last run"
            _tell(f"[{position + 1}/{len(steps) + 1}] {step.name}{state}", quiet=quiet)

        seed = protocol.study.seed
        for outcome in run_steps(study, steps, command=command, seed=seed, announce=announce):
            for change in outcome.changes:
                _tell(f"      because {change}", quiet=quiet)
        _tell(f"[{len(steps) + 1}/{len(steps) + 1}] report", quiet=quiet)
        report = output / REPORT
        write_report(
            study,
            report,
            report_format=ReportFormat.HTML,
            title=protocol.study.title,
            anchors=check_anchors(),
        )
        for note in job.notes:
            _tell(f"Note: {note}", quiet=quiet)
        _print_answer(study, report, as_json=as_json)


def _print_answer(study: Study, report: Path, *, as_json: bool) -> None:
    answer = describe_answer(gather_study(study))
    if as_json:
        found = {"answer": answer.headline, "details": list(answer.details)}
        paths = {"report": str(report), "study": str(study.path)}
        typer.echo(json.dumps({**found, **paths}, indent=2))
        return
    typer.echo(" ".join([answer.headline, *answer.details]))
    typer.echo(f"Report: {report}")
    typer.echo(f"Study:  {study.path}")


def _tell(text: str, *, quiet: bool) -> None:
    if not quiet:
        typer.echo(text, err=True)


@contextmanager
def _show_progress(*, quiet: bool) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()]
    console = Console(stderr=True)
    with Bar(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=quiet
    ) as bar:
        task = bar.add_task("", visible=False)

        def advance(name: str, done: float, total: float) -> None:
            is_open = done < total
            bar.update(task, description=name, completed=done, total=total, visible=is_open)

        yield advance
