"""Which choice the page puts first: the cheapest one that anyone could carry out."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import pandas as pd

from reports.page.gather import StudyFacts

REFERENCE: Final = "random"

_UNATTAINABLE_ONCE: Final = ("oracle",)
"""The one strategy of earlier versions, which did not record it."""

Row = dict[Any, Any]


@dataclass(frozen=True)
class CheapestChoice:
    """The cheapest attainable combination of strategy and fraction, and what it is held against.

    Parameters
    ----------
    best
        Its row of `sample_sizes`.
    reference
        The row of enrolling at random, where the study has one.
    proposal
        The row of `proposed_sizes`, where the study has one.
    saving
        The row of `sample_size_savings` against the reference, where there is one.
    repeated
        The row of `cheapest_fractions` whose interval repeats the choice in every bootstrap
        sample, where there is one.
    n_compared
        Among how many attainable combinations it is the cheapest.
    bounds
        Strategies that are shown beside them, and that no trial could carry out.
    by
        What is least: `cost`, or `n_control` where no costs are given.
    """

    best: Row
    reference: Row | None
    proposal: Row | None
    saving: Row | None
    repeated: Row | None
    n_compared: int
    bounds: tuple[str, ...]
    by: str

    @property
    def is_enriched(self) -> bool:
        """Whether the cheapest way is another than enrolling everyone."""
        return bool(self.best["strategy"] != REFERENCE)

    @property
    def least(self) -> str:
        """What it is among those compared: the cheapest, or the smallest where nothing costs."""
        return "cheapest" if self.by == "cost" else "smallest"

    @property
    def trial(self) -> Row:
        """The trial to carry out: arms, number to screen, cost and months that agree.

        The proposed whole numbers; where a study has none, those of the sample size as found.
        """
        if self.proposal is None:
            return self.best
        return {
            **self.proposal,
            "n_control": self.proposal["n_control_proposed"],
            "n_treatment": self.proposal["n_treatment_proposed"],
        }


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
    named = facts.describe(table).analyses or ()
    return str(next((name for name in named if name in present), present[0]))


def target_power(facts: StudyFacts) -> float:
    """Return the target power of the design, among those that sample sizes were sought for."""
    present = sorted(set(facts.tables["sample_sizes"]["target_power"]))
    named = facts.describe("sample_sizes").target_power
    return float(present[0]) if named is None or named not in present else named


@lru_cache(maxsize=1)  # most sections of a page ask
def choose(facts: StudyFacts) -> CheapestChoice | None:
    """Return the cheapest attainable choice, or None where no sample size reached the target."""
    if not facts.has("sample_sizes"):
        return None
    sizes = primary_sizes(facts)
    bounds = [one for one in list_unattainable(facts) if one in set(sizes["strategy"])]
    reached = sizes[sizes["n_control"].notna() & ~sizes["strategy"].isin(bounds)]
    if reached.empty:
        return None
    by = cheapest_by(sizes)
    proposal = _find_proposal(facts, reached)
    # costs of whole people may tie or turn where those of the sizes sought do not
    proposed = reached if proposal is None else _pick(reached, proposal)
    best = proposed.sort_values(by, kind="stable").iloc[0].to_dict()
    everyone = reached[reached["strategy"] == REFERENCE].to_dict("records")
    return CheapestChoice(
        best=best,
        reference=everyone[0] if everyone else None,
        proposal=proposal,
        saving=_find_saving(facts, best),
        repeated=_find_repeated(facts, best),
        n_compared=len(reached),
        bounds=tuple(bounds),
        by=by,
    )


def list_unattainable(facts: StudyFacts) -> tuple[str, ...]:
    """Return the strategies that bound others and that no trial could carry out."""
    recorded = facts.describe("sample_sizes").unattainable
    return _UNATTAINABLE_ONCE if recorded is None else recorded


def scale_interval(row: Row, name: str) -> tuple[float, float]:
    """Return the interval of a number that is proportional to the sample size.

    People to screen and months of enrollment are: at a given fraction and screening rate they have
    the error of the sample size, here that of cohort and prediction model.
    """
    ratio = row[name] / row["n_control"]
    return ratio * row["n_control_lower_cohort"], ratio * row["n_control_upper_cohort"]


def cheapest_by(sizes: pd.DataFrame) -> str:
    """Return what is to be small: `cost`, or `n_control` where no costs are given."""
    return "cost" if (sizes["cost"] > 0).any() else "n_control"


def name_best_fraction(facts: StudyFacts) -> str:
    """Return in words where `pick_best_fractions` shows each strategy."""
    if not facts.has("sample_sizes"):
        return "at its smallest fraction"
    if cheapest_by(primary_sizes(facts)) == "cost":
        return "at its cheapest fraction"
    return "at the fraction with the fewest people"


def best_fractions(facts: StudyFacts) -> pd.DataFrame:
    """Return the row of `sample_sizes` at each strategy's cheapest fraction, cheapest first."""
    sizes = primary_sizes(facts)
    return sizes.sort_values(cheapest_by(sizes), kind="stable").drop_duplicates("strategy")


def pick_best_fractions(facts: StudyFacts, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `operating_characteristics` at each strategy's cheapest fraction."""
    best: dict[str, float] = {}
    if facts.has("sample_sizes"):
        found = best_fractions(facts)
        best = dict(zip(found["strategy"], found["fraction_enrolled"], strict=True))
    fallback = rows.groupby("strategy")["fraction_enrolled"].transform("min")
    wanted = rows["strategy"].map(best).astype(float).fillna(fallback)
    return rows[rows["fraction_enrolled"] == wanted]


def _find_proposal(facts: StudyFacts, reached: pd.DataFrame) -> Row | None:
    if not facts.has("proposed_sizes"):
        return None
    table = facts.tables["proposed_sizes"]
    same = (table["analysis"] == primary_analysis(facts)) & (
        table["target_power"] == target_power(facts)
    )
    found = [row for row in table[same].to_dict("records") if len(_pick(reached, row))]
    return found[0] if found else None


def _find_saving(facts: StudyFacts, best: Row) -> Row | None:
    if not facts.has("sample_size_savings"):
        return None
    table = facts.tables["sample_size_savings"]
    found = _pick(table[table["reference_strategy"] == REFERENCE], best).to_dict("records")
    return found[0] if found else None


def _find_repeated(facts: StudyFacts, best: Row) -> Row | None:
    if not facts.has("cheapest_fractions"):
        return None
    table = facts.tables["cheapest_fractions"]
    found = _pick(table[table["choice"] == "strategy and fraction"], best).to_dict("records")
    return found[0] if found else None


def _pick(table: pd.DataFrame, choice: Row) -> pd.DataFrame:
    """Return the rows of a table that are about a choice."""
    keys = ["strategy", "fraction_enrolled", "analysis"]
    return table[(table[keys] == [choice[key] for key in keys]).all(axis=1)]
