"""Intercurrent events and missing data: what the protocol says, and what each strategy gives."""

from collections.abc import Iterator
from typing import Final

import pandas as pd

from reports.figures.labels import analysis_label
from reports.page.columns import build_table, number, simulated, words
from reports.page.content import Block, Paragraph
from reports.page.description import Rate, StudyDescription
from reports.page.formats import is_blank, show_fraction, show_number, show_share, show_text
from reports.page.gather import StudyFacts
from reports.page.size_words import describe_group
from reports.page.units import show_unit

_TABLE = "estimands"

_EVENTS: Final = {
    "discontinuation": "Treatment stopped (intercurrent event)",
    "adverse_event": "Adverse event that tells people their arm (intercurrent event)",
    "death": "Death (intercurrent event)",
}
_STRATEGIES: Final = {
    "hypothetical": "hypothetical: as if it had not happened",
    "treatment_policy": "treatment policy: outcomes count whether it happened or not",
    "composite": "composite: it counts as a bad outcome from then on",
    "while_on_treatment": "while on treatment: the last value before it counts",
}


def list_events(asked: StudyDescription) -> Iterator[tuple[str, str]]:
    """Yield each intercurrent event of the design with its rates and strategy, then missing data.

    Parameters
    ----------
    asked
        What the simulated trials were asked.
    """
    happens = False
    for name, title in _EVENTS.items():
        rates = _describe_rates(
            getattr(asked, f"{name}_control"), getattr(asked, f"{name}_treatment")
        )
        if rates:
            happens = True
            strategy = getattr(asked, f"{name}_strategy") or "hypothetical"
            yield title, f"{_STRATEGIES.get(strategy, show_text(strategy))}; {rates}"
    policy = asked.discontinuation_strategy == "treatment_policy"
    if policy and asked.effect_lost_per_year is not None:
        yield (
            "After treatment stops",
            f"Nothing more is gained, and {show_fraction(asked.effect_lost_per_year)} of the "
            "effect is lost a year; people who leave the study stop treatment",
        )
    if not happens and not policy:
        yield "Intercurrent events", "None is simulated: as if nobody stopped treatment"
    left = _describe_rates(asked.dropout_control, asked.dropout_treatment)
    yield (
        "Leaving the study (missing data)",
        f"{left}; later outcomes are missing" if left else "Nobody leaves",
    )
    unreadable = _show_rate(asked.unreadable)
    if unreadable:
        yield "Scans that cannot be read (missing data)", f"{unreadable} of those after baseline"


def describe_strategies(facts: StudyFacts) -> Iterator[Block]:
    """Yield bias and power of the cheapest choice under each strategy; nothing without rows."""
    if not facts.has(_TABLE):
        return
    rows = facts.tables[_TABLE]
    amount = show_unit(facts.describe(_TABLE).unit)
    frame = rows.assign(
        estimand=rows["estimand"].map(lambda name: name.replace("_", " ")),
        coverage=pd.to_numeric(rows["coverage"]),
    )
    rules = [
        words("estimand", "Strategy for the events", lambda name: show_text(name).capitalize()),
        words("analysis", "Analysis", analysis_label),
        number("imputed_delta", "Delta", show_number),
        number("true_difference", "True difference", show_number),
        simulated("bias", "bias_mcse", "Bias ± MCSE", show_number),
        simulated("power", "mcse", "Power ± MCSE", show_share),
        simulated("type_one_error", "type_one_error_mcse", "Type I error ± MCSE", show_share),
        number("coverage", "Coverage", show_share),
    ]
    first = rows.iloc[0].to_dict()
    size = f"{first['n_control']:g} + {first['n_treatment']:g} people"
    yield build_table(
        frame,
        rules,
        title="Bias and power under each strategy",
        sources=facts.sources(_TABLE),
        note=f"{describe_group(first).capitalize()}, {size}: the same people and events in every "
        f"row. Differences and delta in {amount}; a slope a month. Delta is added to what is "
        "imputed for treated people who left. Without effect, events happen in treatment as in "
        "control.",
    )
    tipping = rows["tipping_delta"].dropna()
    if not tipping.empty and not is_blank(tipping.iloc[0]):
        yield Paragraph(
            "Tipping point: half of the trials are significant if treated people who left "
            f"fared {show_number(abs(tipping.iloc[0]))} {amount} worse than those who stayed and "
            "were like them.",
            facts.sources(_TABLE),
        )


def _describe_rates(control: Rate | None, treatment: Rate | None) -> str:
    """Return the rates of both arms in words; empty where it happens to nobody."""
    first = _show_rate(control)
    if treatment is None or treatment == control:
        return f"{first} of each arm" if first else ""
    second, none = _show_rate(treatment), show_fraction(0)
    return f"{first or none} of control, {second or none} of treatment" if first or second else ""


def _show_rate(rate: Rate | None) -> str:
    """Return a share by the last visit, or one for each visit; empty where it is 0."""
    if isinstance(rate, tuple):
        return f"{', '.join(map(show_fraction, rate))} (by visit)" if any(rate) else ""
    return f"{show_fraction(rate)} (by the last visit)" if rate else ""
