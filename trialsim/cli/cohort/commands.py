"""The commands under `trialsim cohort`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.answering.printing import print_table
from trialsim.cli.asking.once import Commands
from trialsim.cli.asking.options import Given, sharing
from trialsim.cli.asking.recording import (
    DEFAULT_STUDY,
    CohortArgument,
    JsonOption,
    MeasuredByOption,
    QuietOption,
    StudyOption,
)
from trialsim.cli.cohort.from_dicom import from_dicom
from trialsim.cli.cohort.source import READING, SourceArgument, load_source
from trialsim.cli.cohort.summary import print_summary
from trialsim.cli.cohort.synthesize import synthesize

app = Commands(no_args_is_help=True)
app.command()(synthesize)


@app.callback()
def cohort() -> None:
    """Say whom you screen, then see whether their data are sound."""


@app.command()
@sharing("reading", READING)
def validate(
    source: SourceArgument,
    show_reading: Annotated[
        bool,
        typer.Option(
            "--show-reading",
            help="Print what each column was understood as, beside the first visits as read; with "
            "--json alone.",
        ),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    *,
    reading: Given,
) -> None:
    """Read a cohort, tables, images; name every problem at once; exit 1 if there is any.

    Example: trialsim cohort validate people.csv --map AGE=age_years --sex-coding 1=M,2=F
    """
    shown = partial(print_table, as_json=as_json) if show_reading else None
    found = load_source(source, reading, quiet=quiet, on_reading=shown)
    if not (show_reading and as_json):
        print_summary(found, as_json=as_json)


@app.command("import")
@sharing("reading", READING)
def import_source(
    source: SourceArgument,
    folder: Annotated[Path, typer.Argument(help="Where the Parquet tables go.")],
    eligibility: Annotated[
        list[str] | None,
        typer.Option(help="A criterion such as 'mmse between 20 and 28'; repeatable, in order."),
    ] = None,
    study: StudyOption = DEFAULT_STUDY,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    *,
    reading: Given,
) -> None:
    """Check a cohort, screen it, keep its tables in a folder as well as in the study file.

    Example: trialsim cohort import bids/ screened/ --eligibility "age_years between 55 and 85"
    """
    from trialsim.study.recording import import_cohort

    found = load_source(source, reading, quiet=quiet)
    screening = import_cohort(found, folder, study, eligibility or [])
    if eligibility and not as_json:
        print_table(screening.flow)
    print_summary(screening.eligible, as_json=as_json)


app.command("from-dicom")(from_dicom)


@app.command()
def describe(
    cohort: CohortArgument = None,
    measured_by: MeasuredByOption = None,
    study: StudyOption = DEFAULT_STUDY,
    figure: Annotated[
        Path | None,
        typer.Option(help="Draw the distributions under this name, as .png, .svg."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show who the people are: age, sex, diagnosis, follow-up, in a table or a figure.

    Example: trialsim cohort describe screened/ --figure cohort.png
    """
    from cohorts.demographics import compute_demographics, format_demographics, name_cohort
    from trialsim.study.recording import load_screened
    from trialsim.study.writing.files import write_cohort_overview

    found = load_screened(cohort, study, measured_by=measured_by)
    table = compute_demographics(found)
    for written in [] if figure is None else write_cohort_overview(found, figure):
        typer.echo(f"Wrote {written}", err=True)
    if as_json:
        print_table(table, as_json=True)
        return
    typer.echo(name_cohort(found))
    print_table(format_demographics(table))
