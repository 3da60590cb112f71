"""What is typed and would be lost without a word: of two values the first, and an empty path."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

Function = TypeVar("Function", bound=Callable[..., Any])


class Commands(typer.Typer):
    """Commands that refuse an option which is given again, unless it is one of several values."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Function], Function]:
        """Return what makes a function one of the commands."""
        return super().command(name, cls=OneOfEach, **settings)


class OneOfEach(TyperCommand):
    """A command whose options are given once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what was typed, then look for an option that came again."""
        typed = [*args]
        rest = super().parse_args(ctx, args)
        refuse_unclear(self, ctx, typed)
        return rest


def refuse_unclear(command: Any, context: Any, typed: list[str]) -> None:
    """Refuse an option that was given again, of which only the last value would count.

    So is an empty path refused, as of a variable of the shell that is not set: it would be the
    working folder.

    Parameters
    ----------
    command, context
        Of Typer, whose values are read.
    typed
        The words after the command's name.

    Raises
    ------
    typer.BadParameter
        Naming the first such option. A switch that is given again says nothing else.
    """
    if context.resilient_parsing:
        return
    values, _, order = command.make_parser(context).parse_args(typed)
    for one, n in Counter(order).items():
        if _has_empty_path(values[one.name], context.params.get(one.name)):
            raise typer.BadParameter("got nothing, a path is expected.", ctx=context, param=one)
        # an argument comes once
        if n > 1 and not (one.multiple or (one.is_flag and not one.secondary_opts)):
            raise typer.BadParameter(
                "given again, and only the last would count; give it once, with all its values.",
                ctx=context,
                param=one,
            )


def _has_empty_path(typed: Any, read: Any) -> bool:
    if isinstance(read, list | tuple):
        return any(map(_has_empty_path, typed, read))
    return typed == "" and isinstance(read, Path)
