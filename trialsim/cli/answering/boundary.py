"""The last boundary: whatever a command raises ends in sentences on stderr and an exit code.

A fault of this program is told in one sentence with a crash file, which can be passed on: it holds
where the fault was, not what the data were.
"""

import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from os.path import expanduser
from typing import Any

import typer
from typer.core import TyperGroup

from cohorts.errors import TrialsimError
from cohorts.identifiers import show_plainly
from trialsim.cli.answering.crash_file import write_crash_file
from trialsim.cli.answering.extras import describe_missing_extra
from trialsim.cli.answering.usage import point_to_place
from trialsim.cli.asking.once import refuse_unclear
from trialsim.cli.start import INTERRUPTED

FAILED = 1


def end_command(error: BaseException, *, debug: bool) -> int:
    """Tell what ended a command, and return its exit code.

    Parameters
    ----------
    error
        What it raised.
    debug
        Whether a fault of this program is shown with its traceback.
    """
    match error:
        case TrialsimError():
            _tell(*error.problems)
        case KeyboardInterrupt():
            typer.echo(
                "Interrupted. What was finished is kept; the same command goes on.", err=True
            )
            return INTERRUPTED
        case BrokenPipeError():
            # whoever read the output has closed it; nothing more can be written there
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        case ModuleNotFoundError() if missing := describe_missing_extra(error):
            _tell(missing)
        case OSError() if error.strerror:
            _tell(f"{error.filename or 'A file'} cannot be used: {error.strerror}.")
        case MemoryError():
            _tell("Memory does not suffice for this: use fewer people or fewer simulations.")
        case RecursionError():
            _tell("The input is nested too deeply to be read.")
        case _:
            _tell_fault(error, debug=debug)
    return FAILED


def _tell(*problems: str) -> None:
    for problem in problems:
        # what a file holds must not be what a terminal obeys
        typer.echo(f"Error: {show_plainly(problem)}", err=True)


def _tell_fault(error: BaseException, *, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    path = write_crash_file(error)
    where = f"{path} says where" if path else "no file could be written that says where"
    _tell(
        f"This is a fault of trialsim ({type(error).__name__}), not of your data; {where}. "
        "Please report it with that file, or run with `trialsim --debug ...` to see more."
    )


class ErrorReportingGroup(TyperGroup):
    """A command group that ends every command in sentences on stderr and an exit code.

    It also reads `~/` as the home folder in `--option=~/path`, which shells leave as it is, and
    refuses a home that nobody has.
    """

    def make_context(self, *args: Any, **settings: Any) -> Any:
        """Read what was typed; `--version` and `--help` are answered here."""
        with _ending(debug=False):
            return super().make_context(*args, **settings)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the command, and the rest."""
        typed = [_expand_home(argument) for argument in args]
        rest = super().parse_args(ctx, [*typed])
        refuse_unclear(self, ctx, typed)
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        with _ending(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


@contextmanager
def _ending(*, debug: bool) -> Iterator[None]:
    try:
        yield
    except typer.Abort:
        raise
    except (Exception, KeyboardInterrupt) as error:
        # those of Typer: the end of a command, or a mistake in its options
        if hasattr(error, "exit_code"):
            point_to_place(error)
            raise
        raise typer.Exit(end_command(error, debug=debug)) from error


def _expand_home(argument: str) -> str:
    option, equals, _ = argument.partition("=")
    start = f"{option}=" if option.startswith("--") and equals else ""
    path = argument.removeprefix(start)
    expanded = expanduser(path)
    if re.match(r"~[\w.-]*/", expanded):
        home = expanded.partition("/")[0]
        raise typer.BadParameter(f"there is no home folder {home}", param_hint=path)
    return start + expanded
