"""`trialsim twins`: what each person of a trial would have become untreated."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cohorts.counting import tally
from trialsim.cli.asking.options import split_numbers, split_words
from trialsim.cli.asking.recording import (
    DEFAULT_STUDY,
    JsonOption,
    MeasuredByOption,
    QuietOption,
    StudyOption,
)


class Harmonize(StrEnum):
    """What becomes of volumes by several tools."""

    LINEAR = "linear"
    COMBAT = "combat"
    AS_MEASURED = "as_measured"


def twins(
    trial: Annotated[Path, typer.Argument(help="The trial's people at baseline: a cohort.")],
    visits_months: Annotated[
        str, typer.Option(help="The trial's visits after baseline, with commas.")
    ],
    train_on: Annotated[
        Path | None, typer.Option(help="Archive of untreated people with follow-up to learn from.")
    ] = None,
    auxiliary: Annotated[
        Path | None,
        typer.Option(help="Auxiliary model (JSON), which predicts volumes without an image."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Predicted volumes (CSV, Parquet); left out, those of the study."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Which model, where the predictions are of several.")
    ] = None,
    endpoint: Annotated[str, typer.Option(help="Region whose volume is predicted.")] = (
        "hippocampus"
    ),
    errors_of: Annotated[
        Path | None,
        typer.Option(
            help="Cohort with follow-up, predicted by the same model: how errors correlate over "
            "visits."
        ),
    ] = None,
    measured_by: MeasuredByOption = None,
    harmonize: Annotated[
        Harmonize | None,
        typer.Option(help="What becomes of volumes by several tools, as cohort.harmonize."),
    ] = None,
    harmonize_by: Annotated[
        str | None,
        typer.Option(help="Columns that make one tool several, with commas: field_strength."),
    ] = None,
    measured_twice: Annotated[
        Path | None, typer.Option(help="Table of people whom both tools measured, for linear.")
    ] = None,
    study: StudyOption = DEFAULT_STUDY,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Predict everybody's untreated course from baseline alone, and freeze it in the study.

    Example: trialsim twins trial --train-on archive --visits-months 6,12,24
    """
    from cohorts.sources.loading import load_cohort
    from trialsim.cli.answering.printing import print_table
    from trialsim.study.protocol import CohortSection
    from trialsim.study.recording import recorded_run
    from trialsim.study.trials.twin_making import make_twins

    people = load_cohort(trial, measured_by=measured_by)
    asked = CohortSection(
        path=trial,
        harmonize=None if harmonize is None else harmonize.value,
        harmonize_by=split_words(harmonize_by or ""),
        measured_twice=measured_twice,
    )
    made = make_twins(
        people,
        months=split_numbers(visits_months),
        endpoint=endpoint,
        archive=None if train_on is None else load_cohort(train_on, measured_by=measured_by),
        auxiliary=auxiliary,
        predictions=predictions,
        model_id=model,
        study=study,
        errors_of=None if errors_of is None else load_cohort(errors_of, measured_by=measured_by),
        asked=asked,
    )
    sources = (predictions, auxiliary, train_on, errors_of, measured_twice)
    files = [path for path in sources if path is not None]
    # a study's own people, whom its scores and predictions are about, are not replaced by a trial's
    with recorded_run(
        study, config=made.record, cohort=people, keep_people=True, inputs=files
    ) as run:
        run.write("twins", made.table)
        if made.correlations is not None:
            run.write("twin_correlations", made.correlations)
    shown = made.table.groupby("months", as_index=False)[["predicted_mm3", "sd_mm3"]].mean()
    print_table(made.table if as_json else shown.round(1), as_json=as_json)
    if not quiet:
        for note in made.notes:
            typer.echo(note, err=True)
        typer.echo(
            f"Twins of {tally(len(people.participants), 'people')} frozen in {study}.", err=True
        )
