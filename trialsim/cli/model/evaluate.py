"""`trialsim evaluate`: how well a model predicts the people of a cohort."""

from pathlib import Path
from typing import Annotated

import typer

from cohorts.counting import tally
from trialsim.cli.asking.recording import (
    HorizonsOption,
    JsonOption,
    MeasuredByOption,
    QuietOption,
    SeedOption,
)


def evaluate(
    cohort: Annotated[Path, typer.Argument(help="People with scans and later volumes.")],
    model: Annotated[str, typer.Option(help="mini, or the path of a model folder.")] = "mini",
    out: Annotated[
        Path, typer.Option("--out", "--output", help="Folder of the tables and figures.")
    ] = Path("evaluation"),
    horizon: HorizonsOption = [24.0, 48.0],  # noqa: B006
    samples: Annotated[int, typer.Option(min=1, help="Draws for each person and horizon.")] = 4,
    train_on: Annotated[
        Path | None,
        typer.Option(
            help="Cohort to fit the tabular reference on; left out, 4,000 simulated people for "
            "simulated people, cross-fitting for others."
        ),
    ] = None,
    calibrate_on: Annotated[
        Path | None,
        typer.Option(
            help="Cohort of other people to recalibrate intervals on; by default each half of "
            "these people is calibrated on the other."
        ),
    ] = None,
    baselines: Annotated[
        list[Path] | None,
        typer.Option(
            help="image_regression, the bundled one; mrextrap, from the scans of two visits; or a "
            "fitted baseline's folder; once for each."
        ),
    ] = None,
    context_from: Annotated[
        Path | None,
        typer.Option(
            help="image_regression, or the folder of a baseline that expects a change: it tells "
            "the model's context in place of the auxiliary model."
        ),
    ] = None,
    conditions: Annotated[
        int,
        typer.Option(
            min=0,
            help="People predicted three times more: told of no change, told the true change, and "
            "with another person's scan; 0 leaves these out.",
        ),
    ] = 40,
    compare: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="People for ablation, draws, steps, wrong diagnosis and several visits; "
            "0 leaves these out; 6 when not given, none with --volumes-only.",
        ),
    ] = None,
    draws: Annotated[
        list[int], typer.Option(min=1, help="Draws to compare; give it once for each.")
    ] = [1, 2, 4, 8, 16, 32, 64],  # noqa: B006
    volumes_only: Annotated[
        bool,
        typer.Option(
            "--volumes-only",
            help="Make no predicted scan and read no later one: floor, errors of scans and "
            "comparisons are left out, and people cost no more than predicting their volumes.",
        ),
    ] = False,
    local_validation: Annotated[
        Path | None,
        typer.Option(
            help="Criteria in TOML, stated before anybody is predicted: the model is judged once, "
            "as of use or not for choosing people of this cohort."
        ),
    ] = None,
    n_bootstrap: Annotated[int, typer.Option(min=10, help="Resamples of people.")] = 1000,
    measured_by: MeasuredByOption = None,
    seed: SeedOption = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")] = "cpu",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare predictions with what came later: floor, accuracy, ranking, calibration, ablation.

    Carrying the baseline forward, the auxiliary model alone, and the best regression on the
    baseline table are always beside the model. Interrupted predictions are taken up again.

    Example: trialsim evaluate cohort --model mini --horizon 24 --samples 4 --out evaluation
    """
    from brlp_models.evaluation.settings import EvaluationSettings
    from trialsim.cli.answering.printing import print_tables
    from trialsim.study.evaluation.model_evaluation import write_evaluation

    n_compared = 0 if volumes_only else EvaluationSettings.n_compared
    found = write_evaluation(
        cohort,
        out,
        EvaluationSettings(
            horizons_months=tuple(horizon),
            samples=samples,
            compared_samples=tuple(draws),
            n_conditions=conditions,
            n_compared=n_compared if compare is None else compare,
            n_bootstrap=n_bootstrap,
            seed=seed,
            volumes_only=volumes_only,
        ),
        model=model,
        training=train_on,
        calibration=calibrate_on,
        baselines=baselines or (),
        context_from=context_from,
        criteria=local_validation,
        measured_by=measured_by,
        device=device,
        report=lambda text: None if quiet else typer.echo(text, err=True),
    )
    if found.verdict:
        typer.echo("\n".join(map(str, found.verdict)), err=True)
    if as_json:
        print_tables(found.summaries, notes=found.notes)
        return
    for name, table in found.summaries.items():
        typer.echo(f"\n{name}\n{table.round(3).to_string(index=False)}")
    if found.n_failed:
        typer.echo(f"\n{tally(found.n_failed, 'people')} could not be predicted: failures.csv")
    typer.echo(f"\nTables and figures: {out}")
