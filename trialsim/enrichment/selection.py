"""Who is selected at each fraction: rankings, and how many of the first are enrolled."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.keys import order_by_name
from trialsim.analytic.cutoffs import count_selected
from trialsim.enrichment.strategies.registry import STRATEGIES, order_strategies


def rank_scores(score: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return ranks, 1 = highest score; ties are broken at random, missing scores come last.

    People without a score are thus enrolled only after everyone who has one, in random order.

    Parameters
    ----------
    score
        (n_people,), NaN where missing.
    rng
        Breaks ties.
    """
    value = np.where(np.isnan(score), -np.inf, score)
    drawn, order = rng.random(value.size), np.argsort(-value)
    ranked = value[order]
    if (ranked[1:] == ranked[:-1]).any():
        order = np.lexsort((drawn, -value))
    ranks = np.empty(value.size, dtype=np.int64)
    ranks[order] = np.arange(1, value.size + 1)
    return ranks


def rank_people(scores: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the `rankings` table: everyone's place by each strategy.

    Parameters
    ----------
    scores
        Table of `cohorts.schema`; who of people with equal scores comes first does not depend on
        the order of its rows.
    rng
        Breaks ties.
    """
    ranks = np.empty(len(scores), dtype=np.int64)
    values = scores["score"].to_numpy(dtype=float)
    groups = scores.groupby("strategy", sort=False).indices.items()
    rows_of = {str(strategy): np.asarray(rows, dtype=np.intp) for strategy, rows in groups}
    for strategy in order_strategies(rows_of):
        own = rows_of[strategy]
        rows = order_by_name(pd.Series(own, scores["participant_id"].take(own))).to_numpy()
        ranks[rows] = rank_scores(values[rows], rng)
    return scores[["participant_id", "strategy"]].assign(rank=ranks)


def count_selections(rankings: pd.DataFrame, fractions_enrolled: Sequence[float]) -> pd.DataFrame:
    """Return the `selection_counts` table: how many people each strategy enrolls at each fraction.

    Random enrollment screens nobody out, so it appears once, with everyone enrolled.

    Parameters
    ----------
    rankings
        Table of `cohorts.schema`.
    fractions_enrolled
        Each greater than 0 and at most 1.

    Raises
    ------
    DesignError
        For a fraction outside 0 to 1.
    """
    fractions = list(dict.fromkeys(map(float, fractions_enrolled)))
    for fraction in fractions:
        count_selected(fraction, n_people=1)
    rows = []
    for strategy, n_ranked in rankings["strategy"].value_counts(sort=False).items():
        built_in = STRATEGIES.get(str(strategy))
        everyone = built_in is not None and built_in.enrolls_everyone
        for fraction in (1.0,) if everyone else fractions:
            rows.append((strategy, fraction, n_ranked, count_selected(fraction, n_ranked)))
    columns = ["strategy", "fraction_enrolled", "n_ranked", "n_selected"]
    return pd.DataFrame(rows, columns=columns)
