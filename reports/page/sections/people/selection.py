"""Who is selected, who fails screening, how the selected differ from the rest."""

from typing import Any, Final

import numpy as np
import pandas as pd

from cohorts.counting import tally
from reports.figures import plot_group_differences, plot_screening_flow
from reports.figures.labels import covariate_label, percent, strategy_label
from reports.page.choice import choose
from reports.page.columns import ColumnRule, Row, build_table, number, words
from reports.page.content import Block, Cell, Column, Paragraph, Picture, Section, Table
from reports.page.description import StudyDescription
from reports.page.formats import (
    is_blank,
    show_count,
    show_decimals,
    show_fraction,
    show_number,
    show_share,
    show_tally,
    show_text,
)
from reports.page.gather import StudyFacts
from reports.page.privacy import Privacy
from reports.page.sections.gaps import describe_gap, describe_settings
from reports.page.size_words import describe_group
from reports.page.units import show_decline_unit, show_region
from reports.store import queries

_SETTINGS = (
    ("Strategies", "strategies"),
    ("Fractions enrolled", "fractions_enrolled"),
)
_MOST_FRACTIONS: Final = 12
"""Rows of a table of fractions; more of them are shown in even steps."""
_FAILED: Final = ("n_failed", "n_failed_alone", "n_missing")


def describe_selection(facts: StudyFacts, privacy: Privacy, *, n_listed: int) -> Section:
    """Return the flow of screening, the counts selected, and the differences to the left out.

    Parameters
    ----------
    facts
        The study.
    privacy
        Which groups are too small to be counted.
    n_listed
        How many of the people whom the chosen strategy selects are named.
    """
    blocks: list[Block] = []
    if facts.has("screening_flow"):
        blocks.append(_flow(facts, privacy))
    elif facts.has("participants"):
        sources = facts.sources("participants")
        blocks.append(Paragraph("No eligibility criterion is stated: all are ranked.", sources))
    else:
        blocks += describe_gap(facts, "screening_flow")
    blocks += [*describe_gap(facts, "selections", "group_differences")]
    if facts.has("selections"):
        blocks += [
            describe_settings(facts, "Rule of selection", _SETTINGS, "selections"),
            _fast_progressors(facts),
            Paragraph("Equal scores are put in order by the seeded random generator."),
            _counts(facts, privacy),
            *_people(facts, n_listed),
        ]
    if facts.has("group_differences"):
        blocks += _differences(facts, privacy)
    return Section("Who is enrolled, and who is not", tuple(blocks))


def _fast_progressors(facts: StudyFacts) -> Paragraph:
    """Return which decline strategies learn, and who counts as a fast progressor."""
    asked = facts.describe("capture_rates" if facts.has("capture_rates") else "selections")
    region, unit = show_region(asked.endpoint), show_decline_unit(asked.decline_unit)
    when = "" if asked.horizon_months is None else f" by month {asked.horizon_months:g}"
    window = (
        ""
        if asked.window_months is None
        else f"; a visit stands for a month at most {asked.window_months:g} months away"
    )
    return Paragraph(
        f"The decline that strategies learn is that of the {region}{when}"
        f"{f', {unit}' if unit else ''}{window}.{_define_fast(asked)}",
        facts.sources("selections"),
    )


def _define_fast(asked: StudyDescription) -> str:
    if asked.top_fraction is not None:
        return f" Fast progressors are the fastest {show_fraction(asked.top_fraction)}."
    if asked.rate_below is None:
        return ""
    return (
        f" Fast progressors are those whose change a year is below {asked.rate_below:g}, "
        f"{show_decline_unit(asked.decline_unit)}."
    )


