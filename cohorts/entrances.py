"""Calls from a user's own code, held against the types that the function itself states.

What is exported bears `entrance`; a wrong argument is then one sentence, where Python alone would
fail somewhere inside. Ranges and names are checked by whoever knows them.
"""

import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from functools import cache, wraps
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from cohorts.errors import ArgumentError

Entrance = TypeVar("Entrance", bound=Callable[..., Any])

Names = list[str] | tuple[str, ...]
"""Several names: a `Sequence[str]` would let a type checker take one name for its letters."""

_WORDS: Final[Mapping[object, str]] = {
    float: "a number",
    int: "a whole number",
    str: "text",
    bool: "True or False",
    Path: "a path",
}
_ARRAY_LIKE: Final = {*typing.get_args(npt.ArrayLike)}
_KINDS: Final[Mapping[object, type]] = {float: Real, int: Integral}


def entrance(thing: Entrance) -> Entrance:
    """Refuse arguments of another type than `thing` states for them.

    Parameters
    ----------
    thing
        A function, or a class, whose constructor and public methods, also those that it has of its
        base, are then entrances.

    Examples
    --------
    >>> @entrance
    ... def double(number: float) -> float:
    ...     return 2 * number
    >>> double("two")
    Traceback (most recent call last):
    cohorts.errors.ArgumentError: double: number must be a number, got 'two'.
    """
    if not isinstance(thing, type):
        return typing.cast("Entrance", _guard(thing, thing.__name__))
    members = {
        name: member for kind in reversed(thing.__mro__[:-1]) for name, member in vars(kind).items()
    }
    for name, member in members.items():
        if name == "__init__":
            setattr(thing, name, _guard(member, thing.__name__))
        elif isinstance(member, classmethod):
            guarded = _guard(member.__func__, f"{thing.__name__}.{name}")
            setattr(thing, name, classmethod(guarded))
        elif inspect.isfunction(member) and not name.startswith("_"):
            setattr(thing, name, _guard(member, f"{thing.__name__}.{name}"))
    return typing.cast("Entrance", thing)


def _guard(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    signature = inspect.signature(function)
    further = _list_further(function)
    known = [*signature.parameters, *further]
    kinds = {one.kind for one in signature.parameters.values()}
    takes_any = inspect.Parameter.VAR_KEYWORD in kinds and not further

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        unknown = [] if takes_any else [key for key in kwargs if key not in known]
        if unknown:
            raise ArgumentError(*(f"{name}: {_tell_unknown(key, known)}" for key in unknown))
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"{name}: {error}.") from None
        problems = [
            f"{name}: {key} must be {_describe(hint)}, got {_show(value)}."
            for key, value, hint in _pair(function, bound)
            if not _fits(value, hint)
        ]
        if problems:
            raise ArgumentError(*problems)
        return function(*args, **kwargs)

    return guarded


def _pair(
    function: Callable[..., Any], bound: inspect.BoundArguments
) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, value and stated type of each argument."""
    hints = _read_hints(function)
    for key, value in bound.arguments.items():
        kind, hint = bound.signature.parameters[key].kind, hints.get(key, Any)
        if kind is inspect.Parameter.VAR_KEYWORD:
            further = _list_further(function)
            yield from ((one, given, further.get(one, Any)) for one, given in value.items())
        elif kind is not inspect.Parameter.VAR_POSITIONAL:
            yield key, value, hint


@cache
def _read_hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    hints: dict[str, Any] = {}
    for key, stated in function.__annotations__.items():
        one = types.SimpleNamespace(__annotations__={key: stated})
        with suppress(NameError, TypeError):  # what only type checkers understand
            hints |= typing.get_type_hints(one, globalns=function.__globals__)
    return hints


def _list_further(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the types of keyword arguments that a `TypedDict` states together."""
    for stated in _read_hints(function).values():
        if typing.get_origin(stated) is typing.Unpack:
            return typing.get_type_hints(typing.get_args(stated)[0])
    return {}


def _tell_unknown(key: str, known: list[str]) -> str:
    close = get_close_matches(key, known, n=1)
    return f"there is no argument {key}{f', did you mean {close[0]}' if close else ''}."


def _fits(value: object, hint: Any) -> bool:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if _holds_arrays(inner):
            inner = tuple(one for one in inner if one not in _ARRAY_LIKE)
            if not isinstance(value, str | bytes | None):
                return True
        return any(_fits(value, one) for one in inner)
    if origin is typing.Annotated:
        return _fits(value, inner[0])
    if origin is Literal:
        # which of them is told by the function, in its own words
        return isinstance(value, tuple({type(one) for one in inner}))
    kind = origin or hint
    if kind is None or kind is type(None):
        return value is None
    if kind is Any or not isinstance(kind, type) or typing.is_typeddict(kind):
        return True
    if getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False):
        return True
    if issubclass(kind, np.ndarray):
        return _is_collection(value)
    if issubclass(kind, Collection) and not issubclass(kind, Mapping | str | bytes):
        return _is_collection(value) and all(_fits(one, hint) for one, hint in _zip(value, inner))
    return isinstance(value, _KINDS.get(kind, kind))


def _holds_arrays(hints: tuple[Any, ...]) -> bool:
    return {*hints} >= _ARRAY_LIKE


def _is_collection(value: object) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)


def _zip(values: Any, inner: tuple[Any, ...]) -> Iterator[tuple[object, Any]]:
    """Yield the items of plain lists with their stated type; arrays and tables know their own."""
    if inner and isinstance(values, list | tuple):
        yield from ((one, inner[0]) for one in values)


def _describe(hint: Any) -> str:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        named = [one for one in inner if one is not type(None)]
        if _holds_arrays(inner):
            named = [float, np.ndarray, *(one for one in named if one not in _ARRAY_LIKE)]
        return " or ".join(dict.fromkeys(map(_describe, named)))
    if origin is typing.Annotated:
        return _describe(inner[0])
    if origin is Literal:
        return " or ".join(map(repr, inner))
    kind = origin or hint
    if kind in _WORDS:
        return _WORDS[kind]
    if kind is np.ndarray:
        return "an array of numbers"
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return "a mapping"
    if isinstance(kind, type) and issubclass(kind, Collection) and inner:
        return f"a list, each {_describe(inner[0])}"
    if kind is Callable or (origin is not None and not isinstance(kind, type)):
        return "a function"
    return f"of type {getattr(kind, '__name__', kind)}"


def _show(value: object) -> str:
    """Return plain values as they are, of others only what they are: they may hold data."""
    plain = str | int | float | None
    if isinstance(value, plain) or (
        isinstance(value, list | tuple) and all(isinstance(one, plain) for one in value)
    ):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    return f"a {type(value).__name__}"
