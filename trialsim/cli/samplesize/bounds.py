"""Bounds and places of looks, as they are typed."""

from typing import TYPE_CHECKING, Any

import typer

from cohorts.restated import find_restated
from trialsim.cli.asking.options import split_numbers

if TYPE_CHECKING:
    from trialsim.study.calculators.looks import Calendar


def read_boundary(text: str) -> str | dict[str, Any]:
    """Return a family's name, or what `z=3,2` or `posterior=0.1;minimum=0.5` state.

    Raises
    ------
    typer.BadParameter
        For what is stated with two values.
    """
    if "=" not in text:
        return text
    parts = [part.partition("=") for part in text.split(";")]
    pairs = [(key.strip(), value.strip()) for key, _, value in parts]
    if restated := find_restated(pairs):
        raise typer.BadParameter(f"{'; '.join(restated)}: one value is expected.")
    stated: dict[str, Any] = {}
    for key, value in pairs:
        stated[key] = value if value == "observed" else split_numbers(value, gaps=True)
        if key in ("effect", "minimum") and value != "observed":
            stated[key] = stated[key][0]
    return stated


def read_looks(delta: float | None, sd: float | None, *others: Any) -> "Calendar | None":
    """Return where looks are placed in time; None where nothing is stated of it."""
    from trialsim.errors import DesignError
    from trialsim.study.calculators.looks import Calendar

    if delta is None and sd is None:
        return None
    if delta is None or sd is None:
        raise DesignError("--delta and --sd go together: both place the looks in time.")
    return Calendar(delta, sd, *others)
