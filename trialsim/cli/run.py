"""`trialsim run`: the whole job of a protocol, resumable at any moment."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.asking.recording import JsonOption, QuietOption


def run(
    protocol: Annotated[Path, typer.Argument(help="The protocol; `trialsim init` writes one.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="key=value in place of the protocol's, or key=none; repeatable."
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Workers elsewhere: local, tcp://host:port of Dask, or a TOML file."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the resolved protocol, the steps, the time.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Answer a protocol's question: predict, choose, simulate, report.

    Steps whose inputs have not changed are skipped, so the same command goes on after an interrupt.

    Example: trialsim run protocol.toml --set simulation.n_simulations=500
    """
    from trialsim.cli.answering.printing import print_answer, print_plan
    from trialsim.cli.answering.progress import show_progress
    from trialsim.study.making import run_protocol
    from trialsim.study.planning import plan_study
    from trialsim.study.question import read_protocol

    settings = [*(settings or []), *([f"compute.cluster={cluster}"] if cluster else [])]
    question = read_protocol(protocol, settings)
    if dry_run:
        print_plan(plan_study(question), as_json=as_json)
        return
    words = ["trialsim", "run", str(protocol)]
    words += [word for setting in settings for word in ("--set", setting)]
    with show_progress(quiet=quiet) as listener:
        result = run_protocol(question, command=shlex.join(words), listener=listener)
    print_answer(result, as_json=as_json)
