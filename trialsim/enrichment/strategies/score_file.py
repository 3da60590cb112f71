"""Scores that a user brings, read from a file."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from cohorts.counting import tally
from cohorts.errors import CohortError
from cohorts.sources.tables.table import read_typed_table
from trialsim.enrichment.strategies.registry import STRATEGIES
from trialsim.enrichment.strategies.strategy import Strategy
from trialsim.enrichment.strategies.unfitted import GivenScores
from trialsim.errors import DesignError


def read_score_strategies(
    path: Path, participants: pd.Index, *, whose: str = "the screened people"
) -> list[GivenScores]:
    """Read a table of scores; each column beside `participant_id` is a strategy.

    A single column called `score` is named after the file. Higher scores mean faster decline.
    People whom the file does not name have no score; names that the cohort does not have are
    ignored as long as some match (`find_unknown` finds them).

    Parameters
    ----------
    path
        A CSV, TSV or Parquet file with a header.
    participants
        Who is to have scores.
    whose
        What they are called.

    Raises
    ------
    DesignError
        One sentence for each problem of the file.
    """
    try:
        table = read_typed_table(path, text=("participant_id",))
    except CohortError as error:
        raise DesignError(f"The score file {path} cannot be read: {error}") from error
    if "participant_id" not in table or len(table.columns) < 2:
        raise DesignError(
            f"The score file {path} must have a column participant_id and at least one column of "
            f"scores, got {', '.join(map(str, table.columns))}."
        )
    table = table.set_index("participant_id")
    problems = _find_problems(table, path, participants, whose)
    if problems:
        raise DesignError(*problems)
    only = list(table.columns) == ["score"]
    return [
        GivenScores(path.stem if only else str(column), table[column].astype(float))
        for column in table
    ]


def find_unknown(strategies: Iterable[Strategy], participants: pd.Index) -> pd.Index:
    """Return the people of a score file who are none of the cohort: misspelled, or others.

    Parameters
    ----------
    strategies
        Those of `read_score_strategies` among them; the others know no people of their own.
    participants
        Everyone who is there.
    """
    named = [one.scores.index for one in strategies if isinstance(one, GivenScores)]
    return named[0].difference(participants) if named else pd.Index([])


def _find_problems(
    table: pd.DataFrame, path: Path, participants: pd.Index, whose: str
) -> list[str]:
    problems = []
    repeated = table.index[table.index.duplicated()].unique()
    if len(repeated):
        problems.append(
            f"The score file {path} names {tally(len(repeated), 'people')} twice (first: "
            f"{repeated[0]})."
        )
    if not table.index.isin(participants).any():
        problems.append(
            f"The score file {path} names nobody of {whose}; its first person is "
            f"{table.index[0] if len(table) else 'missing'}, theirs is {participants[0]}."
        )
    for column in table:
        numbers = pd.to_numeric(table[column], errors="coerce")
        wrong = table[column][numbers.isna() & table[column].notna()]
        if len(wrong):
            problems.append(
                f"The score file {path}, column {column}: "
                f"{tally(len(wrong), 'values are no numbers')} (first: "
                f"{wrong.iloc[0]!r} of {wrong.index[0]})."
            )
        n_infinite = int(np.isinf(numbers).sum())
        if n_infinite:
            problems.append(
                f"The score file {path}, column {column}: {tally(n_infinite, 'values are')} "
                "infinite; a "
                "finite number is expected, or an empty cell for who has no score."
            )
        name = path.stem if list(table.columns) == ["score"] else column
        if name in STRATEGIES:
            problems.append(
                f"The score file {path} calls a strategy {name!r}, which is built in: rename it."
            )
    return problems
