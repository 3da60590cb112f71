"""Rows of earlier runs that nothing needs any more, out of a study file."""

from typing import Final

import pandas as pd

from reports.store import queries
from reports.store.chain import read_pruned
from reports.store.database import open_for_reading
from reports.store.study import Study

_COLUMNS: Final = ["run_id", "table_name", "n_rows"]


def list_prunable(study: Study) -> pd.DataFrame:
    """Return the rows that a later run has replaced, which no page and no command reads.

    Returns
    -------
    pandas.DataFrame
        `run_id`, `table_name`, `n_rows`, in the order in which they were written.
    """
    written = study.query(queries.ALL_TABLES)
    latest = set(study.tables()[["run_id", "table_name"]].itertuples(index=False, name=None))
    with open_for_reading(study.source) as connection:
        gone = latest | read_pruned(connection)
    left = [
        row
        for row in written[_COLUMNS].itertuples(index=False, name=None)
        if row[:2] not in gone and row[2] > 0
    ]
    return pd.DataFrame(left, columns=_COLUMNS)


def prune_study(study: Study, *, command: str) -> pd.DataFrame:
    """Drop what `list_prunable` gives, as a run of its own, and return it.

    What runs did, and the digests of their rows, stay: the chain of runs holds as before.

    Raises
    ------
    ReportError
        If another process is writing, or the disk does not take the smaller file.
    """
    with study.as_only_writer():
        going = list_prunable(study)
        if not going.empty:
            with study.run(command=command, config={}) as run:
                run.drop(going[["run_id", "table_name"]].itertuples(index=False, name=None))
    return going
