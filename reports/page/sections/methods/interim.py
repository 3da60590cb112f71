"""Group-sequential looks."""

import pandas as pd

from reports.figures import plot_bounds
from reports.figures.labels import analysis_label, strategy_label
from reports.page.choice import choose
from reports.page.columns import ColumnRule, build_table, number, simulated, words
from reports.page.content import Block, Listing, Paragraph, Picture, Section, Table
from reports.page.formats import (
    is_blank,
    show_count,
    show_fraction,
    show_money,
    show_number,
    show_share,
    show_size,
    show_tally,
)
from reports.page.gather import StudyFacts
from reports.page.units import show_unit

_LOOKS = "looks"
_EXPECTED = "look_expectations"
_SIZES = "reestimation"
_ADAPTIVE = "adaptive_enrichment"

_FEWEST = 20
"""Completers an arm at the first look from which bounds keep alpha in simulated trials."""


def describe_interim(facts: StudyFacts) -> Section:
    """Return bounds, stopping probabilities, expected size, and a paragraph for the protocol."""
    title = "Interim looks"
    if not facts.has(_LOOKS, _EXPECTED):
        text = (
            "The design has one analysis, at the end: no interim looks, all of alpha spent there, "
            "and the sample size above is the maximum and the expected one. A section [interim] of "
            "the protocol plans looks."
        )
        return Section(title, (Paragraph(text),))
    looks, expected = _pick(facts, _LOOKS), _pick(facts, _EXPECTED)
    unit = show_unit(facts.describe(_LOOKS).unit)
    blocks: list[Block] = [
        _summarize(facts, looks, expected),
        _draw(facts, looks, unit),
        _tabulate_looks(facts, looks, unit),
        _tabulate_stops(facts, looks),
        _tabulate_expectations(facts),
    ]
    if facts.has(_SIZES):
        blocks.append(_tabulate_sizes(facts))
    if facts.has(_ADAPTIVE):
        blocks += _compare_enriching(facts)
    paragraph = str(expected["paragraph"].iloc[0])
    blocks.append(Listing("For the protocol's section on interim analyses", (paragraph,)))
    return Section(title, tuple(blocks))


def _pick(facts: StudyFacts, table: str) -> pd.DataFrame:
    """Return the rows of the proposed choice; of the first strategy where none is proposed."""
    rows: pd.DataFrame = facts.tables[table]
    choice = choose(facts)
    strategy = rows["strategy"].iloc[0] if choice is None else choice.best["strategy"]
    mine: pd.DataFrame = rows[rows["strategy"] == strategy]
    return mine if len(mine) else rows[rows["strategy"] == rows["strategy"].iloc[0]]


def _name(row: pd.Series) -> str:
    share = show_fraction(row["fraction_enrolled"])
    return f"{strategy_label(row['strategy'])}, {share} enrolled, {analysis_label(row['analysis'])}"


def _summarize(facts: StudyFacts, looks: pd.DataFrame, expected: pd.DataFrame) -> Paragraph:
    by_effect = expected.set_index("effect")
    none, whole = by_effect.loc["none"], by_effect.loc["whole"]
    early = looks.iloc[:-1]
    stops = {
        effect: (early[f"stop_efficacy_{effect}"] + early[f"stop_futility_{effect}"]).sum()
        for effect in ("none", "whole")
    }
    enrolled = looks["n_enrolled"].iloc[0] / looks["n_enrolled"].iloc[-1]
    text = (
        f"Of {_name(looks.iloc[0])}: {len(looks)} analyses, at most "
        f"{show_tally(whole['maximum_n'], 'people', show_size)} and "
        f"{show_number(whole['maximum_months'])} months. "
        f"The trial stops before its last look with a probability of {show_share(stops['none'])} "
        f"without an effect and {show_share(stops['whole'])} with the whole one; on average it "
        f"enrolls {show_size(none['expected_n'])} and {show_size(whole['expected_n'])} people and "
        f"takes {show_number(none['expected_months'])} and "
        f"{show_number(whole['expected_months'])} months. By the first look "
        f"{show_share(enrolled)} of the people are enrolled"
    )
    text += (
        ", so early stopping saves time, not people."
        if enrolled > 0.99
        else ", so early stopping saves people too."
    )
    simulated_power = whole["simulated_power"]
    text += (
        f" Simulated trials, every look analyzed from the data of its day, reject in "
        f"{show_share(simulated_power)} with the whole effect and "
        f"{show_share(none['simulated_power'])} without one; by integration it is "
        f"{show_share(whole['power'])} and {show_share(none['power'])}"
        f"{' where futility bounds are followed' if _has_futility(looks) else ''}."
    )
    completers = looks["n_completers"].iloc[0]
    if completers < 2 * _FEWEST:
        text += (
            f" At the first look only {show_tally(completers, 'people have', show_size)} had "
            "the last visit, in both arms together: the type I error over looks was checked from "
            f"{_FEWEST} an arm on; look later."
        )
    return Paragraph(text, facts.sources(_LOOKS, _EXPECTED))


