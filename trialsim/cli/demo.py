"""`trialsim demo`: the whole job on synthetic people, with the bundled model."""

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.recording import QuietOption, SeedOption


def demo(
    folder: Annotated[Path, typer.Argument(help="Where everything goes.")] = Path("demo"),
    people: Annotated[
        int, typer.Option(min=28, help="People predicted from scans, two of whole heads.")
    ] = 30,
    seed: SeedOption = 20260101,
    quiet: QuietOption = False,
) -> None:
    """Show what the tool does: SYNTHETIC people, scans, predictions, power, a report.

    An interrupted demonstration goes on with the same command.

    Example: trialsim demo demo
    """
    from trialsim.protocol import read_protocol
    from trialsim.study.demonstration import write_demonstration
    from trialsim.study.whole import run_protocol

    protocol = write_demonstration(folder, n_people=people, seed=seed, quiet=quiet)
    run_protocol(read_protocol(protocol), command=f"trialsim demo {folder}", quiet=quiet)
    typer.echo("Everybody in this demonstration is SYNTHETIC.")
