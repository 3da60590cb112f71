"""Public names of a package, imported when they are first used.

A package writes its imports once, where only type checkers read them, and lets `attach` do them::

    if TYPE_CHECKING:
        from cohorts.cohort import Cohort
    else:
        __getattr__, __dir__ = attach(__name__)
"""

import ast
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
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
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    homes = dict(_list_homes(tree))

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home, original = homes[name]
        if home == package:
            return import_module(f"{package}.{original}")
        return getattr(import_module(home), original)

    return find, lambda: sorted({*vars(module), *homes} - _MACHINERY)


def _list_homes(tree: ast.Module) -> Iterator[tuple[str, Home]]:
    for block in tree.body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for statement in block.body:
                if isinstance(statement, ast.ImportFrom):
                    for name in statement.names:
                        yield name.asname or name.name, (str(statement.module), name.name)