def _flow(facts: StudyFacts, privacy: Privacy) -> Block:
    flow = _join_small_steps(facts.tables["screening_flow"].sort_values("step"), privacy)
    first, last = flow.iloc[0], flow.iloc[-1]
    sources = facts.sources("screening_flow", "selections")
    if privacy.hides(flow["n_failed"].sum()):
        # the number screened would give it away
        text = (
            f"{show_tally(last['n_remaining'], 'people are')} eligible; "
            f"{privacy.show_people(flow['n_failed'].sum())} of those screened did not meet a "
            "criterion."
        )
        return Paragraph(text, sources)
    counts = [name for name in _FAILED if name in flow]
    hidden = {name: flow[name].mask(flow[name].map(privacy.hides)) for name in counts}
    return Picture(
        "screening-flow",
        "Flow of screening",
        f"{show_tally(first['n_entering'], 'people')} screened, "
        f"{show_count(flow['n_failed'].sum())} did not meet a criterion, "
        f"{show_count(last['n_remaining'])} eligible.",
        plot_screening_flow(flow, enrolled=_enrolled(facts), smallest=privacy.least),
        {"screening_flow": flow.assign(**hidden)},
        sources,
    )


def _join_small_steps(flow: pd.DataFrame, privacy: Privacy) -> pd.DataFrame:
    """Count criteria that few people fail together with the next, until enough fail them."""
    joined: list[dict[Any, Any]] = []
    for step in flow.to_dict("records"):
        if joined and privacy.hides(joined[-1]["n_failed"]):
            step = _join(joined.pop(), step)
        joined.append(step)
    if len(joined) > 1 and privacy.hides(joined[-1]["n_failed"]):
        last = joined.pop()
        joined.append(_join(joined.pop(), last))
    return pd.DataFrame(joined).assign(step=range(1, len(joined) + 1))


def _join(first: dict[Any, Any], second: dict[Any, Any]) -> dict[Any, Any]:
    return {
        **second,
        "criterion": f"{first['criterion']}; {second['criterion']}",
        "n_entering": first["n_entering"],
        "n_failed": first["n_failed"] + second["n_failed"],
    }


def _enrolled(facts: StudyFacts) -> tuple[str, int] | None:
    choice = choose(facts)
    if choice is None or not facts.has("selections"):
        return None
    counts = facts.ask(queries.SELECTED_COUNTS, "selections")
    same = (counts["strategy"] == choice.best["strategy"]) & (
        counts["fraction_enrolled"] == choice.best["fraction_enrolled"]
    )
    if not same.any():
        return None
    return f"Selected: {describe_group(choice.best)}", int(counts.loc[same, "n_selected"].iloc[0])


def _counts(facts: StudyFacts, privacy: Privacy) -> Table:
    counts = facts.ask(queries.SELECTED_COUNTS, "selections")
    wide = counts.pivot_table(index="fraction_enrolled", columns="strategy", values="n_selected")
    names = facts.order_strategies(wide.columns.to_frame(index=False))["strategy"]
    note = f"Of {show_tally(counts['n_ranked'].max(), 'people')} ranked."
    if len(wide) > _MOST_FRACTIONS:
        places = np.linspace(0, len(wide) - 1, _MOST_FRACTIONS).round().astype(int)
        note += f" {_MOST_FRACTIONS} of {len(wide)} fractions; the study file holds the others."
        wide = wide.iloc[places]
    rules = [number("fraction_enrolled", "Fraction enrolled", show_fraction)]
    rules += [number(name, strategy_label(name), privacy.show_people) for name in names]
    return build_table(
        wide.reset_index(),
        rules,
        title="People selected by each strategy",
        sources=facts.sources("selections"),
        note=note,
    )


def _people(facts: StudyFacts, n_listed: int) -> list[Block]:
    choice = choose(facts)
    if not n_listed or choice is None:
        return []
    values = [choice.best["strategy"], choice.best["fraction_enrolled"], n_listed]
    people = facts.study.query(queries.SELECTED_PEOPLE, [facts.writers["selections"], *values])
    rules = [number("rank", "Rank", show_count), words("participant_id", "Participant", show_text)]
    title = f"The first {tally(len(people), 'people')} of {describe_group(choice.best)}"
    return [build_table(people, rules, title=title, sources=facts.sources("selections"))]


