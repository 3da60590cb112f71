"""`trialsim study export`, `import-bundle`, `join`: a study file handed on, or put together."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.answering.printing import print_table
from trialsim.cli.asking.options import refuse_typed
from trialsim.cli.asking.recording import DEFAULT_STUDY, JsonOption, QuietOption

StudyArgument = Annotated[Path, typer.Argument(help="The study file.")]


class FileFormat(StrEnum):
    """The formats that tables are exported in."""

    PARQUET = "parquet"
    CSV = "csv"


def export(
    context: typer.Context,
    study: StudyArgument = DEFAULT_STUDY,
    out: Annotated[
        Path, typer.Option("--out", "--output", help="The folder for the files.")
    ] = Path("export"),
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="The format of the files.")
    ] = FileFormat.PARQUET,
    bundle: Annotated[
        bool,
        typer.Option("--bundle", help="Write the whole study with a manifest, to mail or sign."),
    ] = False,
    r_script: Annotated[
        bool,
        typer.Option("--r-script", help="Write answer.R, which computes the answer again in R."),
    ] = False,
) -> None:
    """Write every table as a file that other programs read, the study as a bundle, or an R script.

    Example: trialsim study export study.duckdb --format csv --out tables
    """
    from reports.store.bundle import MANIFEST, write_bundle
    from reports.store.export import write_study_tables
    from reports.store.study import Study

    if r_script:
        refuse_typed(context, "bundle", reason="a bundle holds no script; write one at a time")
    if r_script or bundle:
        refuse_typed(context, "file_format", reason="of tables alone; leave it out")
    if r_script:
        from trialsim.study.result import StudyResult
        from trialsim.study.writing.r_script import write_r_script

        for path in write_r_script(StudyResult(study), out):
            typer.echo(path)
        return
    opened = Study.open(study, read_only=True)
    if bundle:
        head = write_bundle(opened, out).head
        typer.echo(out / MANIFEST)
        typer.echo(f"Head of the chain of runs: {head}", err=True)
        return
    for path in write_study_tables(opened, out, file_format=file_format.value):
        typer.echo(path)


def import_bundle_(
    bundle: Annotated[Path, typer.Argument(help="The folder of `study export --bundle`.")],
    study: Annotated[Path, typer.Argument(help="The study file to make.")],
) -> None:
    """Make a study file of a bundle, once its files, rows and chain of runs have been checked.

    Example: trialsim study import-bundle mailed/ study.duckdb
    """
    from reports.store.bundle import import_bundle

    made = import_bundle(bundle, study)
    typer.echo(made.path)
    typer.echo(f"Head of the chain of runs: {made.head()}", err=True)


def join(
    study: StudyArgument = DEFAULT_STUDY,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make the study of what shards predicted (`trialsim predict --shard i/n`).

    Who is missing is predicted now.

    Example: trialsim study join study.duckdb
    """
    from trialsim.cli.answering.progress import show_progress
    from trialsim.study.shards import join_shards
    from trialsim.study.summaries import summarize_predictions

    with show_progress(quiet=quiet) as listener:
        result = join_shards(study, listener=listener)
    print_table(summarize_predictions(result), as_json=as_json)
