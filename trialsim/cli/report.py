"""`trialsim report`: the page for the team and the reviewers."""

from pathlib import Path
from typing import Annotated

import typer

from cohorts.counting import tally
from reports.page.file_formats import ReportFormat
from trialsim.cli.asking.recording import DEFAULT_STUDY


def report(
    study: Annotated[Path, typer.Argument(help="The study file.")] = DEFAULT_STUDY,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "--output", help="The file to write; by default report, ended by --format."
        ),
    ] = None,
    report_format: Annotated[
        ReportFormat | None,
        typer.Option("--format", help="The format; by default the ending of --out, else html."),
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="The title; by default that of the protocol.")
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(help="A folder for each figure as SVG and PNG, with its data as CSV."),
    ] = None,
    list_people: Annotated[
        int,
        typer.Option(min=0, help="Name the first N selected people; needs --identify."),
    ] = 0,
    identify: Annotated[
        bool,
        typer.Option("--identify", help="Show ids, sites and paths: for internal use only."),
    ] = False,
    smallest_cell: Annotated[
        int, typer.Option(min=1, help="Hide counts of fewer people than this.")
    ] = 5,
) -> None:
    """Write the page of a study: the answer, then everything a reviewer needs to check it.

    Example: trialsim report study.duckdb --out report.html
    """
    from reports.page.privacy import Privacy
    from trialsim.study.result import StudyResult

    chosen = report_format or ReportFormat.of(out or Path())
    written = StudyResult(study).report(
        out or Path(f"report.{chosen.value}"),
        report_format=chosen,
        title=title,
        n_listed=list_people,
        figures=figures,
        privacy=Privacy(identify, smallest_cell),
    )
    typer.echo(written[0])
    if len(written) > 1:
        typer.echo(
            f"{tally(len(written) - 1, 'files')} of figures in {written[1].parent}", err=True
        )
