"""`trialsim explore`: what if, in the browser."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer


def explore(
    study: Annotated[
        Path | None, typer.Argument(help="The study file; left out, the calculator alone.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port on this machine; 0 for a free one.")
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, open no browser.")
    ] = False,
    identify: Annotated[
        bool, typer.Option("--identify", help="Show the names of people and sites, not numbers.")
    ] = False,
) -> None:
    """Move sliders: what each choice would need, whom it takes, how well it predicts.

    It answers on this machine alone, at an address with a token; the study is only read.

    Example: trialsim explore study.duckdb
    """
    import secrets
    import threading

    from trialsim.explorer.contents import Contents
    from trialsim.explorer.serving import HOST, serve, take_port

    contents = None if study is None else Contents(study, identify)
    taken, token = take_port(port), secrets.token_urlsafe(24)
    address = f"http://{HOST}:{taken.getsockname()[1]}/?token={token}"
    typer.echo(f"Open {address}")
    typer.echo("Ctrl-C ends it.", err=True)
    if not no_browser:
        # one in the terminal gives control back when it is left, and waits for the server till then
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    serve(contents, taken, token)
