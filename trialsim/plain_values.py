"""Frozen dataclasses made of plain values, as the tables of a protocol hold them."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from trialsim.errors import DesignError

Kind = TypeVar("Kind")


def build_from_values(
    kind: type[Kind],
    values: Mapping[str, Any],
    source: str,
    *,
    examples: Mapping[str, str] | None = None,
) -> Kind:
    """Return a dataclass of the values of its fields.

    Parameters
    ----------
    kind
        The dataclass.
    values
        By the name of a field.
    source
        Where they are written; begins each sentence.
    examples
        By the name of a field without a default, what could be written.

    Raises
    ------
    DesignError
        One sentence for each key that is unknown or missing; a value of the wrong type, or one that
        cannot be.
    """
    own: Any = kind
    known = {one.name: one for one in fields(own)}
    needed = [
        name
        for name, one in known.items()
        if one.default is MISSING and one.default_factory is MISSING
    ]
    problems = [
        f"{source}: {key} is not known; there are {', '.join(known)}."
        for key in values
        if key not in known
    ]
    such_as = {name: f", such as {text}" for name, text in (examples or {}).items()}
    problems += [
        f"{source}: {key} is missing{such_as.get(key, '')}." for key in needed if key not in values
    ]
    if problems:
        raise DesignError(*problems)
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise DesignError(f"{source}: a value has the wrong type ({error}).") from error
