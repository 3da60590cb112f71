"""`trialsim study`: what a study file holds, whether it still holds."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.printing import print_table

app = typer.Typer(no_args_is_help=True, help="Look into a study file, check it, take tables out.")

StudyArgument = Annotated[Path, typer.Argument(help="The study file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


class FileFormat(StrEnum):
    """The formats that tables are exported in."""

    PARQUET = "parquet"
    CSV = "csv"


@app.command()
def info(study: StudyArgument = Path("study.duckdb"), as_json: JsonOption = False) -> None:
    """Say what the study holds: its latest tables, their rows, the commands that wrote them.

    Example: trialsim study info study.duckdb
    """
    from reports.store.study import Study

    columns = ["table_name", "n_rows", "run_id", "command", "ended_at"]
    print_table(Study.open(study, read_only=True).tables()[columns], as_json=as_json)


@app.command()
def runs(study: StudyArgument = Path("study.duckdb"), as_json: JsonOption = False) -> None:
    """List every run: command, seed, start, end, status; with --json all that was recorded.

    Example: trialsim study runs study.duckdb
    """
    from reports.store.study import Study

    found = Study.open(study, read_only=True).runs()
    columns = ["run_id", "status", "started_at", "ended_at", "seed", "command", "problem"]
    print_table(found if as_json else found[columns], as_json=as_json)


@app.command()
def tables(
    table: Annotated[str, typer.Argument(help="The table to print, for example scores.")],
    study: StudyArgument = Path("study.duckdb"),
    as_json: JsonOption = False,
) -> None:
    """Print one table, as its latest finished run wrote it.

    Example: trialsim study tables sample_sizes study.duckdb
    """
    from reports.store.study import Study

    print_table(Study.open(study, read_only=True).read(table), as_json=as_json)


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT statement.")],
    study: StudyArgument = Path("study.duckdb"),
    as_json: JsonOption = False,
) -> None:
    """Answer a question in SQL; the file is opened for reading only.

    Example: trialsim study sql "SELECT strategy, avg(score) FROM scores GROUP BY 1" study.duckdb
    """
    from reports.store.study import Study

    print_table(Study.open(study, read_only=True).query(statement), as_json=as_json)


@app.command()
def export(
    study: StudyArgument = Path("study.duckdb"),
    out: Annotated[Path, typer.Option(help="The folder for the files.")] = Path("export"),
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="The format of the files.")
    ] = FileFormat.PARQUET,
) -> None:
    """Write every table as a file that other programs read.

    Example: trialsim study export study.duckdb --format csv --out tables
    """
    from reports.store.export import write_study_tables
    from reports.store.study import Study

    opened = Study.open(study, read_only=True)
    for path in write_study_tables(opened, out, file_format=file_format.value):
        typer.echo(path)


@app.command()
def verify(study: StudyArgument = Path("study.duckdb"), as_json: JsonOption = False) -> None:
    """Check rows, inputs and model weights against their recorded checksums; exit 1 if any differs.

    Example: trialsim study verify study.duckdb
    """
    from reports.store.study import Study
    from reports.store.verification import verify_study

    found = verify_study(Study.open(study, read_only=True))
    broken = found[found["verdict"] != "holds"]
    # a path that is cut does not say which file it is
    print_table(found if as_json else broken, as_json=as_json, widest=None)
    typer.echo(f"{len(found) - len(broken)} of {len(found)} tables and files hold.", err=True)
    if len(broken):
        raise typer.Exit(1)
