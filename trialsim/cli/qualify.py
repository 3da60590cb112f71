"""`trialsim qualify`: whether this installation computes what it should."""

from pathlib import Path
from typing import Annotated

import typer


def qualify(
    out: Annotated[
        Path,
        typer.Option(
            "--out", "--output", help="The document; its ending names the format, as of a report."
        ),
    ] = Path("qualification.html"),
) -> None:
    """Write the document that says whether this installation computes what it should.

    The exit code is 1 where it does not.

    Example: trialsim qualify --out qualification.html
    """
    from datetime import UTC, datetime

    from cohorts.files.atomic import write_file
    from reports.page.file_formats import ReportFormat
    from reports.page.writing import render_page
    from trialsim.study.installation.qualification import compose_qualification

    chosen = ReportFormat.of(out)
    page = compose_qualification(datetime.now(UTC))
    typer.echo(write_file(out, render_page(page, chosen, figures="")))
    typer.echo(page.answer.headline, err=True)
    if "NOT" in page.answer.headline:
        raise typer.Exit(1)
