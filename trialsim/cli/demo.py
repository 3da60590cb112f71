"""`trialsim demo`: the whole job on synthetic people, with the bundled model."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.asking.recording import QuietOption, SeedOption
from trialsim.defaults import SEED


def demo(
    folder: Annotated[Path, typer.Argument(help="Where everything goes.")] = Path("demo"),
    people: Annotated[int, typer.Option(min=20, help="People screened, each with a scan.")] = 40,
    seed: SeedOption = SEED,
    quiet: QuietOption = False,
) -> None:
    """Show what the tool does: SYNTHETIC people, scans, predictions, power, a report.

    The people screened have a scan and no follow-up, as in life; an archive of 300 others, whom the
    bundled model has predicted already, stands for their future. At the end the answer is compared
    with what truly becomes of those who were screened. Scans tell more of the future here than in
    life, so that what reads them can be seen to help. An interrupted demonstration goes on with the
    same command.

    Example: trialsim demo demo
    """
    from brlp_models.demonstration import N_WORKERS, PEOPLE
    from trialsim.workers.processes import Processes

    if not folder.exists():
        # before this process has imported what it needs itself
        Processes(N_WORKERS).get_ready(PEOPLE)

    from trialsim.cli.answering.printing import print_answer
    from trialsim.cli.answering.progress import show_progress
    from trialsim.study.demonstration import hold_folder, reveal, write_demonstration
    from trialsim.study.making import run_protocol
    from trialsim.study.question import read_protocol

    words = ["trialsim", "demo", str(folder), "--people", str(people), "--seed", str(seed)]
    with hold_folder(folder), show_progress(quiet=quiet) as listener:
        protocol = write_demonstration(folder, n_people=people, seed=seed, listener=listener)
        result = run_protocol(read_protocol(protocol), command=shlex.join(words), listener=listener)
        found = reveal(folder, result, seed=seed, listener=listener)
    print_answer(result)
    typer.echo(str(found))
    typer.echo(
        "Everybody in this demonstration is SYNTHETIC, and scans tell more of the future here than "
        "in life."
    )
