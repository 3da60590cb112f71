"""`trialsim analyze`: what the treatment did."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.cli.recording import JsonOption, QuietOption, SeedOption

if TYPE_CHECKING:
    from trialsim.finished import FinishedTrial


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
    checks: Annotated[
        bool, typer.Option("--checks", help="Only baseline and missing visits; may be blinded.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for every table (CSV): what the missing may change, "
            "individual effects, effects by predicted decline."
        ),
    ] = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Estimate the effect of a trial by every estimator, the pre-specified one first.

    Example: trialsim analyze trial.csv --endpoint hippocampus --twins twins.csv
    """
    from cohorts.table_files import write_table
    from trialsim.cli.printing import print_table
    from trialsim.finished import (
        add_twins,
        estimate_effects,
        read_trial,
        tabulate_effects,
    )
    from trialsim.finished import analyze as analyze_all

    read = read_trial(
        trial,
        endpoint=endpoint,
        unit=unit,
        covariates=None if covariates is None else _split(covariates.removeprefix("none")),
        control=control,
        visits_months=None if visits_months is None else _split_months(visits_months),
    )
    if twins is not None:
        read = add_twins(read, twins)
    notes = [] if quiet else [*read.notes]
    if checks:
        _print_checks(read, as_json=as_json)
    elif output is None:
        effects = tabulate_effects(estimate_effects(read, primary=primary, alpha=alpha))
        print_table(effects if as_json else effects[_SHOWN], as_json=as_json)
    else:
        analysis = analyze_all(read, primary=primary, alpha=alpha, seed=seed)
        for name, table in analysis.tables.items():
            write_table(table, output / f"{name}.csv")
        effects = analysis.tables["trial_effects"]
        print_table(effects if as_json else effects[_SHOWN], as_json=as_json)
        notes += [] if quiet else [*analysis.left_out]
    for note in notes:
        typer.echo(note, err=True)


_SHOWN = [
    "estimator", "effect", "estimate", "se", "df", "lower", "upper", "p_value", "is_primary",
    "standard_error", "n_control", "n_treatment", "unit",
]  # fmt: skip


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _split_months(text: str) -> list[float]:
    try:
        return [float(part) for part in _split(text)]
    except ValueError as error:
        raise typer.BadParameter(f"expected numbers with commas, got {text!r}.") from error


def _print_checks(trial: "FinishedTrial", *, as_json: bool) -> None:
    from trialsim.cli.printing import print_table
    from trialsim.finished.checks import compare_baseline, count_missing

    for table in (count_missing(trial), compare_baseline(trial)):
        print_table(table, as_json=as_json)
