"""The tables of a page as a trial's outputs: title, table, footnote, source line."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from reports.page.content import Listing, Page, RunReference, Table

_NARROWEST: Final = 6
_WIDEST: Final = 40
"""Letters of the column that is given the least and the most room."""

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
    return (*marked, page.answer.headline, *page.answer.details, *notes)


def _describe_source(page: Page, runs: tuple[RunReference, ...]) -> str:
    facts = dict(page.facts)
    seeded = (f"{run.run_id}{'' if run.seed is None else f' (seed {run.seed})'}" for run in runs)
    parts = [f"study file {facts['Study file']}" if "Study file" in facts else "", *seeded]
    written = f"written {facts['Written']}" if "Written" in facts else ""
    return f"Source: {', '.join(filter(None, [*parts, written]))}."


def share_width(table: Table) -> list[float]:
    """Return the share of a page's width that each column takes, by its longest text.

    A title may be broken between words, what stands under it rather not; text of a sentence's
    length is broken in any case, and leaves the others their room.
    """
    widths = []
    for place, column in enumerate(table.columns):
        cells = max((len(row[place].text) for row in table.rows), default=0)
        word = max(map(len, column.title.split()), default=0)
        widths.append(min(max(cells, word, _NARROWEST), _WIDEST))
    return [width / sum(widths) for width in widths]


def join_lines(text: str) -> str:
    """Return `text` on one line; spaces that keep a number beside its unit stay."""
    return " ".join(_BREAKS.split(text)).strip(" ")
