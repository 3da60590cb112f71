"""`trialsim train`: a model of one's own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.asking.recording import MeasuredByOption


class TrainingStage(StrEnum):
    """The stages of a training, in their order."""

    SEGMENTER = "segmenter"
    AUTOENCODER = "autoencoder"
    DIFFUSION = "diffusion"
    CONTROLNET = "controlnet"
    REFINER = "refiner"
    AUXILIARY = "auxiliary"
    ALL = "all"


def train(
    stage: Annotated[TrainingStage, typer.Argument(help="What to train.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Cohort with scans and segmentations; none: the recipe's people."),
    ] = None,
    measured_by: MeasuredByOption = None,
    label_maps: Annotated[
        Path | None,
        typer.Option(help="Folder of label maps (SynthSeg or FreeSurfer codes)."),
    ] = None,
    config: Annotated[str, typer.Option(help="mini, official, or a recipe in TOML.")] = "mini",
    out: Annotated[
        Path, typer.Option(help="Folder of the training; what is finished in it is kept.")
    ] = Path("training"),
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but the result.")] = False,
) -> None:
    """Train the networks of a model folder, stage by stage, or all of them.

    Interrupt it whenever you like: the same command goes on from the last checkpoint, with the
    weights that an uninterrupted run has. Start it with `accelerate launch` for several devices.

    Example: trialsim train all --config mini --label-maps label_maps --out training
    """
    from brlp_models.training.recipe import load_recipe
    from brlp_models.training.session import TrainingSession

    recipe = load_recipe(config)
    with show_training(quiet=quiet) as report:
        session = TrainingSession(
            recipe,
            out,
            data=data,
            measured_by=measured_by,
            label_maps=label_maps,
            report=report,
        )
        written = session.run(stage.value)
    typer.echo(written)


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
