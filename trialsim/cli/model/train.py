"""`trialsim train`: a model of one's own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.asking.options import refuse_typed, require_months
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
    BASELINE = "baseline"


class BaselineChoice(StrEnum):
    """The baselines that can be fitted, see `brlp_models.baselines`."""

    ELASTIC_NET = "elastic_net"
    IMAGE_REGRESSION = "image_regression"
    LATENT_REGRESSION = "latent_regression"
    CNN_REGRESSION = "cnn_regression"
    DEFORMATION = "deformation"
    AG_LDM = "ag_ldm"
    FLOW_MATCHING = "flow_matching"


def train(
    context: typer.Context,
    stage: Annotated[TrainingStage, typer.Argument(help="What to train.")],
    name: Annotated[
        BaselineChoice | None,
        typer.Argument(help="Which baseline; for `train baseline` alone.", show_default=False),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Cohort with scans and segmentations; none: the recipe's people."),
    ] = None,
    measured_by: MeasuredByOption = None,
    label_maps: Annotated[
        Path | None,
        typer.Option(help="Folder of label maps (SynthSeg or FreeSurfer codes)."),
    ] = None,
    config: Annotated[
        str, typer.Option(help="mini, told, refined, official, or a recipe in TOML.")
    ] = "mini",
    archive: Annotated[
        Path | None,
        typer.Option(help="For a baseline: people that its regression on the table is fitted on."),
    ] = None,
    horizon: Annotated[
        list[float],
        typer.Option(
            callback=require_months, help="For a baseline: months after baseline; once for each."
        ),
    ] = [24.0, 48.0],  # noqa: B006
    model: Annotated[
        str, typer.Option(help="For a baseline: the model on whose grid scans are read.")
    ] = "mini",
    out: Annotated[
        Path,
        typer.Option(
            "--out", "--output", help="Folder of the training; what is finished in it is kept."
        ),
    ] = Path("training"),
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but the result.")] = False,
) -> None:
    """Train the networks of a model folder, stage by stage, or all of them.

    Interrupt it whenever you like: the same command goes on from the last checkpoint, with the
    weights that an uninterrupted run has. Start it with `accelerate launch` for several devices.

    `train baseline NAME` fits a predictor that BrLP must be better than, on the people of --data:
    elastic_net on regional volumes; image_regression on the table and the brightness of the
    baseline scan; latent_regression on the table and its latent; cnn_regression on the table and
    what a network reads in the whole scan. On pairs of scans, to make the image of a later visit:
    deformation; ag_ldm, latent diffusion without a ControlNet; flow_matching, of latents, from the
    last scan. mrextrap needs no training.

    Example: trialsim train all --config mini --label-maps label_maps --out training
    Example: trialsim train baseline image_regression --data archive --out image_regression
    """
    from brlp_models.training.loop import is_first_process
    from brlp_models.training.recipe import load_recipe
    from brlp_models.training.session import TrainingSession
    from trialsim.cli.answering.progress import show_bar
    from trialsim.errors import DesignError
    from trialsim.study.baselines import train_baseline

    if stage is TrainingStage.BASELINE:
        if name is None or data is None:
            raise DesignError(
                f"Say which baseline ({', '.join(BaselineChoice)}), and whom it learns from: "
                "`trialsim train baseline image_regression --data archive`."
            )
        refuse_typed(
            context, "config", "label_maps", reason="for networks, not for a baseline; leave it out"
        )
        with show_bar(quiet=quiet) as advance:
            train_baseline(
                name.value,
                data,
                out,
                archive=archive,
                horizons_months=horizon,
                model=model,
                measured_by=measured_by,
                report=advance,
            )
        typer.echo(out)
        return
    if name is not None:
        raise DesignError(f"{name.value} is a baseline: `trialsim train baseline {name.value}`.")
    refuse_typed(
        context, "archive", "horizon", "model", reason="for `train baseline` alone; leave it out"
    )
    recipe = load_recipe(config)
    # of several processes, one tells how far all are
    speaks = is_first_process()
    with show_training(quiet=quiet or not speaks) as report:
        session = TrainingSession(
            recipe,
            out,
            data=data,
            measured_by=measured_by,
            label_maps=label_maps,
            report=report,
        )
        written = session.run(stage.value)
    if speaks:
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
