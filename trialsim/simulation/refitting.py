"""Strategies fitted again to bootstrap samples of the screened people."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialsim.enrichment.scoring import score_people
from trialsim.enrichment.strategy import ScreeningTables, Strategy
from trialsim.simulation.cohort_error import Rescore


def build_rescore(strategies: Sequence[Strategy], tables: ScreeningTables) -> Rescore:
    """Return the callback of `compare_strategies` that draws people and scores them anew.

    Parameters
    ----------
    strategies
        Those to be fitted again; a score of random enrollment is never needed.
    tables
        The screened people, in the order of the scores' rows. Copies of a person share a fold.
    """
    scored = [strategy for strategy in strategies if not strategy.enrolls_everyone]

    def rescore(rng: np.random.Generator) -> tuple[NDArray[np.intp], pd.DataFrame]:
        sample = tables.resample(rng)
        people = tables.index.get_indexer(pd.Index(sample.get_person()))
        if not scored:
            return people, pd.DataFrame(index=sample.index)
        return people, widen_scores(score_people(scored, sample, rng)).loc[sample.index]

    return rescore


def widen_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the `scores` table with one column a strategy, index `participant_id`."""
    order = list(dict.fromkeys(scores["strategy"]))
    # "first" and dropna: a person without a score keeps the row
    wide = scores.pivot_table(
        index="participant_id", columns="strategy", values="score", aggfunc="first", dropna=False
    )
    return wide[order].rename_axis(columns=None)
