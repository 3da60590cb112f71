"""What is estimated, in whom, under which hypotheses (ICH E9(R1))."""

from typing import Any

from reports.figures.labels import analysis_label
from reports.page.choice import choose
from reports.page.columns import build_facts
from reports.page.content import Block, Paragraph, Section
from reports.page.formats import show_fraction, show_text
from reports.page.gather import StudyFacts
from reports.page.sections.gaps import NOT_RECORDED, describe_gap, show_setting
from reports.page.size_words import describe_group

_TABLE = "operating_characteristics"


def describe_estimand(facts: StudyFacts) -> Section:
    """Return the five attributes of the estimand, the hypotheses, and a word on enrichment."""
    if not facts.has(_TABLE):
        return Section("Estimand", describe_gap(facts, _TABLE))
    blocks: tuple[Block, ...] = (
        build_facts("Estimand and hypotheses", _attributes(facts), sources=facts.sources(_TABLE)),
        Paragraph(
            "Enrichment changes the population attribute: an effect in the people enrolled is an "
            "effect in faster decliners. The absolute effect is larger there because the decline "
            "is; the relative effect is assumed to be the same."
        ),
    )
    return Section("Estimand", blocks)


def _attributes(facts: StudyFacts) -> list[tuple[str, str]]:
    def setting(key: str) -> Any:
        return facts.setting(key, _TABLE)

    choice = choose(facts)
    enrolled = describe_group(choice.best) if choice else "everyone eligible"
    relative = setting("relative_to")
    slowing = setting("slowing")
    effect = show_fraction(slowing) if isinstance(slowing, int | float) else show_setting(slowing)
    sides = setting("sides")
    return [
        ("Population", f"People who pass screening, of whom {enrolled} are enrolled"),
        ("Treatment", f"Treatment against control, {_allocation(setting('allocation_ratio'))}"),
        ("Variable", _variable(setting("endpoint"), setting("unit"))),
        ("Visits, months", show_setting(setting("visits_months"))),
        (
            "Intercurrent events",
            show_setting(setting("intercurrent_events"))
            if setting("intercurrent_events")
            else "Stopping the study: hypothetical strategy, as if nobody had stopped",
        ),
        ("Summary measure", _summary(facts)),
        (
            "Effect under the alternative",
            f"{show_text(relative or 'decline').capitalize()} slowed by {effect}",
        ),
        ("Null hypothesis", "No difference between the arms (superiority)"),
        ("Type I error", _alpha(setting("alpha"), sides)),
    ]


def _variable(endpoint: Any, unit: Any) -> str:
    if endpoint is None:
        return NOT_RECORDED
    name = show_setting(endpoint).replace("_", " ")
    units = {"mm3": "mm³", "percent": "percent of the volume at baseline"}
    return f"Change of volume, {name}, {units.get(unit, show_setting(unit))}"


def _allocation(ratio: Any) -> str:
    if not isinstance(ratio, int | float):
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


def _alpha(alpha: Any, sides: Any) -> str:
    if not isinstance(alpha, int | float):
        return NOT_RECORDED
    words = {1: "one-sided", 2: "two-sided"}.get(sides, f"sides {NOT_RECORDED}")
    return f"{show_fraction(alpha)} in total, {words}"
