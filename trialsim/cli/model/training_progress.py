"""The progress bars of a training, on stderr."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def show_training(*, quiet: bool) -> Iterator[Callable[[str, int, int, Mapping[str, float]], None]]:
    """Yield what a training reports its steps to."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} {task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bars:
        tasks: dict[str, int] = {}

        def report(stage: str, step: int, steps: int, metrics: Mapping[str, float]) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=steps, loss="")
            loss = f"loss {metrics['loss']:.4f}" if "loss" in metrics else ""
            bars.update(tasks[stage], completed=step + 1, total=steps, loss=loss)  # type: ignore[arg-type]

        yield report
