"""Strategies fitted again to samples of the screened people, or of the archive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from cohorts.numbered import NumberedTable
from trialsim.analysis.result import Floats
from trialsim.enrichment.strategies.fitted import choose_training
from trialsim.enrichment.strategies.folds import Samples
from trialsim.enrichment.strategies.strategy import ScreeningTables, Strategy


@runtime_checkable
class Refittable(Protocol):
    """A strategy whose scores change with the people it learns from."""

    @property
    def needs(self) -> frozenset[str]: ...  # noqa: D102

    def score_samples(
        self, tables: ScreeningTables, samples: Samples, rng: np.random.Generator
    ) -> Floats:
        """Return everyone's score by the model of each sample, (n_samples, n_people)."""
        ...


class Rescore(Protocol):
    """Scores everyone by strategies that are fitted to samples; people are in order of names."""

    @property
    def n_training(self) -> int:
        """People of the archive that strategies are fitted on; 0 without one."""
        ...

    def select(self, people: NDArray[np.intp]) -> "Rescore":
        """Return the same for some of the screened people."""
        ...

    def __call__(self, samples: Samples, rng: np.random.Generator) -> dict[str, Floats]:
        """Return strategy -> (n_samples, n_people), of the strategies that the samples change."""
        ...


@dataclass(frozen=True)
class Refitting:
    """The strategies that learn, with the people they learn from; a `Rescore`.

    Attributes
    ----------
    strategies
        By name.
    tables
        The screened people.
    """

    strategies: Mapping[str, Refittable]
    tables: ScreeningTables

    @property
    def n_training(self) -> int:
        """People of the archive that strategies are fitted on; 0 without one."""
        return 0 if self.tables.training is None else len(self.tables.training.index)

    def uses_archive(self, name: str) -> bool:
        """Whether a strategy learns from the archive rather than from the screened people."""
        strategy = self.strategies.get(name)
        if strategy is None or "outcome" not in strategy.needs:
            return False
        own = choose_training(self.tables) if "predictions" in strategy.needs else self.tables
        return own.training is not None

    def keep(self, name: str) -> "Refitting":
        """Return the fit of one strategy alone, or of none where it does not learn."""
        kept = {own: strategy for own, strategy in self.strategies.items() if own == name}
        return replace(self, strategies=kept)

    def select(self, people: NDArray[np.intp]) -> "Refitting":
        """Return the same for some of the screened people."""
        return replace(self, tables=self.tables.select(people))

    def __call__(self, samples: Samples, rng: np.random.Generator) -> dict[str, Floats]:
        """Return strategy -> (n_samples, n_people), of the strategies that the samples change."""
        return {
            name: strategy.score_samples(self.tables, samples, rng)
            for name, strategy in self.strategies.items()
            if self.uses_archive(name) == (samples.people is None)
        }


def build_rescore(strategies: Sequence[Strategy], tables: ScreeningTables) -> Refitting:
    """Return what `compare_strategies` needs to fit strategies again.

    Parameters
    ----------
    strategies
        All of them; those that learn nothing are left out.
    tables
        The screened people.
    """
    learning = {one.name: one for one in strategies if isinstance(one, Refittable)}
    return Refitting(learning, tables)


def widen_scores(scores: pd.DataFrame | NumberedTable) -> pd.DataFrame:
    """Return the `scores` table with one column a strategy, index `participant_id`."""
    if isinstance(scores, pd.DataFrame):
        scores = NumberedTable.of(scores.astype({"participant_id": "str", "strategy": "str"}))
    people, strategies = scores.numbers["participant_id"], scores.numbers["strategy"]
    ids, names = scores.names["participant_id"], scores.names["strategy"]
    wide = np.full((len(ids), len(names)), np.nan)
    wide[people, strategies] = scores.others["score"].to_numpy(dtype=float)
    order = pc.array_sort_indices(ids)
    index = pd.Index(ids.take(order).to_pandas(), dtype="str", name="participant_id")
    return pd.DataFrame(wide[np.asarray(order)], index, names.to_pylist())
