"""Options that are given once: of two values the later one would win, and nobody be told."""

from collections import Counter
from typing import Any

import typer
from typer.core import TyperCommand


class Commands(typer.Typer):
    """Commands that refuse an option which is given again, unless it is one of several values."""

    def command(self, name: str | None = None, **settings: Any) -> Any:
        """Return what makes a function one of the commands."""
        return super().command(name, cls=OneOfEach, **settings)


class OneOfEach(TyperCommand):
    """A command whose options are given once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what was typed, then look for an option that came again."""
        typed = [*args]
        rest = super().parse_args(ctx, args)
        refuse_repeated(self, ctx, typed)
        return rest


def refuse_repeated(command: Any, context: Any, typed: list[str]) -> None:
    """Refuse an option that was given again, of which only the last value would count.

    Parameters
    ----------
    command, context
        Of Typer.
    typed
        The words after the command's name.

    Raises
    ------
    typer.BadParameter
        Naming the first such option. A switch that is given again says nothing else.
    """
    if context.resilient_parsing:
        return
    _, _, order = command.make_parser(context).parse_args(typed)
    # an argument comes once
    for option in (one for one, n in Counter(order).items() if n > 1):
        says_the_same = option.is_flag and not option.secondary_opts
        if not (option.multiple or says_the_same):
            raise typer.BadParameter(
                "given again, and only the last would count; give it once, with all its values.",
                ctx=context,
                param=option,
            )
