"""Strategies that learned from different people, marked where they are compared."""

from typing import Final

from reports.figures.labels import strategy_label
from reports.page.formats import Format
from reports.page.gather import StudyFacts
from reports.store import queries

_SIGN: Final = "\u00a0\u2020"

_NOTE: Final = (
    "\u2020 learned from the screened people themselves, of whom there are few; what is not marked "
    "learned from the archive, or from nobody. They do not compete on equal terms."
)


def mark_strategies(facts: StudyFacts) -> tuple[Format, str]:
    """Return how strategies are called, and a note: both plain where all learned from the same.

    Who is cross-fitted although there is an archive learned from the screened people.
    """
    if not facts.has("scores") or facts.describe("scores").training is None:
        return strategy_label, ""
    own = set(facts.ask(queries.CROSS_FITTED, "scores")["strategy"])
    if not own:
        return strategy_label, ""
    return lambda name: strategy_label(name) + (_SIGN if name in own else ""), _NOTE
