"""The `trialsim` command, assembled.

A command's file imports only Typer at its top; pandas, torch and the rest are imported inside the
command that needs them, so that `trialsim --help` answers at once.
"""

from os.path import expanduser
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cohorts.errors import TrialsimError
from trialsim import __version__
from trialsim.cli import (
    analyze,
    cohort,
    compare,
    demo,
    evaluate,
    init,
    model,
    power,
    predict,
    rank,
    report,
    run,
    samplesize,
    samplesize_twins,
    study,
    train,
)


class ErrorReportingGroup(TyperGroup):
    """A command group that turns a `TrialsimError` into sentences on stderr and exit code 1.

    It also reads `~/` as the home folder in `--option=~/path`, which shells leave as it is.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the command, and the rest."""
        return super().parse_args(ctx, [_expand_home(argument) for argument in args])

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except TrialsimError as error:
            for problem in error.problems:
                typer.echo(f"Error: {problem}", err=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            typer.echo(
                "Interrupted. What was finished is kept; the same command goes on.", err=True
            )
            raise typer.Exit(130) from error


app = typer.Typer(
    name="trialsim",
    cls=ErrorReportingGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _expand_home(argument: str) -> str:
    option, equals, value = argument.partition("=")
    if option.startswith("--") and equals:
        return f"{option}={expanduser(value)}"
    return expanduser(argument)


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
) -> None:
    """Decide whom to enroll: predicted hippocampal atrophy, selection, power, sample size, cost."""


app.command()(init.init)
app.command()(run.run)
app.command()(demo.demo)
app.command()(predict.predict)
app.command()(rank.rank)
app.command()(compare.compare)
app.command()(power.power)
app.command()(analyze.analyze)
app.command()(report.report)
app.command()(train.train)
app.command()(evaluate.evaluate)
app.add_typer(cohort.app, name="cohort")
app.add_typer(model.app, name="model")
samplesize.app.command()(samplesize_twins.twins)
app.add_typer(samplesize.app, name="samplesize")
app.add_typer(study.app, name="study")


def main() -> None:
    """Run the command line."""
    app()
