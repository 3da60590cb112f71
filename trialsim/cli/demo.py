"""`trialsim demo`: the whole job on synthetic people, with the bundled model."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.asking.recording import QuietOption


def demo(
    folder: Annotated[Path, typer.Argument(help="Where everything goes.")] = Path("demo"),
    people: Annotated[
        int, typer.Option(min=28, help="People predicted from scans, two of whole heads.")
    ] = 30,
    seed: Annotated[int, typer.Option(help="The seed of everything random.")] = 20260101,
    quiet: QuietOption = False,
) -> None:
    """Show what the tool does: SYNTHETIC people, scans, predictions, power, a report.

    An interrupted demonstration goes on with the same command.

    Example: trialsim demo demo
    """
    from trialsim.cli.answering.printing import print_answer
    from trialsim.cli.answering.progress import show_progress
    from trialsim.study.demonstration import write_demonstration
    from trialsim.study.making import run_protocol
    from trialsim.study.question import read_protocol

    words = ["trialsim", "demo", str(folder), "--people", str(people), "--seed", str(seed)]
    with show_progress(quiet=quiet) as listener:
        protocol = write_demonstration(folder, n_people=people, seed=seed, tell=listener.tell)
        result = run_protocol(read_protocol(protocol), command=shlex.join(words), listener=listener)
    print_answer(result)
    typer.echo("Everybody in this demonstration is SYNTHETIC.")