def _has_futility(looks: pd.DataFrame) -> bool:
    return bool(looks["futility_z"].iloc[:-1].notna().any())


def _draw(facts: StudyFacts, looks: pd.DataFrame, unit: str) -> Picture:
    return Picture(
        "interim-bounds",
        f"Bounds of {_name(looks.iloc[0])}",
        "Three panels against the share of the information: the bounds of z, of the difference "
        "between the arms, of the p value; the values are in the next table.",
        plot_bounds(looks, unit=unit),
        {"interim_bounds": looks},
        facts.sources(_LOOKS),
    )


def _tabulate_looks(facts: StudyFacts, looks: pd.DataFrame, unit: str) -> Table:
    def show_z(value: object) -> str:
        return "none" if is_blank(value) else show_number(value, digits=4)

    shown = looks.copy()
    if not _has_futility(looks):
        shown["futility_z"] = float("nan")
    difference = f"Efficacy difference{f', {unit}' if unit else ''}"
    rules = [
        number("look", "Look", show_count),
        number("calendar_months", "Month", show_number),
        number("n_enrolled", "Enrolled", show_size),
        number("n_completers", "Completers", show_size),
        number("information_rate", "Information", show_share),
        number("efficacy_z", "Efficacy z", show_z),
        number("efficacy_p", "Efficacy p", lambda v: show_number(v, digits=2)),
        number("efficacy_effect", difference, show_z),
        number("futility_z", "Futility z", show_z),
        number("cumulative_alpha", "Alpha spent", lambda v: show_number(v, digits=3)),
    ]
    return build_table(
        shown,
        rules,
        title="Looks of the trial",
        sources=facts.sources(_LOOKS),
        note="Month: since the first person is randomized. Completers: people who have had their "
        "last visit. Information: 1 / variance of the estimated difference, as a share of that at "
        "the end; not the share of people."
        + (" The last futility bound is the efficacy bound." if _has_futility(looks) else ""),
    )


def _tabulate_stops(facts: StudyFacts, looks: pd.DataFrame) -> Table:
    rules = [number("look", "Look", show_count)]
    for effect, words_ in (("none", "no"), ("half", "half the"), ("whole", "the whole")):
        rules.append(number(f"stop_efficacy_{effect}", f"Efficacy, {words_} effect", show_share))
        rules.append(number(f"stop_futility_{effect}", f"Futility, {words_} effect", show_share))
    rules.append(
        simulated(
            "simulated_stop_efficacy_whole",
            "simulated_stop_efficacy_whole_mcse",
            "Efficacy simulated, the whole effect",
            show_share,
        )
    )
    return build_table(
        looks,
        rules,
        title="Probability to stop at each look",
        sources=facts.sources(_LOOKS),
        note="By numerical integration; the last column from simulated trials, ± Monte Carlo "
        "standard error. Futility at the last look: the trial ends without having shown efficacy.",
    )


