"""The whole page: from the facts of a study to its sections, in a reader's order."""

from dataclasses import replace
from datetime import datetime

import pandas as pd

from reports.errors import ReportError
from reports.page.answer import describe_answer
from reports.page.assembly import assemble_page, list_warnings
from reports.page.content import Page, Paragraph, Section
from reports.page.gather import StudyFacts
from reports.page.labels import number_sections
from reports.page.masking import mask_facts
from reports.page.privacy import NOBODY, Privacy
from reports.page.sections.choices.comparison import describe_comparison
from reports.page.sections.choices.costs import describe_costs
from reports.page.sections.choices.decision import draw_decision
from reports.page.sections.choices.optimization import describe_optimization
from reports.page.sections.choices.power import describe_power
from reports.page.sections.choices.sensitivity import describe_sensitivity
from reports.page.sections.methods.analysis import describe_analysis
from reports.page.sections.methods.estimand import describe_estimand
from reports.page.sections.methods.interim import describe_interim
from reports.page.sections.methods.limits import describe_limits, describe_reference_values
from reports.page.sections.methods.paragraphs import describe_paragraphs
from reports.page.sections.methods.simulation import describe_simulation
from reports.page.sections.people.mechanism import describe_mechanism
from reports.page.sections.people.prediction import describe_prediction
from reports.page.sections.people.selection import describe_selection
from reports.page.sections.record.all_rows import describe_all_rows
from reports.page.sections.record.identity import describe_identity
from reports.page.sections.record.index import describe_index


def compose_page(
    facts: StudyFacts,
    *,
    moment: datetime,
    title: str | None = None,
    anchors: pd.DataFrame | None = None,
    n_listed: int = 0,
    privacy: Privacy = NOBODY,
) -> Page:
    """Return the page of a study.

    Parameters
    ----------
    facts
        What `reports.page.gather.gather_study` read.
    moment
        When the page is written, with its time zone.
    title
        Of the page; by default the title of the protocol.
    anchors
        Reference values and whether they pass, see `describe_limits`.
    n_listed
        How many of the selected people are named; by default none is.
    privacy
        What may be told of single people; by default nothing.

    Raises
    ------
    ReportError
        If people are to be named, but not to be identified.
    """
    if n_listed and not privacy.identify:
        raise ReportError(
            "A list of people names them, and this report is to identify nobody: add --identify "
            "for internal use, or leave out --list-people."
        )
    with facts.study.snapshot():  # sections ask for more of its rows
        facts = facts if privacy.identify else mask_facts(facts)
        sections = number_sections(
            section
            for section in (
                describe_comparison(facts),
                describe_selection(facts, privacy, n_listed=n_listed),
                describe_prediction(facts, privacy),
                describe_power(facts),
                describe_sensitivity(facts),
                describe_costs(facts),
                describe_optimization(facts),
                describe_estimand(facts),
                describe_mechanism(facts, privacy),
                describe_analysis(facts),
                describe_simulation(facts),
                describe_interim(facts),
                describe_paragraphs(facts),
                describe_limits(facts, anchors),
                describe_identity(facts, privacy),
                describe_reference_values(anchors),
                describe_all_rows(facts),
            )
            if section is not None
        )
    sections = number_sections((*sections, describe_index(sections)))
    picture = draw_decision(facts)
    answer = replace(describe_answer(facts), notes=_list_notes(facts, sections), picture=picture)
    sections = tuple(_warn(section, facts) for section in sections)
    return assemble_page(
        facts,
        answer,
        sections,
        title=title or facts.title or "Report of a trial design",
        moment=moment,
    )


def _list_notes(facts: StudyFacts, sections: tuple[Section, ...]) -> tuple[str, ...]:
    """Return what changes how the answer is to be read, wherever on the page it stands."""
    outdated = [f"Out of date: {sentence}" for sentence in facts.stale.values()]
    return tuple(dict.fromkeys([*outdated, *list_warnings(sections)]))


def _warn(section: Section, facts: StudyFacts) -> Section:
    """Return the section with a warning before tables that were made from replaced rows."""
    behind = {facts.written[table]: text for table, text in facts.stale.items()}
    shown = {run.run_id for block in section.blocks for run in getattr(block, "sources", ())}
    said = [Paragraph(behind[run], is_warning=True) for run in sorted(shown & behind.keys())]
    return replace(section, blocks=(*said, *section.blocks))
