"""Options that are keys of the protocol: one table of their words, one way to read them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from trialsim.cli.asking.asked import Asked
from trialsim.cli.asking.key_options import OPTIONS, Option
from trialsim.cli.asking.options import declare, name_command
from trialsim.cli.asking.recording import (
    DEFAULT_STUDY,
    CohortArgument,
    JsonOption,
    OutputOption,
    QuietOption,
    StudyOption,
)
from trialsim.study.keys import KEYS

SettingOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value of any other key of the protocol; repeatable."),
]


def asking(
    *names: str, further: Mapping[str, Option] | None = None
) -> Callable[[Callable[[Asked], None]], Callable[..., None]]:
    """Give a command the options of these keys, beside those that all have.

    Parameters
    ----------
    *names
        Of `OPTIONS`, in the order of the help.
    further
        Options that are no keys of the protocol, by name.
    """
    others = further or {}
    own = {name: OPTIONS[name] for name in (*names, "seed")}

    def wrap(work: Callable[[Asked], None]) -> Callable[..., None]:
        def command(
            cohort: Path | None,
            study: Path,
            settings: list[str] | None,
            output: Path | None,
            as_json: bool,
            quiet: bool,
            **given: Any,
        ) -> None:
            stated = {KEYS[name]: _read(own[name], given[name]) for name in own}
            stated[KEYS["cohort"]] = cohort
            rest = {name: _take(option, given[name]) for name, option in others.items()}
            work(Asked(study, stated, tuple(settings or ()), as_json, quiet, output, rest))

        shared = {
            "settings": (SettingOption, None),
            "output": (OutputOption, None),
            "as_json": (JsonOption, False),
            "quiet": (QuietOption, False),
        }
        parameters = [
            declare("cohort", CohortArgument, None),
            declare("study", StudyOption, DEFAULT_STUDY),
            *(
                declare(name, _annotate(name, option), None)
                for name, option in (own | {**others}).items()
            ),
            *(declare(name, kind, default) for name, (kind, default) in shared.items()),
        ]
        return name_command(command, work, parameters)

    return wrap


def _annotate(name: str, option: Option) -> Any:
    flag = option.flag or f"--{name.replace('_', '-')}"
    flags = f"{flag}/--no-{flag[2:]}" if option.kind is bool else flag
    return Annotated[option.kind | None, typer.Option(flags, help=option.text)]


def _read(option: Option, value: Any) -> Any:
    from trialsim.study.question import parse_value

    if not option.is_list or value is None:
        return parse_value(value) if option.kind is str and value is not None else value
    return [parse_value(part) for part in _split(value)]


def _take(option: Option, value: Any) -> Any:
    """Return what was typed, as it was: a person may be called 1e3 or true."""
    return _split(value) if option.is_list and value is not None else value


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
