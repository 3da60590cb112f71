"""What a page is made of, before anyone decides how it looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure


@dataclass(frozen=True)
class RunReference:
    """The run that numbers came from.

    Parameters
    ----------
    run_id
        As in the study file.
    command
        The command line that makes the numbers again.
    seed
        The seed, where anything was random.
    """

    run_id: str
    command: str
    seed: int | None = None

    @property
    def summary(self) -> str:
        """One line for a tooltip."""
        seed = "" if self.seed is None else f", seed {self.seed}"
        return f"Run {self.run_id}{seed}: {self.command}"


class Cell(NamedTuple):
    """One cell: what is read, and what it is sorted by."""

    text: str
    sort: float | str


@dataclass(frozen=True)
class Column:
    """The head of a column: its title with unit, and whether it holds numbers."""

    title: str
    is_number: bool = False


@dataclass(frozen=True)
class Paragraph:
    """Plain words, with the runs that its numbers came from."""

    text: str
    sources: tuple[RunReference, ...] = ()
    is_warning: bool = False


@dataclass(frozen=True)
class Table:
    """A table that can be sorted and copied."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sources: tuple[RunReference, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure with its caption, its description for those who cannot see it, and its data."""

    name: str
    title: str
    description: str
    figure: Figure
    data: Mapping[str, pd.DataFrame]
    sources: tuple[RunReference, ...] = ()


@dataclass(frozen=True)
class Listing:
    """Text as it is typed: command lines, a configuration."""

    title: str
    lines: tuple[str, ...]


Block = Paragraph | Table | Picture | Listing


@dataclass(frozen=True)
class Section:
    """One numbered part of the page."""

    number: int
    title: str
    blocks: tuple[Block, ...]

    @property
    def anchor(self) -> str:
        """The id that links point to."""
        return f"section-{self.number}"


class KeyNumber(NamedTuple):
    """One number of the answer, with its 95 % interval where there is one."""

    label: str
    value: str
    interval: str


@dataclass(frozen=True)
class Answer:
    """What the study says, in sentences."""

    headline: str
    details: tuple[str, ...] = ()
    sources: tuple[RunReference, ...] = ()
    numbers: tuple[KeyNumber, ...] = ()


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    answer: Answer
    sections: tuple[Section, ...]
    runs: tuple[RunReference, ...]
    is_synthetic: bool
    warnings: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every figure of the page, in its order."""
        blocks = (block for section in self.sections for block in section.blocks)
        return tuple(block for block in blocks if isinstance(block, Picture))
