"""What does blocks of a computation somewhere else."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]
"""What becomes of a block: numbers, truth values, by name."""


class Spread(Protocol):
    """Does blocks in any order and anywhere, and gives what became of them in theirs.

    The simulation of trials and the bootstrap take one in place of a number of threads. Whatever
    is to be spread needs a function of a block that gives `Arrays` and depends on nothing but its
    own attributes, such as a frozen dataclass with `__call__`.
    """

    def __call__(self, work: Callable[[Any], Arrays], blocks: Sequence[Any], /) -> Iterator[Arrays]:
        """Yield `work(block)` of each block, in order."""
        ...


Workers = int | Spread | None
"""Threads, all cores when None; or what spreads the work further."""
