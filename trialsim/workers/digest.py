"""One name for everything that a computation depends on."""

import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import PurePath
from types import FunctionType
from typing import Any

import numpy as np
import pandas as pd


def compute_digest(*values: Any) -> str:
    """Return SHA-256 of values of any kind: numbers, text, tables, arrays, objects of these.

    Objects count by their class and attributes, functions by their name.

    Examples
    --------
    >>> compute_digest({"a": [1, 2.0]}) == compute_digest({"a": [1, 2.0]})
    True
    >>> compute_digest({"a": [1, 2.0]}) == compute_digest({"a": [1, 2.5]})
    False
    """
    found = hashlib.sha256()
    _feed(found, values)
    return found.hexdigest()


def _feed(found: Any, value: Any) -> None:
    found.update(f"{type(value).__module__}.{type(value).__qualname__}:".encode())
    match value:
        case np.ndarray():
            found.update(f"{value.dtype}{value.shape}".encode())
            found.update(np.ascontiguousarray(value).data)
        case pd.DataFrame():
            _feed(found, [value.index, *value.columns])
            for _, column in value.items():
                _feed(found, column.array)
        case pd.Series():
            _feed(found, [value.name, value.index, value.array])
        case pd.Index() | pd.api.extensions.ExtensionArray():
            found.update(str(value.dtype).encode())
            found.update(np.ascontiguousarray(pd.util.hash_array(np.asarray(value))).data)
        case bytes():
            found.update(value)
        case Mapping():
            _feed(found, [part for pair in value.items() for part in pair])
        case Set():
            _feed(found, sorted(value, key=repr))
        case str() | PurePath() | range() | np.generic() | int() | float() | None:
            found.update(f"{value!r};".encode())
        case Sequence():
            found.update(f"{len(value)}".encode())
            for part in value:
                _feed(found, part)
        case FunctionType() | type():
            found.update(f"{value.__module__}.{value.__qualname__};".encode())
        case partial():
            _feed(found, [value.func, value.args, value.keywords])
        case _ if is_dataclass(value):
            _feed(found, {field.name: getattr(value, field.name) for field in fields(value)})
        case _ if getattr(value, "__dict__", None):
            _feed(found, vars(value))
        case _:
            raise TypeError(f"{type(value).__qualname__} has no attributes to be told apart by.")
