"""`trialsim view`: one person's scans in the browser."""

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.asking.recording import DEFAULT_STUDY


def view(
    person: Annotated[str, typer.Argument(help="The participant_id.")],
    study: Annotated[Path, typer.Option(help="The study file.")] = DEFAULT_STUDY,
    out: Annotated[Path, typer.Option("--out", "--output", help="The page to write.")] = Path(
        "scans.html"
    ),
    identify: Annotated[
        bool, typer.Option("--identify", help="Name the person on the page.")
    ] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page.")] = False,
) -> None:
    """Write a page with a person's baseline, predicted scans, difference and uncertainty.

    The page is one file that works without a network and asks nothing of anybody.

    Example: trialsim view sub-001 --out scans.html
    """
    import webbrowser

    from trialsim.study.result import StudyResult
    from trialsim.study.writing.viewing import write_viewer

    written = write_viewer(StudyResult(study), person, out, identify=identify)
    typer.echo(written)
    if open_browser:
        webbrowser.open(written.absolute().as_uri())