def _tabulate_expectations(facts: StudyFacts) -> Table:
    priced = bool((facts.tables[_EXPECTED]["expected_cost"] > 0).any())
    fraction = "at its cheapest fraction" if priced else "at the fraction with the fewest people"
    rules = [
        words("strategy", "Strategy", strategy_label),
        number("fraction_enrolled", "Enrolled", show_fraction),
        words("effect", "Effect"),
        number("power", "Rejects", show_share),
        simulated("simulated_power", "simulated_power_mcse", "Rejects, simulated", show_share),
        number("expected_n", "People expected", show_size),
        number("maximum_n", "People at most", show_size),
        number("expected_months", "Months expected", show_number),
        number("maximum_months", "Months at most", show_number),
        *_price(facts, _EXPECTED, "Cost expected"),
    ]
    return build_table(
        facts.tables[_EXPECTED],
        rules,
        title="Expected size and duration of each strategy with looks",
        sources=facts.sources(_EXPECTED),
        note=f"People enrolled, and months since the first of them; each strategy {fraction}. At "
        "most: what looks add to the size with one analysis, which is the proposed one for the "
        "proposed choice (so that it rejects more often than is aimed at, were all as found), the "
        "one found for the others.",
    )


def _price(facts: StudyFacts, name: str, heading: str) -> list[ColumnRule]:
    """Return the column of what trials cost, none where nothing is priced."""
    if not (facts.tables[name]["expected_cost"] > 0).any():
        return []
    currency = facts.describe(name).currency or ""
    return [number("expected_cost", heading, lambda v: show_money(v, currency))]


_RULES = {
    "blinded": "Blinded: the size follows the pooled standard deviation of the people seen by the "
    "first look (Kieser & Friede 2003), which needs no arm.",
    "promising": "Promising zone (Mehta & Pocock 2011): the second stage grows where conditional "
    "power at the effect observed is promising; stages keep their planned weights (Cui, Hung & "
    "Wang 1999), so alpha is kept whatever the size becomes. Conditional power is known to whoever "
    "knows the size: only an independent committee should.",
}


def _tabulate_sizes(facts: StudyFacts) -> Table:
    rows = facts.tables[_SIZES]
    rules = [
        words("strategy", "Strategy", strategy_label),
        number("fraction_enrolled", "Enrolled", show_fraction),
        number("sd_factor", "True sd over found", show_number),
        words("effect", "Effect"),
        simulated("power_reestimated", "mcse", "Rejects", show_share),
        number("power_planned", "Rejects at the planned size", show_share),
        number("expected_n", "People expected", show_size),
        number("planned_n", "People planned", show_size),
        number("maximum_n", "People at most", show_size),
    ]
    if rows["share_enlarged"].notna().any():
        rules.append(number("share_enlarged", "Trials enlarged", show_share))
    return build_table(
        rows,
        rules,
        title="Re-estimating the sample size at the first look",
        sources=facts.sources(_SIZES),
        note=f"{_RULES[rows['rule'].iloc[0]]} Rejections with no effect are the type I error of "
        "one side, ± Monte Carlo standard error. Simulated from means and variances of stages, not "
        "from people with visits.",
    )


def _compare_enriching(facts: StudyFacts) -> list[Block]:
    rows = facts.tables[_ADAPTIVE]
    rules = [
        words("strategy", "Strategy", strategy_label),
        number("fraction_enrolled", "Fraction", show_fraction),
        words("design", "Design"),
        simulated("reject_any", "mcse", "Rejects", show_share),
        number("type_one_error", "Rejects without effect", show_share),
        number("chose_selected", "Goes on with the fraction", show_share),
        number("chose_everyone", "Goes on with everyone", show_share),
        number("stopped_early", "Stops at the look", show_share),
        number("expected_n", "People", show_size),
        number("expected_screened", "Screened", show_size),
        *_price(facts, _ADAPTIVE, "Cost"),
        number("expected_months", "Months", show_number),
    ]
    table = build_table(
        rows,
        rules,
        title="Choosing the population at the look, beside enriching from the start",
        sources=facts.sources(_ADAPTIVE),
        note="Both with as many people as enriching from the start needs. Stages are combined by "
        "the inverse normal, hypotheses by a closed test (Spiessens-Debois), so alpha is kept "
        "whatever is chosen. Where the population is chosen at the look, enrollment waits for it; "
        "from the start it goes on, and whoever has come by the look counts. Simulated from means "
        "and variances of stages, not from people with visits; numbers on average.",
    )
    return [table]
