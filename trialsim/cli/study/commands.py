"""`trialsim study`: what a study file holds, whether it still holds."""

from typing import Annotated

import typer

from trialsim.cli.answering.printing import print_table
from trialsim.cli.asking.once import Commands
from trialsim.cli.asking.recording import DEFAULT_STUDY, JsonOption
from trialsim.cli.study.checking import prune, verify
from trialsim.cli.study.keeping import StudyArgument, export, import_bundle_, join


def info(study: StudyArgument = DEFAULT_STUDY, as_json: JsonOption = False) -> None:
    """Say what the study holds: its latest tables, their rows, the commands that wrote them.

    Example: trialsim study info study.duckdb
    """
    from reports.store.study import Study

    columns = ["table_name", "n_rows", "run_id", "command", "ended_at"]
    print_table(Study.open(study, read_only=True).tables()[columns], as_json=as_json)


def runs(study: StudyArgument = DEFAULT_STUDY, as_json: JsonOption = False) -> None:
    """List every run: command, seed, start, end, status; with --json all that was recorded.

    Example: trialsim study runs study.duckdb
    """
    from reports.store.study import Study

    found = Study.open(study, read_only=True).runs()
    columns = ["run_id", "status", "started_at", "ended_at", "seed", "command", "problem"]
    print_table(found if as_json else found[columns], as_json=as_json)


def tables(
    table: Annotated[str, typer.Argument(help="The table to print, for example scores.")],
    study: StudyArgument = DEFAULT_STUDY,
    as_json: JsonOption = False,
) -> None:
    """Print one table, as its latest finished run wrote it.

    Example: trialsim study tables sample_sizes study.duckdb
    """
    from reports.store.study import Study

    print_table(Study.open(study, read_only=True).read(table), as_json=as_json)


def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT statement.")],
    study: StudyArgument = DEFAULT_STUDY,
    timeout: Annotated[
        float, typer.Option(help="Seconds after which the query is ended.", min=0.001, max=86_400)
    ] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Answer a question in SQL; the file is opened for reading only.

    Example: trialsim study sql "SELECT strategy, avg(score) FROM scores GROUP BY 1" study.duckdb
    """
    from reports.store.study import Study

    print_table(
        Study.open(study, read_only=True).query(statement, seconds=timeout), as_json=as_json
    )


app = Commands(no_args_is_help=True, help="Look into a study file, check it, take tables out.")
app.command()(info)
app.command()(runs)
app.command()(tables)
app.command()(sql)
app.command()(export)
app.command("import-bundle")(import_bundle_)
app.command()(join)
app.command()(prune)
app.command()(verify)
