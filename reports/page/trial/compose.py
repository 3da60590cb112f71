"""The whole page of a finished trial."""

from dataclasses import replace
from datetime import datetime

from reports.figures.style import mark_synthetic
from reports.page.content import Page, Paragraph
from reports.page.formats import show_now, show_text
from reports.page.gather import StudyFacts
from reports.page.labels import label_blocks, number_sections
from reports.page.masking import mask_facts
from reports.page.privacy import NOBODY, Privacy
from reports.page.sections.record.identity import describe_identity
from reports.page.trial.answer import describe_trial_answer
from reports.page.trial.sections import (
    describe_effects,
    describe_missing,
    describe_people,
    describe_trial_estimand,
    describe_trial_limits,
    describe_twins,
)


def compose_trial_page(
    facts: StudyFacts,
    *,
    moment: datetime,
    title: str | None = None,
    privacy: Privacy = NOBODY,
) -> Page:
    """Return the page of a finished trial.

    Parameters
    ----------
    facts
        What `reports.page.gather.gather_study` read; it has `trial_effects`.
    moment
        When the page is written, with its time zone.
    title
        Of the page.
    privacy
        What may be told of single people; by default nothing.
    """
    with facts.study.snapshot():  # sections ask for more of its rows
        facts = facts if privacy.identify else mask_facts(facts)
        sections = number_sections(
            (
                describe_effects(facts),
                describe_trial_estimand(facts),
                describe_people(facts, privacy),
                describe_missing(facts),
                describe_twins(facts),
                describe_trial_limits(facts),
                describe_identity(facts, privacy),
            )
        )
    warned = [
        block.text
        for section in sections
        for block in section.blocks
        if isinstance(block, Paragraph) and block.is_warning
    ]
    answer = replace(describe_trial_answer(facts), notes=tuple(warned))
    page = Page(
        title=show_text(title or "Report of a finished trial", limit=300),
        answer=answer,
        sections=sections,
        runs=facts.current_runs(),
        is_synthetic=facts.is_synthetic,
        facts=(
            ("Study file", facts.study.path.name),
            ("Runs on this page", str(len(facts.current_runs()))),
            ("Written", show_now(moment)),
        ),
    )
    if page.is_synthetic:
        for drawn in page.pictures:
            mark_synthetic(drawn.figure)
    return label_blocks(page)
