"""`trialsim model calibrate`: intervals of predicted volumes that hold the truth."""

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.answering.progress import count_items
from trialsim.cli.asking.recording import HorizonsOption, MeasuredByOption, QuietOption, SeedOption


def calibrate(
    model: Annotated[str, typer.Argument(help="mini, the bundled model, or a model folder.")],
    on: Annotated[
        Path,
        typer.Option(help="Cohort with scans and later volumes, of people who judge nothing else."),
    ],
    out: Annotated[Path, typer.Option("--out", "--output", help="The model folder to write.")],
    horizon: HorizonsOption = [24.0, 48.0],  # noqa: B006
    samples: Annotated[int, typer.Option(min=2, help="Draws for each person and horizon.")] = 4,
    gain: Annotated[
        bool,
        typer.Option(
            help="Estimate also the share of a true change that predicted scans show, with its "
            "interval; leave it out for people of anatomies that training read.",
        ),
    ] = True,
    shown_weight: Annotated[
        bool,
        typer.Option(
            help="Weigh the change that predicted scans show with the one that their context is "
            "told, as comes nearest to what became of these people.",
        ),
    ] = True,
    guidance: Annotated[
        list[float] | None,
        typer.Option(
            min=0,
            max=100,
            help="Weights of the context (1: the network's own answer), of which the one that "
            "ranks these people best is taken, where it is surely better; give it once for each. "
            "Only for networks trained with context dropout.",
        ),
    ] = None,
    context_from: Annotated[
        Path | None,
        typer.Option(
            help="image_regression, or the folder of a baseline that expects a change: it tells "
            "the context, as it will where the copy predicts."
        ),
    ] = None,
    measured_by: MeasuredByOption = None,
    seed: SeedOption = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")] = "cpu",
    quiet: QuietOption = False,
) -> None:
    """Measure on other people what the draws leave out of a prediction's error; keep it in a copy.

    The auxiliary model and the segmenter err alike in every draw, so the spread of the draws alone
    is too narrow an interval. The copy's `volume_sd_mm3` has that error in it. Predicted changes
    are divided by the share of a true change that predicted scans of these people show; a region
    whose share may be under 0.3 is left out of the copy. They are then weighed with the changes
    that the context is told, as these people say what a scan adds to those and what is its own
    error. The same command goes on where it was interrupted. With `--guidance`, how much the
    context weighs is chosen before all of this.

    Example: trialsim model calibrate mini --on training_cohort --out calibrated
    """
    from brlp_models.evaluation.calibration.calibrated_copy import (
        CalibrationSettings,
        write_calibrated_copy,
    )

    copied = write_calibrated_copy(
        model,
        on,
        out,
        CalibrationSettings(
            horizons_months=tuple(horizon),
            samples=samples,
            gain=gain,
            shown_weight=shown_weight,
            guidance=tuple(guidance or ()),
            seed=seed,
        ),
        context_from=context_from,
        measured_by=measured_by,
        device=device,
        note=lambda text: typer.echo(text, err=True),
        report=typer.echo,
        watch=lambda total: count_items("predicting", total, quiet=quiet),
    )
    typer.echo(f"{copied.model_id} was written to {out}.")
