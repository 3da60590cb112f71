"""The strategies side by side, with paired differences."""

import pandas as pd

from reports.figures.labels import analysis_label, strategy_label
from reports.page.choice import (
    best_fractions,
    cheapest_by,
    choose,
    list_unattainable,
    name_best_fraction,
    pick_best_fractions,
    primary_analysis,
)
from reports.page.columns import build_table, number, simulated, with_interval, words
from reports.page.content import Block, Paragraph, Section, Table
from reports.page.formats import (
    money_format,
    show_count,
    show_fraction,
    show_number,
    show_share,
    show_size,
    show_text,
)
from reports.page.gather import StudyFacts
from reports.page.sections.choices.accrual import describe_accrual
from reports.page.sections.choices.fitted_on import mark_strategies
from reports.page.sections.choices.regret import describe_regret_table
from reports.page.sections.gaps import describe_gap
from reports.page.sections.people.balance import describe_balance

_PAIR = ["strategy", "reference_strategy"]


def describe_comparison(facts: StudyFacts) -> Section:
    """Return sample size and cost of each strategy at its cheapest fraction, and differences."""
    blocks: list[Block] = []
    if facts.has("sample_sizes"):
        blocks.append(_strategies(facts))
        compared = set(facts.tables["sample_sizes"]["strategy"])
        blocks += [
            Paragraph(
                f"{strategy_label(name)}: people are ranked by what nobody can know beforehand. It "
                "is shown for comparison, and is not an option."
            )
            for name in list_unattainable(facts)
            if name in compared
        ]
    if facts.has("accrual"):
        blocks.append(describe_accrual(facts))
    if facts.has("sample_sizes", "decisions"):
        blocks.append(describe_regret_table(facts, find_currency(facts)))
    if facts.has("sample_size_savings"):
        blocks.append(_savings(facts))
    if facts.has("power_differences"):
        blocks.append(_power_differences(facts))
    if facts.has("capture_differences"):
        blocks.append(_capture_differences(facts))
    if facts.has("archive_balance"):
        blocks.append(describe_balance(facts))
    blocks += describe_gap(facts, "sample_sizes", "sample_size_savings", "capture_differences")
    return Section("The choices side by side", tuple(blocks))


def _strategies(facts: StudyFacts) -> Table:
    best = best_fractions(facts)
    by = cheapest_by(best)
    money, unit = money_format(best["cost"], find_currency(facts))
    label, learned = mark_strategies(facts)
    rules = [
        words("strategy", "Strategy", label),
        number("fraction_enrolled", "Fraction enrolled", show_fraction),
        with_interval(
            "n_control",
            "n_control_lower_cohort",
            "n_control_upper_cohort",
            f"Control arm, people{_interval(best, 'n_control_lower_cohort')}",
            show_size,
        ),
        number("n_treatment", "Treatment arm, people", show_size),
        number("n_to_screen", "To screen, people", show_size),
    ]
    if by == "cost":
        title = f"Cost, {unit}{_interval(best, 'cost_lower')}"
        rules.append(with_interval("cost", "cost_lower", "cost_upper", title, money))
    if best["months_to_enroll"].notna().any():
        rules.append(number("months_to_enroll", "Enrollment, months", show_number))
    power, analysis = best["target_power"].iloc[0], analysis_label(best["analysis"].iloc[0])
    note = (
        f"For {show_fraction(power)} power with {analysis}, each strategy "
        f"{name_best_fraction(facts)}. {_describe_layers(best)} {learned}"
    ).strip()
    sources = facts.sources("sample_sizes")
    return build_table(best, rules, title="Strategies at their best", sources=sources, note=note)


def _describe_layers(best: pd.DataFrame) -> str:
    if best["n_control_lower_cohort"].isna().all():
        return "No interval: the error of cohort and prediction model was not computed."
    return (
        "The interval of the sample size is for the error of cohort and prediction model, that of "
        "the cost for both layers of error."
    )


def _interval(rows: pd.DataFrame, low: str, words: str = "95 % interval") -> str:
    """Return what stands behind a title where its numbers have intervals."""
    return f" ({words})" if rows[low].notna().any() else ""


def find_currency(facts: StudyFacts) -> str:
    """Return the currency of the costs, empty where none was given."""
    return show_text(facts.describe("sample_sizes").currency or "", limit=12)


