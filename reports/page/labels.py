"""Numbers of sections, tables and figures, so that each can be cited; numbers beside their unit."""

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from typing import Final

from reports.page.content import Block, Page, Paragraph, Picture, Section, Table

_SPLIT: Final = re.compile(r"(?<=\d) (?=%|million\b|mm³)")


def number_sections(sections: Iterable[Section]) -> tuple[Section, ...]:
    """Return the sections with their numbers, those of the appendix with letters."""
    numbers, letters = count(1), iter("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return tuple(
        replace(section, number=next(letters) if section.is_appendix else str(next(numbers)))
        for section in sections
    )


def label_blocks(page: Page) -> Page:
    """Return the page with `Table 1`, `Figure 1` and so on, in the order of reading.

    Tables of the appendix go on in the same row of numbers. No line ends between a number and its
    unit, whatever wrote them.
    """
    numbers = {Table: count(1), Picture: count(1)}

    def label(block: Block) -> Block:
        match block:
            case Table():
                return replace(
                    block,
                    label=f"Table {next(numbers[Table])}",
                    title=_keep(block.title),
                    note=_keep(block.note),
                )
            case Picture():
                return draw(block)
            case Paragraph():
                return replace(block, text=_keep(block.text))
        return block

    def draw(picture: Picture) -> Picture:
        title = _keep(picture.title)
        return replace(picture, label=f"Figure {next(numbers[Picture])}", title=title)

    first = page.answer
    answer = replace(
        first,
        headline=_keep(first.headline),
        caution=_keep(first.caution),
        details=tuple(map(_keep, first.details)),
        notes=tuple(map(_keep, first.notes)),
        picture=None if first.picture is None else draw(first.picture),
    )
    sections = tuple(
        replace(section, blocks=tuple(label(block) for block in section.blocks))
        for section in page.sections
    )
    return replace(page, answer=answer, sections=sections)


def _keep(text: str) -> str:
    return _SPLIT.sub("\u00a0", text)
