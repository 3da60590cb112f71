"""Whether a study file still holds: its runs, its rows, the files that they were computed from."""

from collections import Counter
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd

from cohorts.counting import tally
from cohorts.files.atomic import compute_sha256
from cohorts.schema import TABLES
from reports.store import queries
from reports.store.chain import (
    START,
    Link,
    compute_seal,
    digest_rows,
    digest_run,
    read_chain,
    read_pruned,
)
from reports.store.database import open_for_reading
from reports.store.migrations import quote
from reports.store.rows import checksum_rows, find_repeated_keys, iterate_batches
from reports.store.study import Study

Finding = tuple[str, str, str, str, str]

_SHA256_LENGTH: Final = 64


def verify_study(study: Study, *, head: str | None = None) -> pd.DataFrame:
    """Read everything in `study`, and check every finished run against what it recorded.

    Parameters
    ----------
    study
        An open study; it is only read.
    head
        The last link of its chain at an earlier moment, which must still be one of its links.

    Returns
    -------
    pandas.DataFrame
        `run_id`, `what` (run, table, input or weight), `name`, `verdict` (`holds`, `changed`,
        `missing`), `detail`; one row for each run, table and file.

    Raises
    ------
    ReportError
        If the file is damaged so that DuckDB cannot read it.
    """
    with open_for_reading(study.source) as connection:
        found = [*_verify_chain(connection), *_verify_tables(connection), *_read_rest(connection)]
        if head is not None:
            found.append(_verify_head(connection, head))
    found += _verify_files(study.files())
    return pd.DataFrame(found, columns=["run_id", "what", "name", "verdict", "detail"])


def _verify_chain(connection: duckdb.DuckDBPyConnection) -> list[Finding]:
    links = read_chain(connection)
    statuses = _read_statuses(connection)
    found, before = [], START
    for place, link in enumerate(links, start=1):
        verdict = _judge_link(connection, link, place, before, statuses.get(link.run_id))
        found.append((link.run_id, "run", link.run_id, *verdict))
        before = link.seal
    sealed = {link.run_id for link in links}
    first = min(sealed, default=None)
    for run_id, status in statuses.items():
        if status == "finished" and run_id not in sealed:
            verdict = _judge_unsealed(run_id, first)
            found.append((run_id, "run", run_id, *verdict))
    return found


def _verify_head(connection: duckdb.DuckDBPyConnection, head: str) -> Finding:
    owners = {link.seal: link.run_id for link in read_chain(connection)}
    if head not in owners:
        return "", "run", head, "missing", "the head that you gave is no link of this chain"
    return owners[head], "run", head, "holds", "the head that you gave"


def _judge_link(
    connection: duckdb.DuckDBPyConnection, link: Link, place: int, before: str, status: str | None
) -> tuple[str, str]:
    if status is None:
        return "missing", "the run is no longer in the file"
    if status != "finished" or digest_run(connection, link.run_id) != link.content:
        return "changed", "what the file says of the run is not what it was sealed with"
    if link.position != place or compute_seal(before, link.content) != link.seal:
        return "changed", "the chain is broken here: a run before it was removed, added or moved"
    return "holds", ""


def _judge_unsealed(run_id: str, first: str | None) -> tuple[str, str]:
    if first is None or run_id < first:
        return "holds", "before the chain: only its rows and files are checked"
    return "changed", "the run is not in the chain of finished runs"


def _verify_tables(connection: duckdb.DuckDBPyConnection) -> list[Finding]:
    written = connection.execute(queries.ALL_TABLES).df().to_dict("records")
    pruned = read_pruned(connection)
    found: list[Finding] = []
    for row in written:
        run_id, table = str(row["run_id"]), str(row["table_name"])
        verdict = _judge_table(connection, row, is_pruned=(run_id, table) in pruned)
        found.append((run_id, "table", table, *verdict))
    return found


def _judge_table(
    connection: duckdb.DuckDBPyConnection, row: dict[Any, Any], *, is_pruned: bool
) -> tuple[str, str]:
    run_id, table, recorded = row["run_id"], row["table_name"], row["checksum"]
    if table not in TABLES:
        return "changed", "the run is said to have written a table that no study has"
    if is_pruned:
        n_rows = _count(connection, table, run_id)
        return (
            ("changed", f"{tally(n_rows, 'rows')} of a pruned table")
            if n_rows
            else ("holds", "pruned")
        )
    # before there was a chain, tables had shorter checksums
    digest = digest_rows if len(recorded) == _SHA256_LENGTH else checksum_rows
    if digest(connection, table, run_id, list(row["column_names"])) != recorded:
        return "changed", "the rows are not the ones that the run wrote"
    repeated = find_repeated_keys(connection, table, run_id)
    if repeated:
        return "changed", f"{repeated} keys occur more than once"
    return "holds", ""


def _read_rest(connection: duckdb.DuckDBPyConnection) -> list[Finding]:
    """Return rows that belong to no finished run; this reads every table from end to end."""
    owned = set(connection.execute(queries.WRITTEN).fetchall())
    found: list[Finding] = []
    for table in TABLES:
        n_rows: Counter[str] = Counter()
        rows = iterate_batches(connection, f"SELECT * FROM {quote(table)}")  # noqa: S608 - quoted identifiers
        for batch in rows:
            for one in batch.column("run_id").value_counts().to_pylist():
                n_rows[one["values"]] += one["counts"]
        found += [
            (run_id, "table", table, "changed", f"{tally(n, 'rows')} that no run has written")
            for run_id, n in sorted(n_rows.items())
            if (table, run_id) not in owned
        ]
    return found


def _read_statuses(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(connection.execute(queries.STATUSES).fetchall())


def _count(connection: duckdb.DuckDBPyConnection, table: str, run_id: str) -> int:
    ((n_rows,),) = connection.execute(
        f"SELECT count(*) FROM {quote(table)} WHERE run_id = ?",  # noqa: S608 - quoted identifiers
        [run_id],
    ).fetchall()
    return int(n_rows)


def _verify_files(files: pd.DataFrame) -> list[Finding]:
    digests: dict[str, str | None] = {}
    found: list[Finding] = []
    for row in files.to_dict("records"):
        path = row["path"]
        if path not in digests:
            digests[path] = compute_sha256(Path(path)) if Path(path).is_file() else None
        found.append((row["run_id"], row["kind"], path, *_judge_file(digests[path], row["sha256"])))
    return found


def _judge_file(digest: str | None, recorded: str) -> tuple[str, str]:
    if digest is None:
        return "missing", "the file is no longer there"
    if digest != recorded:
        return "changed", "the file is not the one that the run read"
    return "holds", ""
