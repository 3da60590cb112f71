"""The designs that nothing beats, of all that were searched."""

from typing import Any, Final

import numpy as np
import pandas as pd

from reports.figures import plot_front
from reports.figures.labels import analysis_label, strategy_label
from reports.page.columns import (
    ColumnRule,
    build_table,
    number,
    simulated,
    with_interval,
    words,
)
from reports.page.content import Block, Paragraph, Picture, Section, Table
from reports.page.formats import (
    is_blank,
    money_format,
    show_count,
    show_fraction,
    show_money,
    show_number,
    show_share,
    show_text,
)
from reports.page.gather import StudyFacts

_TABLE: Final = "design_front"
_AIMS: Final = {
    "cost": "least cost",
    "n_enrolled": "fewest enrolled",
    "months_to_last_visit": "earliest last visit",
    "n_to_screen": "fewest screened",
    "share_left_out": "fewest left out",
    "difference": "nearest to those screened",
}


def describe_optimization(facts: StudyFacts) -> Section | None:
    """Return the best designs, the front's figure, what was searched; None without a search."""
    if not facts.has(_TABLE):
        return None
    asked, front = facts.describe(_TABLE), facts.tables[_TABLE]
    if not asked.is_priced:  # earlier versions kept people enrolled as costs
        front = front.assign(cost=np.nan, cost_lower=np.nan, cost_upper=np.nan)
    currency = show_text(asked.currency or "", limit=12)
    blocks: list[Block] = [Paragraph(_summarize(facts, front, currency), facts.sources(_TABLE))]
    blocks += [_tabulate(facts, front, currency), _draw(facts, front, currency)]
    return Section("Designs that nothing beats", tuple(blocks))


def pick_shown(front: pd.DataFrame) -> pd.DataFrame:
    """Return the best in each aim, then those simulated and the cheapest of each strategy."""
    is_best = front["best_in"] != ""
    shown = is_best | front["simulated_power"].notna() | ~front["strategy"].duplicated()
    return pd.concat([front[is_best], front[shown & ~is_best]])


def _summarize(facts: StudyFacts, front: pd.DataFrame, currency: str) -> str:
    best = front.iloc[0].to_dict()
    n_designs = facts.describe(_TABLE).n_designs
    searched = f"{show_count(n_designs)} designs were searched by closed form" if n_designs else ""
    is_priced, amount = not is_blank(best["cost"]), _name_amount(front)
    least = "cheapest" if is_priced else "smallest"
    chance = best["probability_cheapest"]
    doubt = ""
    if not is_blank(chance):
        doubt = (
            f" Its choice of people had the {least} design in {show_share(chance)} of other "
            "cohorts of the same kind."
        )
    power = ""
    if not is_blank(best["simulated_power"]):
        power = f" Simulated, its power is {show_share(best['simulated_power'])}."
    money = f" for {show_money(best['cost'], currency)}" if is_priced else ""
    return (
        f"{searched}; {show_count(len(front))} are beaten by no other in {amount}, months to the "
        "last visit, people screened, share left out, and difference from those screened (within "
        f"1 %). The {least} enrolls {show_count(best['n_control'])} + "
        f"{show_count(best['n_treatment'])} people ({strategy_label(best['strategy'])}: "
        f"{show_text(best['rule'], limit=120)}), seen at months {best['visits_months']}, "
        f"analysed by {analysis_label(best['analysis'])}{money}.{power}{doubt}"
    )


def _tabulate(facts: StudyFacts, front: pd.DataFrame, currency: str) -> Table:
    costs: list[ColumnRule] = []
    if front["cost"].notna().any():
        form, unit = money_format(front["cost"], currency)
        name = f"{', '.join(filter(None, ['Cost', unit]))} (95 % interval)"
        costs = [with_interval("cost", "cost_lower", "cost_upper", name, form)]
    rules = [
        words("best_in", "Best in", _name_aims),
        words("strategy", "Strategy", strategy_label),
        words("rule", "Enrolls", _show_rule),
        words("visits_months", "Visits, months"),
        words("analysis", "Analysis", analysis_label),
        number("allocation_ratio", "Treatment : control", show_number),
        with_interval(
            "n_control",
            "n_control_lower",
            "n_control_upper",
            "Control arm, people (95 % interval)",
            show_count,
        ),
        number("n_treatment", "Treatment arm, people", show_count),
        number("n_to_screen", "To screen, people", show_count),
        *costs,
        with_interval(
            "months_to_last_visit",
            "months_to_last_visit_lower",
            "months_to_last_visit_upper",
            "Months to the last visit",
            show_number,
        ),
        number("share_left_out", "Left out", show_fraction),
        words("group", "Group that differs most", _show_rule),
        simulated("simulated_power", "simulated_power_mcse", "Simulated power", show_share),
    ]
    note = (
        "Every size is raised for having been chosen among many, until its power, averaged over "
        "the error of the cohort, is the target; people to screen, cost and months are those of "
        "its whole arms. Intervals of size and cost: error of the cohort, around the size without "
        "optimism; of the months: screening. Power is simulated at the raised size in this cohort, "
        "where it should exceed the target."
    )
    return build_table(
        pick_shown(front), rules, title="Designs", sources=facts.sources(_TABLE), note=note
    )


def _draw(facts: StudyFacts, front: pd.DataFrame, currency: str) -> Picture:
    return Picture(
        "designs",
        "What each aim takes from the others: every design that nothing beats; large marks: the "
        "best in an aim",
        f"Three panels of {_name_amount(front)} against months to the last visit, people screened, "
        "share left out; one mark a design; the best are in the table before.",
        plot_front(front, currency=currency),
        {"design_front": front},
        facts.sources(_TABLE),
    )


def _name_amount(front: pd.DataFrame) -> str:
    return "cost" if front["cost"].notna().any() else "people enrolled"


def _name_aims(value: Any) -> str:
    return ", ".join(_AIMS[name] for name in str(value).split(", ") if name)


def _show_rule(value: Any) -> str:
    return show_text(value, limit=120)
