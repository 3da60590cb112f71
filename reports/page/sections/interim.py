"""Group-sequential looks."""

from reports.page.content import Paragraph, Section
from reports.page.gather import StudyFacts


def describe_interim(facts: StudyFacts) -> Section:
    """Return what the design says on interim looks."""
    recorded = facts.setting("interim_looks", "operating_characteristics")
    text = (
        "The design has one analysis, at the end: no interim looks, all of alpha spent there, and "
        "the sample size above is the maximum and the expected one. This version computes no "
        "group-sequential designs."
    )
    if recorded:
        text = (
            f"The design names interim looks ({recorded}), which this version does not compute: "
            "every number on this page is for one analysis at the end."
        )
    return Section("Interim looks", (Paragraph(text, is_warning=bool(recorded)),))
