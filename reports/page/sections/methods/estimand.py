"""What is estimated, in whom, under which hypotheses (ICH E9(R1))."""

from reports.figures.labels import analysis_label
from reports.page.choice import choose
from reports.page.columns import build_facts
from reports.page.content import Block, Paragraph, Section
from reports.page.description import StudyDescription
from reports.page.formats import show_fraction, show_text
from reports.page.gather import StudyFacts
from reports.page.sections.gaps import NOT_RECORDED, describe_gap, show_setting
from reports.page.sections.methods.intercurrent import describe_strategies, list_events
from reports.page.size_words import describe_group
from reports.page.units import show_region, show_unit

_TABLE = "operating_characteristics"


def describe_estimand(facts: StudyFacts) -> Section:
    """Return the five attributes of the estimand, the hypotheses, and a word on enrichment."""
    if not facts.has(_TABLE):
        return Section("Estimand", describe_gap(facts, _TABLE))
    blocks: tuple[Block, ...] = (
        build_facts("Estimand and hypotheses", _attributes(facts), sources=facts.sources(_TABLE)),
        *describe_strategies(facts),
        Paragraph(
            "Enrichment changes the population attribute: an effect in the people enrolled is an "
            "effect in faster decliners. The absolute effect is larger there because the decline "
            "is; the relative effect is assumed to be the same."
        ),
    )
    return Section("Estimand", blocks)


def _attributes(facts: StudyFacts) -> list[tuple[str, str]]:
    asked, choice = facts.describe(_TABLE), choose(facts)
    enrolled = describe_group(choice.best) if choice else "everyone eligible"
    effect = show_setting(asked.slowing, "slowing")
    return [
        ("Population", f"People who pass screening, of whom {enrolled} are enrolled"),
        ("Treatment", f"Treatment against control, {_allocation(asked.allocation_ratio)}"),
        ("Variable", _variable(asked)),
        ("Visits, months", show_setting(asked.visits_months)),
        *list_events(asked),
        ("Summary measure", _summary(facts)),
        (
            "Effect under the alternative",
            f"{show_text(asked.relative_to or 'decline').capitalize()} slowed by {effect}",
        ),
        ("Null hypothesis", "No difference between the arms (superiority)"),
        ("Type I error", _alpha(asked)),
    ]


def _variable(asked: StudyDescription) -> str:
    region = show_region(asked.endpoint)
    if asked.unit in ("log_percent", "percent"):
        return (
            f"Change of 100 × the natural logarithm of the volume, {region}: a difference of 1 is "
            "1 % of the volume, in log points"
        )
    return f"Change of volume, {region}, {show_unit(asked.unit) or NOT_RECORDED}"


def _allocation(ratio: float | None) -> str:
    if ratio is None:
        return f"allocation ratio {NOT_RECORDED}"
    return f"{ratio:g}:1 (treatment:control)"


def _summary(facts: StudyFacts) -> str:
    rows = facts.tables[_TABLE]
    if "estimand" in rows:
        named = rows.drop_duplicates("analysis")
        return "; ".join(
            f"{analysis_label(row['analysis'])}: {row['estimand']}"
            for row in named.to_dict("records")
        )
    return "Difference between the arms, treatment minus control"


def _alpha(asked: StudyDescription) -> str:
    if asked.alpha is None:
        return NOT_RECORDED
    words = {1: "one-sided", 2: "two-sided"}.get(asked.sides or 0, f"sides {NOT_RECORDED}")
    return f"{show_fraction(asked.alpha)} in total, {words}"