def _savings(facts: StudyFacts) -> Table:
    table = facts.tables["sample_size_savings"]
    rows = pick_best_fractions(facts, table[table["analysis"] == primary_analysis(facts)])
    note = (
        "Both strategies see the same simulated people, so the difference has less error than "
        f"either sample size. Each strategy {name_best_fraction(facts)}."
    )
    return build_savings(facts, rows, title="Paired savings", note=note)


def build_savings(facts: StudyFacts, rows: pd.DataFrame, *, title: str, note: str = "") -> Table:
    """Return rows of `sample_size_savings` as a table."""
    money, unit = money_format(rows["saving_cost"], find_currency(facts))
    label, learned = mark_strategies(facts)
    rules = [
        words("strategy", "Strategy", label),
        words("reference_strategy", "Instead of", label),
        number("fraction_enrolled", "Fraction enrolled", show_fraction),
        words("analysis", "Analysis", analysis_label),
        with_interval(
            "saving_n_control",
            "saving_n_control_lower",
            "saving_n_control_upper",
            "People saved in the control arm"
            + _interval(rows, "saving_n_control_lower", "paired 95 % interval"),
            show_count,
        ),
    ]
    if (rows["saving_cost"].fillna(0) != 0).any():
        head = f"Cost saved, {unit}"
        head += _interval(rows, "saving_cost_lower", "paired 95 % interval")
        rules.append(
            with_interval("saving_cost", "saving_cost_lower", "saving_cost_upper", head, money)
        )
    if rows["power_equal_budget"].notna().any():
        rules.append(
            with_interval(
                "power_equal_budget",
                "power_equal_budget_lower",
                "power_equal_budget_upper",
                "Power for the cost of the other" + _interval(rows, "power_equal_budget_lower"),
                show_share,
            )
        )
    sources = facts.sources("sample_size_savings")
    return build_table(rows, rules, title=title, sources=sources, note=f"{note} {learned}".strip())


def _power_differences(facts: StudyFacts) -> Table:
    table = facts.tables["power_differences"]
    rows = pick_best_fractions(facts, table[table["analysis"] == primary_analysis(facts)])
    choice = choose(facts)
    if choice is not None:
        wanted = choice.trial["n_control"]
        rows = rows.assign(apart=(rows["n_control"] - wanted).abs())
        rows = rows.sort_values("apart", kind="stable").drop_duplicates(_PAIR)
    note = (
        f"{analysis_label(primary_analysis(facts))}, each strategy "
        f"{name_best_fraction(facts)} and the simulated size nearest to the proposed one; "
        "paired: the same simulated trials. "
        "Differences are in percentage points."
    )
    title = "Differences in power at equal sample size"
    return build_power_differences(facts, rows, title=title, note=note)


def build_power_differences(
    facts: StudyFacts, rows: pd.DataFrame, *, title: str, note: str = ""
) -> Table:
    """Return rows of `power_differences` as a table."""
    label, learned = mark_strategies(facts)
    rules = [
        words("strategy", "Strategy", label),
        words("reference_strategy", "Minus", label),
        number("fraction_enrolled", "Fraction enrolled", show_fraction),
        words("analysis", "Analysis", analysis_label),
        number("n_control", "Control arm, people", show_count),
        simulated("difference", "mcse", "Difference in power ± MCSE", show_share),
    ]
    sources = facts.sources("power_differences")
    return build_table(rows, rules, title=title, sources=sources, note=f"{note} {learned}".strip())


def _capture_differences(facts: StudyFacts) -> Table:
    table = facts.tables["capture_differences"]
    sizes = sorted(set(table["n_selected"]))
    rows = table[table["n_selected"] == sizes[len(sizes) // 2]]
    return build_capture_differences(facts, rows, title="Differences in capture rate")


def build_capture_differences(facts: StudyFacts, rows: pd.DataFrame, *, title: str) -> Table:
    """Return rows of `capture_differences` as a table."""
    label, learned = mark_strategies(facts)
    rules = [
        words("strategy", "Strategy", label),
        words("reference_strategy", "Minus", label),
        number("n_selected", "Selected", show_count),
        with_interval(
            "difference",
            "difference_lower",
            "difference_upper",
            "Difference in capture rate (paired 95 % interval)",
            show_share,
        ),
    ]
    return build_table(
        rows,
        rules,
        title=title,
        sources=facts.sources("capture_differences"),
        note="Differences are in percentage points; both strategies select among the same people. "
        f"{learned}".strip(),
    )
