"""What each choice may lose: how likely it is the cheapest, its expected cost and regret."""

import numpy as np

from reports.figures.labels import strategy_label
from reports.page.choice import cheapest_by, primary_analysis, primary_sizes
from reports.page.columns import build_table, number, words
from reports.page.content import Table
from reports.page.formats import (
    Format,
    money_format,
    show_chance,
    show_fraction,
    show_mean_people,
    show_size,
)
from reports.page.gather import StudyFacts


def describe_regret_table(facts: StudyFacts, currency: str) -> Table:
    """Return the attainable choices, that of least expected regret first."""
    table = facts.tables["decisions"]
    rows = table[table["analysis"] == primary_analysis(facts)].copy()
    expected = "expected_n_control"
    if cheapest_by(primary_sizes(facts)) == "cost":
        expected = "expected_cost"
    elif rows[expected].isna().all():  # earlier versions kept these people as costs
        rows[expected] = rows["expected_cost"]
    # a size that some sample does not reach has no expectation
    amounts = [expected, "expected_regret"]
    rows[amounts] = rows[amounts].replace(np.inf, np.nan)
    form: Format = show_size
    lost: Format = show_mean_people
    unit, what, least = "people in the control arm", "size", "smallest"
    if expected == "expected_cost":
        form, unit = money_format([*rows["cost"], *rows[expected]], currency)
        lost, what, least = form, "cost", "cheapest"
    rules = [
        words("strategy", "Strategy", strategy_label),
        number("fraction_enrolled", "Fraction enrolled", show_fraction),
        number("probability_cheapest", f"Probability to be the {least}", show_chance),
        number("probability_saves", "Probability to save against enrolling everyone", show_chance),
        number(expected, f"Expected {what}, {unit}", form),
        number("expected_regret", f"Expected regret, {unit}", lost),
    ]
    note = (
        "Over the error of cohort and models (bootstrap). Regret: what a choice takes beyond the "
        "best choice of the same sample; the first row regrets least. A dash: some samples do not "
        "reach the power, or nothing to compare with."
    )
    return build_table(
        rows.sort_values("expected_regret", kind="stable"),
        rules,
        title="Decision",
        sources=facts.sources("decisions"),
        note=note,
    )