def _differences(facts: StudyFacts, privacy: Privacy) -> list[Block]:
    table = facts.tables["group_differences"]
    fraction = _shown_fraction(facts, table)
    rows = table[table["fraction_enrolled"] == fraction]
    note = ""
    if facts.has("selections"):
        counts = facts.ask(queries.SELECTED_COUNTS, "selections")
        hidden = find_small_levels(rows, counts, privacy)
        if hidden.any():
            least = tally(privacy.least, "people")
            named = "; ".join(_name_hidden(rows, hidden))
            note = f"Not shown, since a level of it would count fewer than {least}: {named}."
        rows = rows[~hidden]
    sources = facts.sources("group_differences")
    rules = [
        words("covariate", "Covariate", covariate_label),
        words("strategy", "Strategy", strategy_label),
        _mean_or_share("mean_selected", "selected"),
        _mean_or_share("mean_not_selected", "not selected"),
        number("standardized_difference", "Standardized difference, SD", show_decimals),
    ]
    title = f"Selected and not selected at {percent(fraction)} enrolled"
    blocks: list[Block] = [build_table(rows, rules, title=title, sources=sources, note=note)]
    if rows["standardized_difference"].notna().any():
        picture = Picture(
            "selected-and-not-selected",
            f"Who is selected and who is left out at {percent(fraction)} enrolled",
            "Love plot: standardized difference of each covariate for each strategy, with guides "
            "at minus and plus 0.1; the values are in the table above.",
            plot_group_differences(rows.dropna(subset=["standardized_difference"])),
            {"group_differences": rows},
            sources,
        )
        blocks.append(picture)
    return blocks


def _name_hidden(rows: pd.DataFrame, hidden: "pd.Series[bool]") -> list[str]:
    """Return each hidden covariate, with the strategies whose rows are, where not all are."""
    told = rows.assign(hidden=hidden.to_numpy(), name=rows["covariate"].str.partition(" ")[0])
    names = []
    for name, own in told.groupby("name", sort=False):
        gone = own.loc[own["hidden"], "strategy"].unique()
        some = ", ".join(strategy_label(str(strategy)) for strategy in gone)
        if len(gone) == own["strategy"].nunique():
            names.append(str(name))
        elif some:
            names.append(f"{name} of {some}")
    return names


def find_small_levels(
    differences: pd.DataFrame, counts: pd.DataFrame, privacy: Privacy
) -> "pd.Series[bool]":
    """Say which rows are shares that, with the size of the group, count too few people.

    All levels of a category are hidden together: the others would give a small one away.

    Parameters
    ----------
    differences
        Rows of `group_differences`; a level of a category is called `sex F`.
    counts
        `n_selected` of `n_ranked` people by strategy and fraction.
    privacy
        Which groups are too small to be counted.
    """
    keys = ["strategy", "fraction_enrolled"]
    sizes = differences[keys].merge(counts, on=keys, how="left").set_index(differences.index)
    people = pd.DataFrame(
        {
            "mean_selected": sizes["n_selected"],
            "mean_not_selected": sizes["n_ranked"] - sizes["n_selected"],
        }
    )
    having = (differences[list(people)] * people).round()
    small = pd.concat([having, people - having], axis=1).map(privacy.hides).any(axis=1)
    category, space, _ = (part for _, part in differences["covariate"].str.partition(" ").items())
    together = [*(differences[key] for key in keys), category]
    return space.ne("") & small.groupby(together).transform("any")


def _mean_or_share(name: str, group: str) -> ColumnRule:
    """Return a column of means; that of a category, `sex F`, is a share of people."""

    def cell(row: Row) -> Cell:
        shown = show_share(row[name]) if " " in row["covariate"] else show_number(row[name])
        return Cell(shown, "" if is_blank(row[name]) else float(row[name]))

    return ColumnRule(Column(f"Mean or share, {group}", is_number=True), cell)


def _shown_fraction(facts: StudyFacts, table: pd.DataFrame) -> float:
    present = sorted(set(table["fraction_enrolled"]))
    choice = choose(facts)
    wanted = choice.best["fraction_enrolled"] if choice else present[0]
    return float(min(present, key=lambda fraction: abs(fraction - wanted)))
