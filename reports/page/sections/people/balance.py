"""How far an archive agrees at baseline with the people for whom it stands."""

from typing import Final

from reports.figures.labels import covariate_label, strategy_label
from reports.page.columns import build_table, number, words
from reports.page.content import Table
from reports.page.formats import show_count, show_decimals
from reports.page.gather import StudyFacts


def describe_balance(facts: StudyFacts) -> Table:
    """Return the largest difference before and after weighting, a line for each strategy."""
    balance = facts.tables[_TABLE]
    differences = ["difference_unweighted", "difference_weighted"]
    largest = balance.assign(**balance[differences].abs()).groupby("strategy", sort=False)
    sizes = ["n_archive", "effective_size", "n_outside"]
    rows = largest[[*differences, *sizes]].max().reset_index()
    rules = [
        words("strategy", "Weights for", strategy_label),
        number("difference_unweighted", "Largest difference before weighting, SD", show_decimals),
        number("difference_weighted", "Largest difference after weighting, SD", show_decimals),
        *_SIZES,
    ]
    note = f"{_MEANING} Each covariate is in the appendix."
    return build_table(rows, rules, title=_TITLE, sources=facts.sources(_TABLE), note=note)


def build_balance(facts: StudyFacts, *, title: str) -> Table:
    """Return the difference of each covariate before and after weighting, by strategy."""
    rules = [
        words("strategy", "Weights for", strategy_label),
        words("covariate", "Covariate", covariate_label),
        number("difference_unweighted", "Difference before weighting, SD", show_decimals),
        number("difference_weighted", "Difference after weighting, SD", show_decimals),
        *_SIZES,
    ]
    rows = facts.tables[_TABLE]
    return build_table(rows, rules, title=title, sources=facts.sources(_TABLE), note=_MEANING)


_TABLE: Final = "archive_balance"
_TITLE: Final = "Archive and screened people at baseline"
_SIZES: Final = (
    number("n_archive", "People in the archive", show_count),
    number("effective_size", "Effective size, people", show_count),
    number("n_outside", "Screened people outside the archive's range", show_count),
)
_MEANING: Final = (
    "Mean of the archive minus mean of the screened people, in standard deviations of the "
    "screened. Effective size: how many equally weighted people would tell as much."
)
