"""Public names of a package, imported when they are first used.

A package writes its imports once, where only type checkers read them, and lets `attach` do them::

    if TYPE_CHECKING:
        from cohorts.cohort import Cohort
    else:
        __getattr__, __dir__ = attach(__name__)
"""

# Next to nothing is imported before a name is asked for: what comes first of a program is a package
# with such names, and until it is there an interrupt ends in a traceback (`trialsim.cli.start`).
from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    Home = tuple[str, str]
    """The module of a name, and what it is called there."""

_MACHINERY: Final = {"TYPE_CHECKING", "attach"}
"""What a package imports for this alone, which nobody looks for in it."""


def attach(package: str) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package, from its imports for type checkers.

    Parameters
    ----------
    package
        Its `__name__`, while it is being imported.

    Examples
    --------
    >>> import cohorts.synthetic
    >>> "synthesize_table" in dir(cohorts.synthetic)
    True
    """
    module = sys.modules[package]
    known: dict[str, Home] = {}

    def read() -> dict[str, Home]:
        if not known:
            known.update(_list_homes(str(module.__file__)))
        return known

    def find(name: str) -> object:
        from importlib import import_module

        # what Python itself asks a package for is none of its names
        if name.startswith("__") or name not in read():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home, original = read()[name]
        if home == package:
            return import_module(f"{package}.{original}")
        return getattr(import_module(home), original)

    return find, lambda: sorted({*vars(module), *read()} - _MACHINERY)


def _list_homes(file: str) -> Iterator[tuple[str, Home]]:
    import ast
    from pathlib import Path

    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    for block in tree.body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for statement in block.body:
                if isinstance(statement, ast.ImportFrom):
                    for name in statement.names:
                        yield name.asname or name.name, (str(statement.module), name.name)
