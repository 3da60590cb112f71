"""Which choice the page puts first: the cheapest one that anyone could carry out."""

from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from reports.page.gather import StudyFacts

UNATTAINABLE: Final = ("oracle",)
REFERENCE: Final = "random"
FLATNESS: Final = 0.05
"""Costs within this share above the cheapest count as equal."""


@dataclass(frozen=True)
class Choice:
    """The cheapest attainable combination of strategy and fraction, and what it is held against.

    Parameters
    ----------
    best
        Its row of `sample_sizes`.
    reference
        The row of enrolling at random, where the study has one.
    saving
        The row of `sample_size_savings` against the reference, where there is one.
    n_compared
        Among how many attainable combinations it is the cheapest.
    by
        What is least: `cost`, or `n_control` where no costs are given.
    """

    best: dict[Any, Any]
    reference: dict[Any, Any] | None
    saving: dict[Any, Any] | None
    n_compared: int
    by: str

    @property
    def is_enriched(self) -> bool:
        """Whether the cheapest way is another than enrolling everyone."""
        return bool(self.best["strategy"] != REFERENCE)


def primary_sizes(facts: StudyFacts) -> pd.DataFrame:
    """Return `sample_sizes` for the first analysis at the target power that the design names."""
    sizes = facts.tables["sample_sizes"]
    analysis = primary_analysis(facts)
    power = target_power(facts)
    return sizes[(sizes["analysis"] == analysis) & (sizes["target_power"] == power)]


def primary_analysis(facts: StudyFacts) -> str:
    """Return the analysis that the design names first, among those that were simulated."""
    table = "sample_sizes" if facts.has("sample_sizes") else "operating_characteristics"
    present = list(dict.fromkeys(facts.tables[table]["analysis"]))
    named = facts.setting("analyses", table) or facts.setting("analysis", table) or []
    listed = [named] if isinstance(named, str) else list(named)
    return str(next((name for name in listed if name in present), present[0]))


def target_power(facts: StudyFacts) -> float:
    """Return the target power of the design, among those that sample sizes were sought for."""
    present = sorted(set(facts.tables["sample_sizes"]["target_power"]))
    named = facts.setting("target_power", "sample_sizes")
    return float(named) if named in present else float(present[0])


def choose(facts: StudyFacts) -> Choice | None:
    """Return the cheapest attainable choice, or None where no sample size reached the target."""
    if not facts.has("sample_sizes"):
        return None
    sizes = primary_sizes(facts)
    reached = sizes[sizes["n_control"].notna() & ~sizes["strategy"].isin(UNATTAINABLE)]
    if reached.empty:
        return None
    by = "cost" if (reached["cost"] > 0).any() else "n_control"
    best = reached.sort_values(by, kind="stable").iloc[0].to_dict()
    everyone = reached[reached["strategy"] == REFERENCE].to_dict("records")
    return Choice(
        best, everyone[0] if everyone else None, _find_saving(facts, best), len(reached), by
    )


def compute_cheapest(sizes: pd.DataFrame) -> pd.DataFrame:
    """Return, for each enriching strategy, the cheapest fraction and how flat the cost is there.

    Parameters
    ----------
    sizes
        Rows of `sample_sizes`, one analysis and one target power.

    Returns
    -------
    pandas.DataFrame
        `strategy`, `fraction_enrolled`, `cost`, and the neighboring fractions `flat_from`,
        `flat_to` within which the cost stays at most 5 % above the cheapest.
    """
    rows = []
    for strategy, group in sizes.dropna(subset=["cost"]).groupby("strategy", sort=False):
        if strategy == REFERENCE:
            continue
        ordered = group.sort_values("fraction_enrolled").reset_index(drop=True)
        place = int(ordered["cost"].to_numpy().argmin())
        least = ordered.loc[place]
        flat = ordered["cost"] <= (1 + FLATNESS) * least["cost"]
        # only the unbroken stretch around the cheapest point is flat
        stretch = (flat != flat.shift()).cumsum()
        near = ordered.loc[stretch == stretch[place], "fraction_enrolled"]
        rows.append((strategy, least["fraction_enrolled"], least["cost"], near.min(), near.max()))
    names = ["strategy", "fraction_enrolled", "cost", "flat_from", "flat_to"]
    return pd.DataFrame(rows, columns=names)


def pick_best_fractions(facts: StudyFacts, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `operating_characteristics` at each strategy's cheapest fraction."""
    best: dict[str, float] = {}
    if facts.has("sample_sizes"):
        cheapest = compute_cheapest(primary_sizes(facts))
        best = dict(zip(cheapest["strategy"], cheapest["fraction_enrolled"], strict=True))
    fallback = rows.groupby("strategy")["fraction_enrolled"].transform("min")
    wanted = rows["strategy"].map(best).astype(float).fillna(fallback)
    return rows[rows["fraction_enrolled"] == wanted]


def _find_saving(facts: StudyFacts, best: dict[Any, Any]) -> dict[Any, Any] | None:
    if not facts.has("sample_size_savings"):
        return None
    table = facts.tables["sample_size_savings"]
    same = (
        (table["strategy"] == best["strategy"])
        & (table["reference_strategy"] == REFERENCE)
        & (table["analysis"] == best["analysis"])
        & (table["fraction_enrolled"] == best["fraction_enrolled"])
    )
    found = table[same].to_dict("records")
    return found[0] if found else None
