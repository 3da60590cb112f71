"""Scores of the people by whom they are judged: those whose decline is known."""

import numpy as np
import pandas as pd

from cohorts.keys import is_among, locate_rows, number_names, order_by_name
from trialsim.enrichment.evaluation.bootstrap import FloatArray
from trialsim.enrichment.strategies.registry import STRATEGIES
from trialsim.enrichment.truth import TrueDecline


def is_chance(strategy: str) -> bool:
    """Return whether a strategy is random enrollment."""
    return strategy in STRATEGIES and STRATEGIES[strategy].enrolls_everyone


def take_evaluated(
    scores: pd.DataFrame, truth: TrueDecline
) -> tuple[pd.Index, dict[str, FloatArray]]:
    """Return who was scored and has a known decline, and their scores by each strategy.

    People are in order of their names. Random enrollment, which is judged without its draw, is
    left out; a score that is missing is NaN.

    Parameters
    ----------
    scores
        Table of `cohorts.schema`.
    truth
        Decline of those in whom it is known.
    """
    known = order_by_name(truth.decline).index
    scored = scores["participant_id"]
    people = known[is_among(pd.Series(known, dtype=scored.dtype), scored)]
    wanted = pd.DataFrame({"participant_id": pd.Series(people, dtype=scored.dtype)})
    numbers, names = number_names(scores["strategy"])
    values = {}
    for number, strategy in enumerate(names.to_pylist()):
        if not is_chance(strategy):
            rows = scores[numbers == number]
            places = locate_rows(wanted, rows[["participant_id"]], ["participant_id"])
            values[strategy] = np.append(rows["score"].to_numpy(dtype=float), np.nan)[places]
    return people, values
