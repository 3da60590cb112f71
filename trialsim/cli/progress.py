"""How a long job shows itself: sentences and a bar on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from trialsim.study.making import Listener


@contextmanager
def show_progress(*, quiet: bool) -> Iterator["Listener"]:
    """Show on stderr what the block does; give who is to be told."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    from trialsim.study.making import Listener

    columns = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()]
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=quiet
    ) as bar:
        task = bar.add_task("", visible=False)

        def advance(name: str, done: float, total: float) -> None:
            is_open = done < total
            bar.update(task, description=name, completed=done, total=total, visible=is_open)

        def tell(text: str) -> None:
            if not quiet:
                typer.echo(text, err=True)

        yield Listener(tell, advance)
