"""`trialsim model demonstration-archive`: people whom the bundled model has predicted already."""

from pathlib import Path
from typing import Annotated

import typer


def demonstration_archive(
    folder: Annotated[Path, typer.Argument(help="The cohort folder to write.")],
    people: Annotated[
        int | None, typer.Option(min=1, help="The first so many; all when left out.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Make the SYNTHETIC archive of `trialsim demo` and its predictions again.

    It takes 7 to 12 seconds of processor a person; the same command goes on where it stopped.

    Example: trialsim model demonstration-archive archive --people 3
    """
    from brlp_models.demonstration.archive import N_PEOPLE, make_archive

    predictions = make_archive(folder, range(people or N_PEOPLE), workers=workers)
    typer.echo(f"{folder}: {len(predictions)} SYNTHETIC people.")
