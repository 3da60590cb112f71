"""`trialsim predict`: what the screened people's brains will look like."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.cli.printing import print_table
from trialsim.cli.recording import (
    DEFAULT_STUDY,
    CohortArgument,
    JsonOption,
    QuietOption,
    SeedOption,
    StudyOption,
)

if TYPE_CHECKING:
    import pandas as pd

    from brlp_models.prediction.job import CohortPrediction


class Precision(StrEnum):
    """What the networks multiply in."""

    AUTO = "auto"
    FULL = "full"
    BF16 = "bf16"


class Sampler(StrEnum):
    """The samplers of the latent diffusion."""

    DDIM = "ddim"
    DPM = "dpm-solver++"


def predict(
    cohort: CohortArgument = None,
    model: Annotated[str, typer.Option(help="mini, or the path of a model folder.")] = "mini",
    horizon: Annotated[
        list[float], typer.Option(help="Months after baseline; give it once for each.")
    ] = [24.0],  # noqa: B006
    samples: Annotated[str, typer.Option(help="Draws for each person and horizon, or auto.")] = "8",
    out: Annotated[
        Path, typer.Option(help="Folder of the results; finished people in it are kept.")
    ] = Path("predictions"),
    save_images: Annotated[
        bool,
        typer.Option("--save-images", help="Write predicted scans and maps of uncertainty."),
    ] = False,
    images_only: Annotated[
        bool,
        typer.Option("--images-only", help="Write scans without volumes, to segment elsewhere."),
    ] = False,
    segmentations: Annotated[
        Path | None, typer.Option(help="Folder of your own label maps of the predicted scans.")
    ] = None,
    scan_cache: Annotated[
        Path, typer.Option(help="Folder of preprocessed scans, which predictions share.")
    ] = Path("preprocessed-scans"),
    tolerance_percent: Annotated[
        float, typer.Option(help="Standard error of the hippocampal volume where auto stops.")
    ] = 0.25,
    until_months: Annotated[
        float, typer.Option(help="Latest visit that may be used; 0: the baseline visit alone.")
    ] = 0.0,
    sampler: Annotated[Sampler | None, typer.Option(help="The model's own when left out.")] = None,
    num_inference_steps: Annotated[
        int | None, typer.Option(help="Denoising steps; the model's own when left out.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")] = "cpu",
    precision: Annotated[
        Precision, typer.Option(help="auto multiplies in bf16 where the processor can.")
    ] = Precision.AUTO,
    batch_size: Annotated[
        int | None, typer.Option(help="Draws at once; what memory holds when left out.")
    ] = None,
    memory_gb: Annotated[
        float | None, typer.Option(help="Memory for activations; 4 on a CPU.")
    ] = None,
    study: StudyOption = DEFAULT_STUDY,
    seed: SeedOption = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be predicted, and stop.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Predict each person's scan and regional volumes at later ages, with their uncertainty.

    Only information up to the baseline visit is used. Interrupt it whenever you like: the same
    command goes on with the people who are not finished. The table goes to the study file and,
    with scans and maps, to the --out folder.

    Example: trialsim predict cohort --model mini --horizon 24 --samples 8 --out predictions
    """
    from brlp_models.model.folder import find_model_folder, load_model
    from brlp_models.prediction.archive import list_prediction_images
    from brlp_models.prediction.cohort import predict_cohort
    from brlp_models.prediction.settings import parse_samples
    from trialsim.cli.recording import load_screened, recorded_run

    people = load_screened(cohort, study)
    draws = parse_samples(samples)
    total = len(people.participants) * len(horizon)
    if dry_run:
        typer.echo(
            f"{len(people.participants)} people x {len(horizon)} horizons x {draws} draws "
            f"with {model} on {device} into {out}."
        )
        return
    loaded = load_model(model, device=device, precision=precision.value)
    config = {"model": loaded.model_id, "horizons_months": horizon, "samples": draws}
    weights = [find_model_folder(model)]
    with (
        recorded_run(study, config=config, cohort=people, seed=seed, weights=weights) as run,
        _progress(total, quiet=quiet) as on_progress,
    ):
        found = predict_cohort(
            loaded,
            people,
            horizon,
            draws,
            out=out,
            seed=seed,
            sampler=sampler.value if sampler else None,
            num_inference_steps=num_inference_steps,
            tolerance_percent=tolerance_percent,
            until_months=until_months,
            segmentations=segmentations,
            scan_cache=scan_cache,
            save_images=save_images or images_only,
            measure=not images_only,
            batch_size=batch_size,
            memory_gb=memory_gb,
            on_progress=on_progress,
        )
        run.write("predictions", found.predictions)
        run.write("scan_checks", found.scan_checks)
        images = list_prediction_images(people, out, loaded.model_id, until_months=until_months)
        run.write("prediction_images", images)
    _report(found, as_json=as_json)


@contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Show predictions done with the time left, on stderr; say how to go on when interrupted."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("Predicting"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
            task = bar.add_task("Predicting", total=total)
            yield lambda amount: bar.advance(task, amount)
    except KeyboardInterrupt:
        typer.echo("Interrupted. Finished people are kept: the same command goes on.", err=True)
        raise


def _report(found: "CohortPrediction", *, as_json: bool) -> None:
    for row in found.failures.itertuples():
        typer.echo(f"Not predicted: {row.participant_id}: {row.problem}", err=True)
    warned = found.scan_checks[found.scan_checks["verdict"] == "warn"]
    for row in warned.itertuples():
        typer.echo(f"Warning: {row.participant_id}: {row.reasons}", err=True)
    print_table(_select_columns(found.predictions), as_json=as_json)
    if found.predictions.empty and not found.failures.empty:
        raise typer.Exit(1)


def _select_columns(predictions: "pd.DataFrame") -> "pd.DataFrame":
    columns = [
        "participant_id",
        "horizon_months",
        "region",
        "baseline_volume_mm3",
        "volume_mm3",
        "volume_sd_mm3",
        "n_samples",
    ]
    return predictions[columns]
