"""Options that several commands have, written once and given to each."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature, signature
from typing import Any, NamedTuple

import typer

from trialsim.defaults import LAST_MONTH

Given = dict[str, Any]
"""What was typed for shared options, by name."""


class Shared(NamedTuple):
    """An option that commands share: how it is declared, its default."""

    annotation: Any
    default: Any = None


def sharing(
    name: str, options: Mapping[str, Shared], **defaults: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options after its own; their values come to it as one dictionary.

    Parameters
    ----------
    name
        The command's parameter that takes them.
    options
        By name.
    **defaults
        Of options whose default is another in this command.
    """

    def wrap(work: Callable[..., None]) -> Callable[..., None]:
        def command(**given: Any) -> None:
            shared = {key: given.pop(key) for key in options}
            work(**given, **{name: shared})

        own = [one for one in signature(work).parameters.values() if one.name != name]
        later = [
            declare(key, option.annotation, defaults.get(key, option.default))
            for key, option in options.items()
        ]
        return name_command(command, work, [*own, *later])

    return wrap


def declare(name: str, annotation: Any, default: Any) -> Parameter:
    """Return the parameter that makes an option of a command."""
    return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation)


def name_command(
    command: Callable[..., None], work: Callable[..., None], parameters: Sequence[Parameter]
) -> Callable[..., None]:
    """Let a command be called as `work` is, with these parameters."""
    command.__name__, command.__doc__ = work.__name__, work.__doc__
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__dict__["__signature__"] = Signature(parameters)
    return command


def refuse_typed(context: typer.Context, *names: str, reason: str) -> None:
    """Refuse options that were typed where they would change nothing.

    Parameters
    ----------
    context
        The command's.
    *names
        Of its parameters.
    reason
        What the options are for; ends the sentence.

    Raises
    ------
    DesignError
        Naming those that were typed.
    """
    from trialsim.errors import DesignError

    flags = {one.name: one.opts[0] for one in context.command.params}
    # told by its name: typer has a click of its own, which is not to be imported
    sources = {name: context.get_parameter_source(name) for name in names}
    typed = [flags[name] for name, one in sources.items() if one and one.name == "COMMANDLINE"]
    if typed:
        raise DesignError(f"{', '.join(typed)}: {reason}.")


def require_months(months: Any) -> Any:
    """Return months after baseline, one or several, as they were typed; for `callback`.

    Raises
    ------
    typer.BadParameter
        For a month at or before baseline, one that nobody is followed to, or none at all.
    """
    for month in months if isinstance(months, list) else [months]:
        if not 0 < month <= LAST_MONTH:
            raise typer.BadParameter(
                f"months after baseline lie above 0 and at most at {LAST_MONTH}, got {month:g}."
            )
    return months


def split_numbers(text: str, *, gaps: bool = False) -> list[float]:
    """Return the numbers of a list with commas.

    Parameters
    ----------
    text
        What was typed.
    gaps
        Whether an empty place is a missing number, NaN; it is passed over otherwise.

    Raises
    ------
    typer.BadParameter
        For text of another form.
    """
    parts = [part for part in text.split(",") if gaps or part.strip()]
    try:
        return [float(part) if part.strip() else float("nan") for part in parts]
    except ValueError as error:
        raise typer.BadParameter(f"expected numbers with commas, got {text!r}.") from error


def split_words(text: str) -> list[str]:
    """Return the words of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
