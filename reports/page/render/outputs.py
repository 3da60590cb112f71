"""The tables of a page as a trial's outputs: title, table, footnote, source line."""

from collections.abc import Iterator
from typing import NamedTuple

from reports.page.content import Listing, Page, RunReference, Table


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
    parts = [f"study {facts['Study file']}" if "Study file" in facts else "", *seeded]
    written = f"written {facts['Written']}" if "Written" in facts else ""
    return f"Source: {', '.join(filter(None, [*parts, written]))}."
