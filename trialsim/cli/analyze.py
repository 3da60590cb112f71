"""`trialsim analyze`: what the treatment did."""

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.recording import JsonOption, QuietOption


def analyze(
    trial: Annotated[Path, typer.Argument(help="The trial's table, one row a person and visit.")],
    endpoint: Annotated[str, typer.Option(help="The outcome, a column ENDPOINT_mm3.")] = (
        "hippocampus"
    ),
    twins: Annotated[
        Path | None,
        typer.Option(help="Predicted untreated outcomes: participant_id, months, predicted_mm3."),
    ] = None,
    primary: Annotated[
        str | None,
        typer.Option(help="The pre-specified estimator; by default PROCOVA, without twins ANCOVA."),
    ] = None,
    covariates: Annotated[
        str | None,
        typer.Option(help="Columns to adjust for, with commas, or none; by default all others."),
    ] = None,
    control: Annotated[
        str | None, typer.Option(help="The control's name in the column arm, if not control.")
    ] = None,
    unit: Annotated[str, typer.Option(help="mm3, or percent (100 ln volume).")] = "mm3",
    visits_months: Annotated[
        str | None, typer.Option(help="Planned visits, with commas; by default all in the table.")
    ] = None,
    alpha: Annotated[float, typer.Option(help="Two-sided; intervals cover 1 - alpha.")] = 0.05,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Estimate the effect of a trial by every estimator, the pre-specified one first.

    Example: trialsim analyze trial.csv --endpoint hippocampus --twins twins.csv
    """
    from trialsim.cli.choosing import split, split_numbers
    from trialsim.cli.printing import print_table
    from trialsim.finished import add_twins, estimate_effects, read_trial, tabulate_effects

    read = read_trial(
        trial,
        endpoint=endpoint,
        unit=unit,
        covariates=None if covariates is None else split(covariates.removeprefix("none")),
        control=control,
        visits_months=None if visits_months is None else split_numbers(visits_months),
    )
    if twins is not None:
        read = add_twins(read, twins)
    effects = tabulate_effects(estimate_effects(read, primary=primary, alpha=alpha))
    if not quiet:
        for note in read.notes:
            typer.echo(note, err=True)
    shown = effects if as_json else effects.drop(columns=["estimand", "se_model", "se_robust"])
    print_table(shown, as_json=as_json)
