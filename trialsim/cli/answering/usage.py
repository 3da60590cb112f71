"""Mistakes of usage, told with the place where the command takes what was given elsewhere."""

from collections.abc import Mapping
from typing import Any, Final

_SAME: Final[Mapping[str, tuple[str, ...]]] = {
    "out": ("folder", "out", "bids"),
    "output": ("folder", "out", "bids"),
}
"""Arguments that say what an option of other commands says."""


def point_to_place(error: Any) -> None:
    """Add to a mistake of usage where this command takes what was meant.

    Parameters
    ----------
    error
        Of Typer: an option that the command does not have may be one of its arguments, and an
        argument too many the place where it writes.
    """
    command = getattr(getattr(error, "ctx", None), "command", None)
    params = getattr(command, "params", [])
    arguments = [one.name for one in params if one.param_type_name == "argument"]
    option = getattr(error, "option_name", None)
    if option:
        name = option.lstrip("-").replace("-", "_")
        for place in _SAME.get(name, (name,)):
            if place in arguments:
                error.possibilities = None
                error.message = f"No such option: {option}. Give {place} without an option's name."
                break
    elif "unexpected extra argument" in getattr(error, "message", "") and any(
        "--out" in one.opts for one in params
    ):
        error.message += ". Where this command writes is said by --out."
