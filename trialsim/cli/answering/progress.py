"""How a long job shows itself: sentences and a bar on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from trialsim.study.making import Listener


@contextmanager
def show_progress(*, quiet: bool) -> Iterator["Listener"]:
    """Show on stderr what the block does; give who is to be told."""
    from trialsim.study.making import Listener

    def tell(text: str) -> None:
        if not quiet:
            typer.echo(text, err=True)

    with show_bar(quiet=quiet) as advance:
        yield Listener(tell, advance)


@contextmanager
def show_bar(*, quiet: bool) -> Iterator[Callable[[str, float, float], None]]:
    """Show a bar on stderr; give what takes the name of the work, what is done, what there is."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()]
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=quiet
    ) as bar:
        task = bar.add_task("", visible=False)

        def advance(name: str, done: float, total: float) -> None:
            is_open = done < total
            bar.update(task, description=name, completed=done, total=total, visible=is_open)

        yield advance


@contextmanager
def count_items(name: str, total: int, *, quiet: bool) -> Iterator[Callable[..., None]]:
    """Show a bar on stderr; give what is called after each item, or after some share of one."""
    done = 0.0
    with show_bar(quiet=quiet) as advance:

        def step(amount: float = 1) -> None:
            nonlocal done
            done += amount
            advance(name, done, total)

        yield step
