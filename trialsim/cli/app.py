"""The `trialsim` command, assembled.

A command's file imports only Typer at its top; pandas, torch and the rest are imported inside the
command that needs them, so that `trialsim --help` answers at once.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from trialsim import __version__
from trialsim.cli import (
    compare,
    demo,
    doctor,
    explore,
    init,
    optimize,
    power,
    predict,
    qualify,
    rank,
    report,
    run,
    view,
)
from trialsim.cli.answering.boundary import ErrorReportingGroup
from trialsim.cli.answering.logs import start_logging
from trialsim.cli.asking.once import Commands
from trialsim.cli.cohort import commands as cohort
from trialsim.cli.model import commands as model
from trialsim.cli.model import evaluate, train
from trialsim.cli.samplesize import commands as samplesize
from trialsim.cli.study import commands as study
from trialsim.cli.trial import analyze, monitor, twins

app = Commands(
    name="trialsim",
    cls=ErrorReportingGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"trialsim {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
    max_scan_gb: Annotated[
        float | None,
        typer.Option(help="Largest image that is read, GB of voxels; by default 2.", min=0.001),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log on stderr what is being done.")
    ] = False,
    log_file: Annotated[
        Path | None, typer.Option(help="Log to the end of this file what is being done.")
    ] = None,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Log as JSON, one object a line.")
    ] = False,
    debug: Annotated[  # noqa: ARG001 - read where a command ends
        bool, typer.Option("--debug", help="Show where a fault of this program arose.")
    ] = False,
) -> None:
    """Decide whom to enroll: predicted hippocampal atrophy, selection, power, sample size, cost."""
    start_logging(verbose=verbose, file=log_file, as_json=log_json)
    if max_scan_gb is not None:
        from cohorts.images import LARGEST_VARIABLE

        os.environ[LARGEST_VARIABLE] = str(max_scan_gb)


app.command()(init.init)
app.command()(run.run)
app.command()(demo.demo)
app.command()(predict.predict)
app.command()(rank.rank)
app.command()(compare.compare)
app.command()(power.power)
app.command()(optimize.optimize)
app.command()(twins.twins)
app.command()(analyze.analyze)
app.command()(monitor.monitor)
app.command()(report.report)
app.command()(explore.explore)
app.command()(view.view)
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(doctor.doctor)
app.command()(qualify.qualify)
app.add_typer(cohort.app, name="cohort")
app.add_typer(model.app, name="model")
app.add_typer(samplesize.app, name="samplesize")
app.add_typer(study.app, name="study")


def main() -> None:
    """Run the command line; what it writes gives others than owner and group nothing."""
    os.umask(os.umask(0) | 0o007)
    app()
