"""The strategies by name."""

from collections.abc import Sequence
from typing import Final

from cohorts.schema import HEAD_SIZE
from trialsim.enrichment.fitted import Boosting, Regression, Stacked
from trialsim.enrichment.predicted import PredictedDecline
from trialsim.enrichment.strategy import ScreeningTables, Strategy
from trialsim.enrichment.unfitted import BaselineVolume, Oracle, RandomEnrollment
from trialsim.errors import DesignError

STRATEGIES: Final[dict[str, Strategy]] = {
    strategy.name: strategy
    for strategy in (
        RandomEnrollment(),
        BaselineVolume(),
        Regression(),
        Boosting(),
        PredictedDecline("auxiliary", "auxiliary"),
        PredictedDecline("brlp", "predictions"),
        Stacked(),
        Oracle(),
    )
}
"""Every built-in strategy, in the order in which tables list them."""


def build_strategies(names: Sequence[str]) -> list[Strategy]:
    """Return the strategies called `names`, in that order.

    Raises
    ------
    DesignError
        Naming each name that is not known, or given twice.
    """
    problems = [
        f"There is no strategy {name!r}; known are {', '.join(STRATEGIES)}."
        for name in names
        if name not in STRATEGIES
    ]
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    problems += [f"The strategy {name!r} is named twice." for name in repeated]
    if problems:
        raise DesignError(*problems)
    return [STRATEGIES[name] for name in names]


def list_possible_strategies(tables: ScreeningTables) -> list[str]:
    """Return the names of the strategies whose needs `tables` meets."""
    return [name for name, strategy in STRATEGIES.items() if _is_possible(strategy, tables)]


def _is_possible(strategy: Strategy, tables: ScreeningTables) -> bool:
    if tables.training is None or "outcome" not in strategy.needs:
        return all(_has(tables, need) for need in strategy.needs)
    # Features are needed of both cohorts, outcomes of the training cohort alone.
    features = strategy.needs - {"outcome"}
    return all(_has(tables, need) for need in features) and all(
        _has(tables.training, need) for need in strategy.needs
    )


def _has(tables: ScreeningTables, need: str) -> bool:
    if need == "head_size":
        return {f"{tables.region}_mm3", HEAD_SIZE} <= set(tables.baseline)
    return getattr(tables, need) is not None
