"""What a page is made of, before anyone decides how it looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import pandas as pd

if TYPE_CHECKING:
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


_WORDY: Final = 48
"""Characters of a cell."""


@dataclass(frozen=True)
class Table:
    """A table that can be sorted and copied.

    Parameters
    ----------
    name
        For links and files.
    title
        What stands above it.
    columns, rows
        The heads, and one tuple of cells a row.
    sources
        The runs that its numbers came from.
    note
        What stands below it.
    is_data
        Whether it tells of people, real or synthetic, and not of the software or the method.
    label
        `Table 3`, given when the page is complete.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sources: tuple[RunReference, ...] = ()
    note: str = ""
    is_data: bool = True
    label: str = ""

    def is_wordy(self, place: int) -> bool:
        """Whether a column holds sentences, which a narrow one stretches over many lines."""
        return any(len(row[place].text) > _WORDY for row in self.rows)


@dataclass(frozen=True)
class Picture:
    """A figure with its caption, its description for those who cannot see it, and its data.

    The label, `Figure 3`, is given when the page is complete.
    """

    name: str
    title: str
    description: str
    figure: "Figure"
    data: Mapping[str, pd.DataFrame]
    sources: tuple[RunReference, ...] = ()
    label: str = ""


@dataclass(frozen=True)
class Listing:
    """Text as it is typed: command lines, a configuration."""

    title: str
    lines: tuple[str, ...]


Block = Paragraph | Table | Picture | Listing


@dataclass(frozen=True)
class Section:
    """One part of the page; its number, `3` or `A`, is given when the page is complete."""

    title: str
    blocks: tuple[Block, ...]
    number: str = ""
    is_appendix: bool = False

    @property
    def anchor(self) -> str:
        """The id that links point to."""
        return f"section-{self.number.lower()}"


class KeyNumber(NamedTuple):
    """One number of the answer, with its 95 % interval where there is one."""

    label: str
    value: str
    interval: str


@dataclass(frozen=True)
class Answer:
    """What the study says, in sentences, beside the figure that decides.

    Parameters
    ----------
    headline, details
        The first sentences, and the others.
    sources
        The runs that the numbers came from.
    numbers
        The most important numbers.
    picture
        What each choice needs and costs.
    notes
        What changes how the answer is to be read.
    caution
        With what the headline starts where the result is not settled: what is not known of it, and
        what would settle it.
    """

    headline: str
    details: tuple[str, ...] = ()
    sources: tuple[RunReference, ...] = ()
    numbers: tuple[KeyNumber, ...] = ()
    picture: Picture | None = None
    notes: tuple[str, ...] = ()
    caution: str = ""

    @property
    def result(self) -> str:
        """The headline after what is not known."""
        return self.headline.removeprefix(self.caution).lstrip()


@dataclass(frozen=True)
class Page:
    """A whole report, with the moment at which it was written."""

    title: str
    answer: Answer
    sections: tuple[Section, ...]
    runs: tuple[RunReference, ...]
    is_synthetic: bool
    written: datetime
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every figure of the page, in its order."""
        first = [self.answer.picture] if self.answer.picture else []
        blocks = (block for section in self.sections for block in section.blocks)
        return (*first, *(block for block in blocks if isinstance(block, Picture)))
