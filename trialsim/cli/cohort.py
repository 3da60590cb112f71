"""The commands under `trialsim cohort`."""

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def cohort() -> None:
    """Say whom you screen, then see whether their data is sound."""
