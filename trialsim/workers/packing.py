"""Results of a block as arrays by name, and back."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from trialsim.workers.spread import Arrays

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Part = TypeVar("Part", bound="DataclassInstance")


def pack(part: "DataclassInstance") -> Arrays:
    """Return a dataclass of arrays, numbers, and mappings to dataclasses of these, as arrays."""
    arrays: Arrays = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, dict):
            for name, inner in value.items():
                own = {f"{field.name}/{name}/{k}": array for k, array in pack(inner).items()}
                arrays |= own
        else:
            arrays[field.name] = np.asarray(value)
    return arrays


def unpack(kind: type[Part], arrays: Arrays, inner: "type[DataclassInstance]") -> Part:
    """Return what `pack` was given.

    Parameters
    ----------
    kind
        Its class.
    arrays
        What `pack` made.
    inner
        The class of what its mappings hold.
    """
    values: dict[str, Any] = {}
    nested: dict[str, dict[str, Arrays]] = {}
    for name, array in arrays.items():
        outer, slash, rest = name.partition("/")
        if slash:
            middle, _, last = rest.partition("/")
            nested.setdefault(outer, {}).setdefault(middle, {})[last] = array
        else:
            values[outer] = array if array.ndim else array.item()
    for outer, by_name in nested.items():
        values[outer] = {name: inner(**own) for name, own in by_name.items()}
    return kind(**values)
