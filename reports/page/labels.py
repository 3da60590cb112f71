"""Numbers of sections, tables and figures, so that each can be cited."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import count

from reports.page.content import Block, Page, Picture, Section, Table


def number_sections(sections: Iterable[Section]) -> tuple[Section, ...]:
    """Return the sections with their numbers, those of the appendix with letters."""
    numbers, letters = count(1), iter("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return tuple(
        replace(section, number=next(letters) if section.is_appendix else str(next(numbers)))
        for section in sections
    )


def label_blocks(page: Page) -> Page:
    """Return the page with `Table 1`, `Figure 1` and so on, in the order of reading.

    Tables of the appendix go on in the same row of numbers.
    """
    numbers = {Table: count(1), Picture: count(1)}

    def label(block: Block) -> Block:
        match block:
            case Table():
                return replace(block, label=f"Table {next(numbers[Table])}")
            case Picture():
                return replace(block, label=f"Figure {next(numbers[Picture])}")
        return block

    picture = page.answer.picture
    first = None if picture is None else replace(picture, label=f"Figure {next(numbers[Picture])}")
    sections = tuple(
        replace(section, blocks=tuple(label(block) for block in section.blocks))
        for section in page.sections
    )
    return replace(page, answer=replace(page.answer, picture=first), sections=sections)
