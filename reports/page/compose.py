"""The whole page: from the facts of a study to its thirteen parts."""

from datetime import datetime

import pandas as pd

from reports.errors import ReportError
from reports.figures.style import mark_synthetic
from reports.page.answer import describe_answer
from reports.page.content import Page
from reports.page.formats import show_now, show_text
from reports.page.gather import StudyFacts
from reports.page.masking import mask_facts
from reports.page.privacy import NOBODY, Privacy
from reports.page.sections.analysis import describe_analysis
from reports.page.sections.comparison import describe_comparison
from reports.page.sections.costs import describe_costs
from reports.page.sections.estimand import describe_estimand
from reports.page.sections.identity import describe_identity
from reports.page.sections.interim import describe_interim
from reports.page.sections.limits import describe_limits
from reports.page.sections.mechanism import describe_mechanism
from reports.page.sections.power import describe_power
from reports.page.sections.prediction import describe_prediction
from reports.page.sections.selection import describe_selection
from reports.page.sections.sensitivity import describe_sensitivity
from reports.page.sections.simulation import describe_simulation


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
    facts = facts if privacy.identify else mask_facts(facts)
    sections = (
        describe_identity(facts, privacy),
        describe_estimand(facts),
        describe_mechanism(facts, privacy),
        describe_selection(facts, privacy, n_listed=n_listed),
        describe_prediction(facts, privacy),
        describe_comparison(facts),
        describe_analysis(facts),
        describe_power(facts),
        describe_interim(facts),
        describe_sensitivity(facts),
        describe_simulation(facts),
        describe_costs(facts),
        describe_limits(facts, anchors),
    )
    page = Page(
        title=show_text(title or facts.setting("title") or "Report of a trial design", limit=300),
        answer=describe_answer(facts),
        sections=sections,
        runs=facts.current_runs(),
        is_synthetic=facts.is_synthetic,
        warnings=tuple(facts.stale.values()),
        facts=(
            ("Study file", facts.study.path.name),
            ("Runs on this page", str(len(facts.current_runs()))),
            ("Written", show_now(moment)),
        ),
    )
    if page.is_synthetic:
        for picture in page.pictures:
            mark_synthetic(picture.figure)
    return page
