"""Which tables of a study were made from rows that have been replaced since."""

import json

import pandas as pd

from cohorts.schema import find_command
from reports.store.study import Study


def find_stale_tables(study: Study) -> dict[str, str]:
    """Return one sentence for each table that is older than what it is made from.

    A table is stale where a run that it was made from, as recorded, is no longer the one behind the
    table that was read, and was not the same work either; or where that table is stale itself.
    """
    return describe_stale_tables(study.runs(), study.writers())


def describe_stale_tables(runs: pd.DataFrame, writers: dict[str, str]) -> dict[str, str]:
    """Return the sentences of `find_stale_tables`.

    Parameters
    ----------
    runs
        As `Study.runs` gives them.
    writers
        Which run wrote each table last.
    """
    parents = {
        str(run_id): json.loads(text)
        for run_id, text in zip(runs["run_id"], runs["parents"], strict=True)
        if isinstance(text, str)
    }
    work = dict(zip(runs["run_id"], runs["fingerprint"], strict=True))
    found: dict[str, str] = {}
    # run ids count up, and a run reads only what was there
    for table in sorted(writers, key=lambda name: writers[name]):
        for read, run_id in parents.get(writers[table], {}).items():
            newest = writers.get(read, run_id)
            if _is_same_work(work, run_id, newest) and read not in found:
                continue
            why = "is out of date itself" if newest == run_id else f"run {newest} has replaced"
            found[table] = (
                f"The table {table} (run {writers[table]}) was made from {read} of run {run_id}, "
                f"which {why}; `{find_command(table)}` brings it up to date."
            )
            break
    return found


def _is_same_work(work: dict[str, str | None], run_id: str, other: str) -> bool:
    return run_id == other or (isinstance(work[run_id], str) and work[run_id] == work[other])
