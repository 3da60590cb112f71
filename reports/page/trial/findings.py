"""What the page of a finished trial asks of its tables."""

from typing import Any

import pandas as pd

from reports.page.formats import show_interval, show_number
from reports.page.gather import StudyFacts
from reports.page.units import show_unit

Row = dict[Any, Any]
EFFECTS = "trial_effects"


def get_primary(facts: StudyFacts) -> Row:
    """Return the row of the pre-specified estimator."""
    rows = facts.tables[EFFECTS]
    return dict(rows[rows["is_primary"]].iloc[0])


def find(facts: StudyFacts, finding: str) -> Row | None:
    """Return a row of `trial_findings`; None where it is not there."""
    rows = facts.tables.get("trial_findings", pd.DataFrame({"finding": []}))
    own = rows[rows["finding"] == finding]
    return None if own.empty else dict(own.iloc[0])


def get_unit(facts: StudyFacts) -> str:
    """Return the unit of the outcome, as it is written."""
    return show_unit(facts.describe(EFFECTS).unit)


def show_effect(value: Any) -> str:
    """Return an effect with three digits."""
    return show_number(value, digits=3)


def show_level(facts: StudyFacts) -> str:
    """Return what the intervals of the analysis cover: `95 %`."""
    alpha = facts.describe(EFFECTS).alpha
    return f"{100 * (1 - (0.05 if alpha is None else alpha)):.10g} %"


def show_estimate(facts: StudyFacts, row: Row, *, value: str = "estimate") -> str:
    """Return `12.3 (95 % interval 4.5 to 20.1)`."""
    interval = show_interval(row["lower"], row["upper"], show_effect)
    return f"{show_effect(row[value])} ({show_level(facts)} interval {interval})"
