"""The figure beside the answer: what each choice of people needs and costs."""

import pandas as pd

from reports.figures import plot_choices
from reports.figures.labels import analysis_label
from reports.page.choice import (
    best_fractions,
    choose,
    list_unattainable,
    primary_analysis,
    target_power,
)
from reports.page.content import Picture
from reports.page.formats import show_fraction
from reports.page.gather import StudyFacts
from reports.page.sections.choices.comparison import find_currency

_POWER = ["power", "power_lower", "power_upper"]
_KEYS = ["strategy", "fraction_enrolled"]


def draw_decision(facts: StudyFacts) -> Picture | None:
    """Return power, sample size and cost of each choice; None where no choice can be made."""
    choice = choose(facts)
    if choice is None:
        return None
    best = best_fractions(facts)
    rows = best[best["n_control"].notna() & ~best["strategy"].isin(list_unattainable(facts))]
    simulated = _simulated_power(facts, float(choice.trial["n_control"]))
    if simulated is not None:
        rows = rows.merge(simulated, on=_KEYS, how="left")
    analysis, power = analysis_label(primary_analysis(facts)), show_fraction(target_power(facts))
    has_intervals = rows["n_control_lower_cohort"].notna().any()
    intervals = "with 95 % intervals" if has_intervals else "only power with a 95 % interval"
    return Picture(
        "choices",
        f"What each choice needs and costs for {power} power ({analysis}), {intervals}; dashed: "
        "enrolling everyone",
        "One row a choice, one panel each for power at one sample size, people needed in the "
        "control arm, and cost; the values are in the table of the first section.",
        plot_choices(rows, currency=find_currency(facts), power=simulated is not None),
        {"choices": rows},
        facts.sources("sample_sizes", "operating_characteristics"),
    )


def _simulated_power(facts: StudyFacts, wanted: float) -> pd.DataFrame | None:
    """Return the power of every choice at the simulated size nearest to the wanted one."""
    if not facts.has("operating_characteristics"):
        return None
    table = facts.tables["operating_characteristics"]
    rows = table[table["analysis"] == primary_analysis(facts)]
    nearest = min(rows["n_control"], key=lambda size: abs(float(size) - wanted))
    at = rows[rows["n_control"] == nearest].drop_duplicates(_KEYS)
    shown: pd.DataFrame = at[[*_KEYS, *_POWER]]
    return shown.assign(power_at=nearest)
