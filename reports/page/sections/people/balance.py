"""How far an archive agrees at baseline with the people for whom it stands."""

from typing import Any

from reports.figures.labels import covariate_label, strategy_label
from reports.page.columns import build_table, number, words
from reports.page.content import Table
from reports.page.formats import MISSING, is_blank, show_count
from reports.page.gather import StudyFacts


def describe_balance(facts: StudyFacts) -> Table:
    """Return the difference of each covariate before and after weighting, by strategy."""
    rules = [
        words("strategy", "Weights for", strategy_label),
        words("covariate", "Covariate", covariate_label),
        number("difference_unweighted", "Difference before weighting, SD", _show_difference),
        number("difference_weighted", "after weighting, SD", _show_difference),
        number("n_archive", "People in the archive", show_count),
        number("effective_size", "Effective size, people", show_count),
        number("n_outside", "Screened people outside its range", show_count),
    ]
    note = (
        "Mean of the archive minus mean of the screened people, in standard deviations of the "
        "screened. Effective size: how many equally weighted people would tell as much."
    )
    return build_table(
        facts.tables["archive_balance"],
        rules,
        title="Archive and screened people at baseline",
        sources=facts.sources("archive_balance"),
        note=note,
    )


def _show_difference(value: Any) -> str:
    if is_blank(value):
        return MISSING
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "\u2212")
