"""When the trial of each choice is full, and when its last person is seen last."""

from cohorts.counting import agree
from reports.figures.labels import strategy_label
from reports.page.choice import primary_analysis
from reports.page.columns import ColumnRule, build_table, number, with_interval, words
from reports.page.content import Table
from reports.page.formats import (
    Format,
    show_count,
    show_fraction,
    show_interval,
    show_number,
    show_tally,
)
from reports.page.gather import StudyFacts

_TABLE = "accrual"


def describe_accrual(facts: StudyFacts) -> Table:
    """Return people to screen, months to the last person and to the last visit, by choice."""
    table = facts.tables[_TABLE]
    rows = table[table["analysis"] == primary_analysis(facts)]
    rules = [
        words("strategy", "Strategy", strategy_label),
        number("fraction_enrolled", "Fraction enrolled", show_fraction),
        words("size", "Size"),
        number("n_enrolled", "Both arms, people", show_count),
        _expect("n_to_screen", "To screen, people (95 % interval)", show_count),
        _expect("months_to_last_person", "Months to the last person in", show_number),
        _expect("months_to_last_visit", "Months to the last visit", show_number),
    ]
    asked = facts.describe(_TABLE)
    rate = asked.screened_per_site_per_month or 0
    note = (
        f"{show_tally(asked.sites, 'sites that screen')} {rate:g} "
        f"{agree(rate, 'people a month')} each on average, at rates "
        "that differ between sites (Poisson-gamma). The intervals are those of screening, for a "
        "size that is decided; the numbers to screen include those who fail for other reasons."
    )
    return build_table(
        rows, rules, title="When the trial is full", sources=facts.sources(_TABLE), note=note
    )


def describe_duration(facts: StudyFacts) -> str:
    """Return when the proposed trial is full and ends; empty where no sites were planned."""
    if not facts.has(_TABLE):
        return ""
    table = facts.tables[_TABLE]
    own = table[(table["analysis"] == primary_analysis(facts)) & (table["size"] == "proposed")]
    if own.empty:
        return ""
    row = own.iloc[0].to_dict()
    spans = []
    for name in ("months_to_last_person", "months_to_last_visit"):
        interval = show_interval(row[f"{name}_lower"], row[f"{name}_upper"], show_number)
        spans.append(f"{show_number(row[name])} months (95 % interval {interval})")
    return f"The last person is in after {spans[0]}, and seen last after {spans[1]}."


def _expect(name: str, title: str, form: Format) -> ColumnRule:
    return with_interval(name, f"{name}_lower", f"{name}_upper", title, form)
