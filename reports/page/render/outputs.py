"""The tables of a page as a trial's outputs: title, table, footnote, source line."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from reports.page.content import Listing, Page, RunReference, Table

_ROOM: Final = 100
_WIDEST: Final = 40
_PADDING: Final = 3
"""Letters beside each other on a page, in the widest column, and at the sides of a cell."""

_BREAKS: Final = re.compile(r"[ \t\n\r\f\v]+")


class Output(NamedTuple):
    """One table as it is handed over: what stands above it and what below it."""

    title: str
    table: Table
    footnotes: tuple[str, ...]


def list_outputs(page: Page) -> Iterator[Output]:
    """Yield every table of the page with its footnotes; the last one is the source line."""
    for section in page.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                notes = (block.note, _describe_source(page, block.sources))
                yield Output(f"{block.label}. {block.title}", block, tuple(filter(None, notes)))


def list_texts(page: Page) -> Iterator[Listing]:
    """Yield the paragraphs that are written to be pasted into a protocol."""
    for section in page.sections:
        if not section.is_appendix:
            yield from (block for block in section.blocks if isinstance(block, Listing))


def list_answer(page: Page) -> tuple[str, ...]:
    """Return the sentences that stand before the tables."""
    synthetic = "SYNTHETIC DATA: no number here describes real patients."
    notes = (f"Note: {note}" for note in page.answer.notes)
    marked = (synthetic,) if page.is_synthetic else ()
    first = filter(None, (page.answer.caution, page.answer.result))
    return (*marked, *first, *page.answer.details, *notes)


def _describe_source(page: Page, runs: tuple[RunReference, ...]) -> str:
    facts = dict(page.facts)
    seeded = (f"{run.run_id}{'' if run.seed is None else f' (seed {run.seed})'}" for run in runs)
    parts = [f"study file {facts['Study file']}" if "Study file" in facts else "", *seeded]
    written = f"written {facts['Written']}" if "Written" in facts else ""
    return f"Source: {', '.join(filter(None, [*parts, written]))}."


def share_width(table: Table) -> list[float]:
    """Return the share of a page's width that each column takes.

    Each is as wide as its longest text; where a page has no room for that, the widest columns are
    narrowed first, and none below its longest word.

    Examples
    --------
    >>> from reports.page.content import Cell, Column
    >>> row = (Cell("BrLP", ""), Cell("a sentence " * 30, ""))
    >>> name, text = share_width(Table("t", "T", (Column("Strategy"), Column("What")), (row,)))
    >>> round(name, 2), round(text, 2)
    (0.2, 0.8)
    """
    columns = list(zip(*([cell.text for cell in row] for row in table.rows), strict=True))
    wanted, least = [], []
    for place, column in enumerate(table.columns):
        texts = columns[place] if columns else ()
        words = [len(word) for text in (column.title, *texts) for word in text.split(" ")]
        least.append(_PADDING + min(max(words), _WIDEST))
        longest = max(map(len, texts), default=0)
        wanted.append(max(_PADDING + min(longest, _WIDEST), least[-1]))
    widths, cap = wanted, max(wanted)
    while sum(widths) > _ROOM and cap > min(least):
        cap -= 1
        widths = [max(own, min(full, cap)) for own, full in zip(least, wanted, strict=True)]
    return [width / sum(widths) for width in widths]


def join_lines(text: str) -> str:
    """Return `text` on one line; spaces that keep a number beside its unit stay."""
    return " ".join(_BREAKS.split(text)).strip(" ")
