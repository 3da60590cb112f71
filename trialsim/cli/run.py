"""`trialsim run`: the whole job of a protocol, resumable at any moment."""

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.recording import JsonOption, QuietOption


def run(
    protocol: Annotated[Path, typer.Argument(help="The protocol; `trialsim init` writes one.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="key=value in place of the protocol's, or key=none; repeatable."
        ),
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
    from trialsim.protocol import read_protocol
    from trialsim.study.plan import describe_plan
    from trialsim.study.whole import run_protocol

    question = read_protocol(protocol, settings or [])
    if dry_run:
        typer.echo(describe_plan(question, as_json=as_json))
        return
    words = ["trialsim run", str(protocol), *(f"--set {setting}" for setting in settings or [])]
    run_protocol(question, command=" ".join(words), as_json=as_json, quiet=quiet)
