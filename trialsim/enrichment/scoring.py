"""Scores of every strategy for everyone."""

import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cohorts.counting import tally
from cohorts.keys import is_among
from trialsim.enrichment.strategies.strategy import ScreeningTables, Strategy
from trialsim.errors import DesignError


def score_people(
    strategies: Sequence[Strategy], tables: ScreeningTables, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the `scores` table: one row a person and strategy.

    Each strategy draws from a stream of its own, so its scores do not depend on which others are
    asked for. All that cross-fit share the folds.

    Parameters
    ----------
    strategies
        In the order of the table.
    tables
        Screened people.
    rng
        Source of the strategies' streams.

    Returns
    -------
    pandas.DataFrame
        `participant_id`, `strategy`, `score` (higher = faster predicted decline, NaN where the
        strategy cannot tell), `fold` (<NA> where nothing was cross-fitted).

    Raises
    ------
    DesignError
        One sentence for each strategy that cannot score these people, or scores all alike.
    """
    root = int(rng.integers(2**63))
    frames: list[pd.DataFrame] = []
    problems: list[str] = []
    for strategy in strategies:
        try:
            scores = strategy.score(tables, _make_stream(root, strategy))
            _refuse_constant(strategy.name, scores["score"])
            frames.append(scores.rename_axis("participant_id").assign(strategy=strategy.name))
        except DesignError as error:
            problems += error.problems
    if problems:
        raise DesignError(*problems)
    table = pd.concat(frames).reset_index()
    return table[["participant_id", "strategy", "score", "fold"]]


def count_missing_scores(scores: pd.DataFrame) -> pd.Series:
    """Return how many people each strategy could not score."""
    return scores["score"].isna().groupby(scores["strategy"], sort=False).sum()


def describe_unscored(scores: pd.DataFrame, judged: pd.Index) -> list[str]:
    """Say of how many people a strategy is judged who have no score.

    Parameters
    ----------
    scores
        Table of `cohorts.schema`.
    judged
        The people on whom strategies are judged.
    """
    missing = count_missing_scores(scores[is_among(scores["participant_id"], judged)])
    return [
        f"{name}: {n} of {tally(len(judged), 'people')} have no score; they are enrolled "
        "last, by chance, "
        "and count in its capture rates."
        for name, n in missing.items()
        if n
    ]


def _make_stream(root: int, strategy: Strategy) -> np.random.Generator:
    # Strategies that learn share one stream, from which the folds come first.
    key = "outcome" if "outcome" in strategy.needs else strategy.name
    return np.random.default_rng([root, zlib.crc32(key.encode())])


def _refuse_constant(name: str, score: pd.Series) -> None:
    known = score.dropna().to_numpy()
    if not known.size:
        raise DesignError(f"{name}: it gives nobody a score.")
    if len(known) > 1 and np.ptp(known) == 0:
        raise DesignError(
            f"{name}: it gives all {tally(len(known), 'people')} the same score, "
            f"{known[0]:g}, so it "
            "cannot choose between them."
        )
