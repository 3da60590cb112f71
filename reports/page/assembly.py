"""A page of a study: its answer and its sections, with what stands on every page."""

from collections.abc import Iterable
from datetime import datetime

from reports.figures.style import mark_synthetic
from reports.page.content import Answer, Page, Paragraph, Section
from reports.page.formats import show_now, show_text
from reports.page.gather import StudyFacts
from reports.page.labels import label_blocks


def assemble_page(
    facts: StudyFacts,
    answer: Answer,
    sections: tuple[Section, ...],
    *,
    title: str,
    moment: datetime,
) -> Page:
    """Return the page, labelled, with its runs and its date, and marked where data are synthetic.

    Parameters
    ----------
    facts
        What it was made from.
    answer, sections
        What it says, in this order.
    title
        Of the page; shown up to 300 characters.
    moment
        When it is written, with its time zone.
    """
    runs = facts.current_runs()
    page = Page(
        title=show_text(title, limit=300),
        answer=answer,
        sections=sections,
        runs=runs,
        is_synthetic=facts.is_synthetic,
        written=moment,
        facts=(
            ("Study file", facts.study.path.name),
            ("Runs on this page", str(len(runs))),
            ("Written", show_now(moment)),
        ),
    )
    if page.is_synthetic:
        for drawn in page.pictures:
            mark_synthetic(drawn.figure)
    return label_blocks(page)


def list_warnings(sections: Iterable[Section]) -> list[str]:
    """Return what sections warn of, which changes how the answer is to be read."""
    return [
        block.text
        for section in sections
        for block in section.blocks
        if isinstance(block, Paragraph) and block.is_warning
    ]
