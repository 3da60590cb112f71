"""`trialsim analyze`: what the treatment did."""

from pathlib import Path
from typing import Annotated, Any

import typer

from trialsim.cli.asking.options import refuse_typed, split_numbers, split_words
from trialsim.cli.asking.recording import ControlOption, JsonOption, QuietOption, SeedOption


def analyze(
    context: typer.Context,
    trial: Annotated[
        Path,
        typer.Argument(
            help="The trial's table, one row a person and visit, or one a person with a column "
            "for each visit."
        ),
    ],
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
    control: ControlOption = None,
    unit: Annotated[str, typer.Option(help="mm3, or log_percent (100 ln volume).")] = "mm3",
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
            "--output",
            "--out",
            help="Folder for every table (CSV): what the missing may change, individual effects, "
            "effects by predicted decline.",
        ),
    ] = None,
    study: Annotated[
        Path | None, typer.Option(help="Study file: take its frozen twins, keep every table.")
    ] = None,
    scans: Annotated[
        Path | None,
        typer.Option(
            help="Cohort with follow-up scans: that of one person of each arm stands beside the "
            "predicted one in the report; needs --study."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="With --scans: the model that predicted.")] = "mini",
    accept_late_twins: Annotated[
        bool,
        typer.Option("--accept-late-twins", help="Take twins made after outcomes were known."),
    ] = False,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Estimate the effect of a trial by every estimator, the pre-specified one first.

    Example: trialsim analyze trial.csv --endpoint hippocampus --twins twins.csv
    """
    from trialsim.cli.answering.printing import print_table, print_tables
    from trialsim.study.trials.analysis import analyze_trial, check_trial

    reading: dict[str, Any] = {
        "endpoint": endpoint,
        "unit": unit,
        "covariates": None if covariates is None else split_words(covariates.removeprefix("none")),
        "control": control,
        "visits_months": None if visits_months is None else split_numbers(visits_months),
    }
    if scans is None:
        refuse_typed(context, "model", reason="of the scans that --scans names; add it")
    if study is None:
        refuse_typed(context, "accept_late_twins", reason="of a study's twins; add --study")
    if checks:
        analyzing = ("primary", "alpha", "output", "study", "scans", "seed")
        refuse_typed(
            context, *analyzing, reason="--checks analyzes and keeps nothing; leave it out"
        )
        found = check_trial(trial, twins, reading)
        if as_json:
            print_tables(found)
            return
        for table in found.values():
            print_table(table)
        return
    analysis, notes = analyze_trial(
        trial,
        study,
        twins=twins,
        accept_late_twins=accept_late_twins,
        primary=primary,
        alpha=alpha,
        seed=seed,
        reading=reading,
        output=output,
        scans=scans,
        model=model,
    )
    effects = analysis.tables["trial_effects"]
    print_table(effects if as_json else effects[_SHOWN], as_json=as_json)
    for note in () if quiet else notes:
        typer.echo(note, err=True)


_SHOWN = [
    "estimator", "effect", "estimate", "se", "df", "lower", "upper", "p_value", "is_primary",
    "standard_error", "n_control", "n_treatment", "unit",
]  # fmt: skip
