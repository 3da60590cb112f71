"""The whole page of a finished trial."""

from dataclasses import replace
from datetime import datetime

from reports.page.assembly import assemble_page, list_warnings
from reports.page.content import Page
from reports.page.gather import StudyFacts
from reports.page.labels import number_sections
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
                describe_effects(facts, privacy),
                describe_trial_estimand(facts),
                describe_people(facts, privacy),
                describe_missing(facts),
                describe_twins(facts, privacy),
                describe_trial_limits(facts, privacy),
                describe_identity(facts, privacy),
            )
        )
    notes = tuple(dict.fromkeys(list_warnings(sections)))
    answer = replace(describe_trial_answer(facts, privacy), notes=notes)
    title = title or "Report of a finished trial"
    return assemble_page(facts, answer, sections, title=title, moment=moment)
