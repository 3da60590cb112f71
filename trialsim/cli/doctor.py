"""`trialsim doctor`: what keeps it from running here."""

from typing import Annotated

import typer

from trialsim.cli.answering.printing import print_table


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Look at this installation: packages, extras, threads, memory, disk, GPU; exit 1 if any fails.

    Example: trialsim doctor
    """
    from trialsim.study.installation.examination import examine_installation

    found = examine_installation()
    print_table(found, as_json=as_json, widest=None)
    if (found["verdict"] == "problem").any():
        raise typer.Exit(1)
