"""How every command begins and ends."""

from os.path import expanduser
from typing import Any

import typer
from typer.core import TyperGroup

from trialsim.cli.boundary import end_command


class ErrorReportingGroup(TyperGroup):
    """A command group that ends every command in sentences on stderr and an exit code.

    It also reads `~/` as the home folder in `--option=~/path`, which shells leave as it is.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the command, and the rest."""
        return super().parse_args(ctx, [_expand_home(argument) for argument in args])

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except typer.Abort:
            raise
        except (Exception, KeyboardInterrupt) as error:
            # those of Typer: the end of a command, or a mistake in its options
            if hasattr(error, "exit_code"):
                raise
            raise typer.Exit(end_command(error, debug=bool(ctx.params.get("debug")))) from error


def _expand_home(argument: str) -> str:
    option, equals, value = argument.partition("=")
    if option.startswith("--") and equals:
        return f"{option}={expanduser(value)}"
    return expanduser(argument)
