"""`trialsim train`: a model of one's own."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.recording import MeasuredByOption


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
    from trialsim.cli.model.training_progress import show_training

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
