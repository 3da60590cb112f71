"""`trialsim init`: a commented protocol to start from."""

import shlex
from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write protocol.toml.")] = Path("."),
) -> None:
    """Write a commented protocol.toml to start from; an existing one is kept.

    Example: trialsim init mystudy
    """
    from importlib.resources import files

    from trialsim.errors import DesignError

    path = folder / "protocol.toml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(files("trialsim").joinpath("protocol.toml").read_text(encoding="utf-8"))
    except FileExistsError as error:
        raise DesignError(
            f"{error.filename} is already there: move it, or give another folder."
        ) from error
    except OSError as error:
        raise DesignError(f"{path} could not be written: {error.strerror}.") from error
    typer.echo(path)
    typer.echo(f"Edit it, then: {shlex.join(['trialsim', 'run', str(path)])}", err=True)
