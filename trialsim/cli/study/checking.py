"""`trialsim study prune`, `verify`: a study file checked, and made smaller."""

from typing import Annotated

import typer

from cohorts.counting import tally
from trialsim.cli.answering.printing import print_table
from trialsim.cli.asking.recording import DEFAULT_STUDY, JsonOption
from trialsim.cli.study.keeping import StudyArgument


def prune(
    study: StudyArgument = DEFAULT_STUDY,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Drop the rows that later runs have replaced; what a page needs stays, and every digest.

    Example: trialsim study prune study.duckdb --dry-run
    """
    from reports.store.database import require_file
    from reports.store.pruning import list_prunable, prune_study
    from reports.store.study import Study

    require_file(study)
    before = study.stat().st_size
    opened = Study.open(study, read_only=dry_run)
    if dry_run:
        print_table(list_prunable(opened), as_json=as_json)
        return
    going = prune_study(opened, command=f"trialsim study prune {study}")
    print_table(going, as_json=as_json)
    after = study.stat().st_size
    typer.echo(
        f"{tally(going['n_rows'].sum(), 'rows')} dropped; "
        f"{before / 1e6:.1f} MB are {after / 1e6:.1f} MB.",
        err=True,
    )


def verify(
    study: StudyArgument = DEFAULT_STUDY,
    head: Annotated[
        str | None,
        typer.Option(help="A head of the chain that you know, from a report or a bundle."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check runs, rows, inputs and weights against what was recorded; exit 1 if any differs.

    Whoever can write the file can seal it anew: give --head to find that out, too.

    Example: trialsim study verify study.duckdb
    """
    from reports.store.study import Study
    from reports.store.verification import verify_study

    opened = Study.open(study, read_only=True)
    found = verify_study(opened, head=head)
    broken = found[found["verdict"] != "holds"]
    if as_json or len(broken):
        # a path that is cut does not say which file it is
        print_table(found if as_json else broken, as_json=as_json, widest=None)
    typer.echo(
        f"{len(found) - len(broken)} of {len(found)} runs, tables and files hold. "
        f"Head of the chain: {opened.head() or 'none'}.",
        err=True,
    )
    if len(broken):
        raise typer.Exit(1)
