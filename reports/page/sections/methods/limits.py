"""What the page does not show, and how the software was checked."""

import pandas as pd

from reports.page.columns import ColumnRule, Row, build_table, number, words
from reports.page.content import Block, Cell, Column, Paragraph, Section
from reports.page.formats import show_decimals, show_number, show_text
from reports.page.gather import StudyFacts

_GUIDANCE = (
    "FDA, Enrichment Strategies for Clinical Trials (2019); FDA, Adjusting for Covariates (2023); "
    "FDA, Adaptive Designs (2019); EMA, Adjustment for Baseline Covariates (2015); EMA, "
    "Qualification Opinion on PROCOVA (2022); ICH E9(R1); ICH E20 (draft, 2025)."
)


def describe_limits(facts: StudyFacts, anchors: pd.DataFrame | None) -> Section:
    """Return limits, guidance by title, and the reference values that the closed forms give again.

    Parameters
    ----------
    facts
        The study.
    anchors
        `anchor`, `source`, `expected`, `computed`, `tolerance`, `passes`; None where not checked.
    """
    blocks: list[Block] = [Paragraph(text) for text in _limits(facts)]
    blocks += _anchors(anchors)[:1]
    return Section("Limits and regulatory note", tuple(blocks))


def describe_reference_values(anchors: pd.DataFrame | None) -> Section:
    """Return the published values with those that this installation computes."""
    title = "Published values, computed again"
    return Section(title, tuple(_anchors(anchors)), is_appendix=True)


def _limits(facts: StudyFacts) -> list[str]:
    synthetic = (
        ["The people in this study are simulated, all or some of them: its numbers show how the "
         "method works and say nothing about real patients."]
        if facts.is_synthetic
        else []
    )  # fmt: skip
    return [
        *synthetic,
        "The results hold for people like those of the cohort, scanned and measured as they were. "
        "A trial that enrolls fast decliners says little about slow ones: the section on selection "
        "shows who is left out, and labeling may follow the population studied.",
        "The FDA guidance on covariates leaves repeated-measures models and covariates made by "
        "machine learning out of its scope; a score from a brain-MRI model, and a mixed model for "
        "repeated measures, are such. The score must be frozen before unblinding, with cut-off "
        "and software version named in the protocol.",
        "Nothing here is qualified by a regulator, and nothing here claims to be. For reading: "
        + _GUIDANCE,
    ]


def _anchors(anchors: pd.DataFrame | None) -> list[Block]:
    if anchors is None:
        return [Paragraph("The reference values were not checked when this page was written.")]
    passed = int(anchors["passes"].sum())
    text = (
        f"{passed} of {len(anchors)} reference values pass: published sample sizes and powers, "
        "computed again by this installation when the page was written."
    )
    frame = anchors.assign(verdict=anchors["passes"].map({True: "passes", False: "FAILS"}))
    rules = [
        words("anchor", "Reference value", show_text),
        words("source", "Published in", show_text),
        number("expected", "Published", _show_published),
        _computed(),
        number("tolerance", "Tolerance", lambda v: show_number(v, digits=1)),
        words("verdict", "Verdict"),
    ]
    table = build_table(frame, rules, title="Reference values", is_data=False)
    return [Paragraph(text, is_warning=passed < len(anchors)), table]


def _show_published(value: float) -> str:
    return f"{value:.10g}"


def _computed() -> ColumnRule:
    """Return the column of computed values, with as many decimals as the published one has."""

    def cell(row: Row) -> Cell:
        places = len(_show_published(row["expected"]).partition(".")[2])
        return Cell(show_decimals(row["computed"], places=places), float(row["computed"]))

    return ColumnRule(Column("Computed", is_number=True), cell)
