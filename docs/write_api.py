"""Write the reference of `import trialsim` from its docstrings: `docs/api.md`."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import trialsim

HEAD = """# What `import trialsim as ts` offers

Written by `make docs` from the docstrings. Errors that a user can mend are
`cohorts.errors.TrialsimError`.
"""


def describe_functions() -> str:
    """Return the reference as Markdown."""
    return "\n".join([HEAD, *_list_parts()])


def _list_parts() -> Iterator[str]:
    for name in trialsim.__all__:
        thing = getattr(trialsim, name)
        if inspect.isfunction(thing):
            yield f"## {name}\n\n```python\n{name}{_sign(thing)}\n```\n"
            yield f"```text\n{_read(thing)}\n```\n"
        elif inspect.isclass(thing):
            yield f"## {name}\n\n```text\n{_read(thing)}\n```\n"
            yield from _list_sections(thing)
            yield from _list_members(name, thing)
        elif inspect.ismodule(thing):
            yield f"## {name}\n\n{_read(thing)}\n"
            yield "\n".join(f"- `ts.{name}.{one}`" for one in thing.__all__) + "\n"


def _list_sections(kind: type) -> Iterator[str]:
    for section, field in getattr(kind, "model_fields", {}).items():
        homes = (field.annotation, *get_args(field.annotation))
        keys = [key for home in homes for key in _list_keys(home)]
        yield f"- `{section}`: {', '.join(f'`{key}`' for key in keys)}"


def _list_keys(home: object) -> list[str]:
    return list(getattr(home, "model_fields", getattr(home, "__dataclass_fields__", {})))


def _list_members(owner: str, kind: type) -> Iterator[str]:
    for name in _list_names(kind):
        member = inspect.getattr_static(kind, name)
        function = getattr(member, "fget", None) or getattr(member, "func", None) or member
        if not name.startswith("_") and inspect.isfunction(function):
            call = _sign(function) if function is member else ""
            first = _read(function).splitlines()[0]
            yield f"- `{owner}.{name}{call}`: {first}"
    yield ""


def _list_names(kind: type) -> Iterator[str]:
    """Yield what a class has of its own and of a base in the same package, the base's first."""
    package = kind.__module__.partition(".")[0]
    own = [one for one in kind.__mro__ if one.__module__.partition(".")[0] == package]
    yield from dict.fromkeys(name for one in reversed(own) for name in vars(one))


def _sign(thing: object) -> str:
    # how a path's class is called differs between systems and versions
    return re.sub(r"\b(pathlib\.(_local\.)?)?(Posix|Windows)?Path\b", "Path", _write(thing))


def _write(thing: object) -> str:
    return str(inspect.signature(thing)).replace("typing.", "")  # type: ignore[arg-type]


def _read(thing: object) -> str:
    return inspect.getdoc(thing) or ""


if __name__ == "__main__":
    Path(__file__).with_name("api.md").write_text(describe_functions(), encoding="utf-8")
