"""How the sample size moves with its assumptions."""

from reports.figures import plot_sensitivity
from reports.figures.labels import assumption_label
from reports.page.choice import choose
from reports.page.columns import build_table, number, words
from reports.page.content import Paragraph, Picture, Section
from reports.page.formats import show_number, show_size
from reports.page.gather import StudyFacts
from reports.page.proposed import describe_break_even
from reports.page.sections.gaps import describe_gap

_TABLE = "sensitivity"


def describe_sensitivity(facts: StudyFacts) -> Section:
    """Return the tornado with its numbers."""
    if not facts.has(_TABLE):
        return Section("Sensitivity", describe_gap(facts, _TABLE))
    rows = facts.tables[_TABLE]
    rules = [
        words("parameter", "Assumption", assumption_label),
        number("low_value", "Low", show_number),
        number("high_value", "High", show_number),
        number("n_control_at_low", "Control arm at low, people", show_size),
        number("n_control_at_base", "Control arm at base, people", show_size),
        number("n_control_at_high", "Control arm at high, people", show_size),
    ]
    sources = facts.sources(_TABLE)
    title = "Sample size when one assumption changes"
    table = build_table(
        rows,
        rules,
        title=title,
        sources=sources,
        note="One assumption at a time; the others stay, and so do the people who are chosen.",
    )
    choice = choose(facts)
    said = describe_break_even(facts, choice) if choice is not None else ""
    spoken = (Paragraph(said, sources),) if said else ()
    drawable = rows.dropna(subset=["n_control_at_low", "n_control_at_high", "n_control_at_base"])
    if drawable.empty:
        return Section("Sensitivity", (table, *spoken))
    picture = Picture(
        "sensitivity",
        "Sensitivity of the sample size of the control arm",
        "Tornado: one bar an assumption from its low to its high value, the widest on top; the "
        "values are in the next table.",
        plot_sensitivity(rows),
        {"sensitivity": rows},
        sources,
    )
    return Section("Sensitivity", (picture, table, *spoken))
