"""The commands under `trialsim cohort`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.cli.cohort.source import (
    AgeUnitOption,
    BidsFilterOption,
    DiagnosisCodingOption,
    DiagnosisOption,
    IgnoreOption,
    MapOption,
    MissingOption,
    PipelineOption,
    ProfileOption,
    QuarantineOption,
    SexCodingOption,
    ShowReadingOption,
    SourceArgument,
    TopCodedAgeOption,
    load_source,
    parse_column_map,
    read_bids_filters,
)
from trialsim.cli.cohort.synthesize import synthesize
from trialsim.cli.printing import print_table
from trialsim.cli.recording import (
    DEFAULT_STUDY,
    CohortArgument,
    JsonOption,
    QuietOption,
    StudyOption,
)

if TYPE_CHECKING:
    from cohorts.cohort import Cohort

app = typer.Typer(no_args_is_help=True)
app.command()(synthesize)


@app.callback()
def cohort() -> None:
    """Say whom you screen, then see whether their data are sound."""


@app.command()
def validate(
    source: SourceArgument,
    profile: ProfileOption = None,
    column_map: MapOption = None,
    age_unit: AgeUnitOption = None,
    sex_coding: SexCodingOption = None,
    diagnosis_coding: DiagnosisCodingOption = None,
    diagnosis: DiagnosisOption = None,
    top_coded_age: TopCodedAgeOption = None,
    missing: MissingOption = None,
    ignore: IgnoreOption = None,
    pipeline: PipelineOption = None,
    bids_filter_file: BidsFilterOption = None,
    quarantine: QuarantineOption = False,
    show_reading: ShowReadingOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Read a cohort, tables, images; name every problem at once; exit 1 if there is any.

    Example: trialsim cohort validate people.csv --map AGE=age_years --sex-coding 1=M,2=F
    """
    found = load_source(
        source,
        quiet=quiet,
        column_map=parse_column_map(column_map),
        age_unit=age_unit,
        sex_coding=sex_coding,
        diagnosis_coding=diagnosis_coding,
        diagnosis=diagnosis,
        top_coded_age=top_coded_age,
        missing=missing,
        ignore=ignore or (),
        pipeline=pipeline,
        profile=profile,
        on_reading=print_table if show_reading else None,
        bids_filters=read_bids_filters(bids_filter_file),
        quarantine=quarantine,
    )
    _print_summary(found, as_json=as_json)


@app.command("import")
def import_source(
    source: SourceArgument,
    folder: Annotated[Path, typer.Argument(help="Where the Parquet tables go.")],
    profile: ProfileOption = None,
    column_map: MapOption = None,
    age_unit: AgeUnitOption = None,
    sex_coding: SexCodingOption = None,
    diagnosis_coding: DiagnosisCodingOption = None,
    diagnosis: DiagnosisOption = None,
    top_coded_age: TopCodedAgeOption = None,
    missing: MissingOption = None,
    ignore: IgnoreOption = None,
    pipeline: PipelineOption = None,
    bids_filter_file: BidsFilterOption = None,
    eligibility: Annotated[
        list[str] | None,
        typer.Option(help="A criterion such as 'mmse between 20 and 28'; repeatable, in order."),
    ] = None,
    quarantine: QuarantineOption = False,
    study: StudyOption = DEFAULT_STUDY,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check a cohort, screen it, keep its tables in a folder as well as in the study file.

    Example: trialsim cohort import bids/ screened/ --eligibility "age_years between 55 and 85"
    """
    from cohorts.eligibility import screen_cohort
    from cohorts.folder import write_cohort
    from trialsim.study.recording import recorded_run

    found = load_source(
        source,
        quiet=quiet,
        column_map=parse_column_map(column_map),
        age_unit=age_unit,
        sex_coding=sex_coding,
        diagnosis_coding=diagnosis_coding,
        diagnosis=diagnosis,
        top_coded_age=top_coded_age,
        missing=missing,
        ignore=ignore or (),
        pipeline=pipeline,
        profile=profile,
        bids_filters=read_bids_filters(bids_filter_file),
        quarantine=quarantine,
    )
    screening = screen_cohort(found, eligibility or [])
    write_cohort(screening.eligible, folder, screening=screening if eligibility else None)
    config = {"eligibility": eligibility or []}
    with recorded_run(study, config=config, cohort=screening.eligible, place=folder) as run:
        if eligibility:
            run.write("screening_flow", screening.flow)
    if eligibility and not as_json:
        print_table(screening.flow)
    _print_summary(screening.eligible, as_json=as_json)


@app.command()
def describe(
    cohort: CohortArgument = None,
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
    from cohorts.demographics import compute_demographics, format_demographics
    from trialsim.study.recording import load_screened

    found = load_screened(cohort, study)
    table = compute_demographics(found)
    if figure is not None:
        _write_figure(found, figure)
    if as_json:
        print_table(table, as_json=True)
        return
    typer.echo(_title(found))
    print_table(format_demographics(table))


def _write_figure(found: "Cohort", path: Path) -> None:
    from reports.figures.cohort import count_cohort, plot_cohort_overview
    from reports.figures.export import write_figure

    drawn = plot_cohort_overview(count_cohort(found.participants, found.visits))
    drawn.suptitle(_title(found))
    for written in write_figure(drawn, path.parent, path.stem, {}):
        typer.echo(f"Wrote {written}", err=True)


def _print_summary(found: "Cohort", *, as_json: bool) -> None:
    import pandas as pd

    n_rejected = len(found.rejected["participant_id"].unique())
    if not as_json:
        typer.echo(
            f"{_title(found)}: sound. {len(found.participants):,} people, {len(found.visits):,} "
            f"visits, {len(found.volumes):,} volumes; {n_rejected:,} people left out."
        )
        return
    summary: dict[str, object] = {
        "cohort": found.name,
        "is_synthetic": found.is_synthetic,
        "n_participants": len(found.participants),
        "n_visits": len(found.visits),
        "n_volumes": len(found.volumes),
        "n_rejected": n_rejected,
        "notes": list(found.notes),
        "rejected": found.rejected.to_dict("records"),
    }
    print_table(pd.DataFrame([summary]), as_json=True)


def _title(found: "Cohort") -> str:
    is_marked = not found.is_synthetic or "synthetic" in found.name.lower()
    return found.name if is_marked else f"{found.name} (SYNTHETIC people)"
