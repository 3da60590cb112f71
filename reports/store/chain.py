"""The chain of finished runs: each link seals a run and the link before it.

A link is SHA-256(link before, content of the run). The content is everything that the file says of
the run - command, configuration, seed, versions, commit, moments, files, tables with the digests
of their rows - in the order in which runs finished. Whoever changes, removes or inserts a run
changes every later link. The last link, the head, stands in reports and bundles; without one of
those to compare with, only accidents are found, because a forger can seal the whole chain anew.

Runs of files made before there was a chain are not in it.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reports.errors import ReportError
from reports.store import queries
from reports.store.migrations import quote
from reports.store.rows import iterate_batches

START: Final = "0" * 64
"""What the first link is sealed with."""


@dataclass(frozen=True)
class Link:
    """One run's place in the chain.

    Parameters
    ----------
    position
        1 for the run that finished first.
    run_id
        Of the run.
    content, seal
        SHA-256 of the run's content, and of the link before together with it.
    """

    position: int
    run_id: str
    content: str
    seal: str


def append_link(connection: duckdb.DuckDBPyConnection, run_id: str) -> Link:
    """Seal the finished run `run_id`; call it in the transaction that finishes the run."""
    links = read_chain(connection)
    before = links[-1].seal if links else START
    content = digest_run(connection, run_id)
    link = Link(len(links) + 1, run_id, content, compute_seal(before, content))
    connection.execute(queries.APPEND_LINK, [link.position, run_id, content, link.seal])
    return link


def read_chain(connection: duckdb.DuckDBPyConnection) -> list[Link]:
    """Return every link, the oldest first."""
    return [Link(*row) for row in connection.execute(queries.CHAIN).fetchall()]


def read_pruned(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Return the runs and tables whose rows `Study.prune` has dropped."""
    configs = connection.execute(queries.PRUNINGS).fetchall()
    try:
        listed = [json.loads(config)["pruned"] for (config,) in configs]
        return {(str(run_id), str(table)) for pairs in listed for run_id, table in pairs}
    except (ValueError, TypeError, KeyError) as error:
        raise ReportError("A run that pruned the study does not say what it dropped.") from error


def compute_seal(before: str, content: str) -> str:
    """Return SHA-256 of the link before and a run's content, in hexadecimal."""
    return hashlib.sha256(f"{before}{content}".encode()).hexdigest()


def digest_run(connection: duckdb.DuckDBPyConnection, run_id: str) -> str:
    """Return SHA-256 of what the file says of a run, its rows by their recorded digests.

    What is absent counts for nothing, so that a column that later versions add changes no digest.
    """
    content = {
        "run": _read_dicts(connection, queries.RUN_CONTENT, run_id),
        "files": _read_dicts(connection, queries.FILES_CONTENT, run_id),
        "tables": _read_dicts(connection, queries.TABLES_CONTENT, run_id),
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_rows(
    connection: duckdb.DuckDBPyConnection, table: str, run_id: str, columns: list[str]
) -> str:
    """Return SHA-256 of a run's rows in their order, the same for every version of DuckDB.

    Each column gives what is missing, then its values: numbers as 64-bit little-endian, text as
    lengths in bytes and UTF-8.
    """
    listed = ", ".join(quote(name) for name in columns)
    batches = iterate_batches(
        connection,
        f"SELECT {listed} FROM {quote(table)} WHERE run_id = ?",  # noqa: S608 - quoted identifiers
        [run_id],
    )
    parts = [[hashlib.sha256() for _ in range(3)] for _ in columns]
    n_rows = 0
    for batch in batches:
        n_rows += batch.num_rows
        for column, digests in zip(batch.columns, parts, strict=True):
            for digest, values in zip(digests, _canonical(column), strict=True):
                digest.update(np.ascontiguousarray(values).data)
    whole = hashlib.sha256(json.dumps([columns, n_rows]).encode())
    for digests in parts:
        for digest in digests:
            whole.update(digest.digest())
    return whole.hexdigest()


def _canonical(column: pa.Array) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Return what is missing, the values or lengths, and the text of a column, as bytes."""
    missing = np.asarray(column.is_null(), dtype=np.uint8)
    nothing = np.empty(0, dtype=np.uint8)
    if pa.types.is_floating(column.type):
        return missing, np.asarray(column.cast("double").fill_null(0.0), dtype="<f8"), nothing
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        return missing, np.asarray(column.cast("int64").fill_null(0), dtype="<i8"), nothing
    text = column.cast(pa.large_string()).cast(pa.large_binary()).fill_null(b"")
    lengths = np.asarray(pc.binary_length(text), dtype="<i8")
    _, offsets, data = text.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[text.offset : text.offset + len(text) + 1]
    content = np.frombuffer(data, dtype=np.uint8) if data is not None else nothing
    return missing, lengths, content[ends[0] : ends[-1]] if len(ends) else nothing


def _read_dicts(
    connection: duckdb.DuckDBPyConnection, sql: str, run_id: str
) -> list[dict[str, object]]:
    found = connection.execute(sql, [run_id])
    names = [column[0] for column in found.description or []]
    return [
        {name: _plain(value) for name, value in zip(names, row, strict=True) if value is not None}
        for row in found.fetchall()
    ]


def _plain(value: object) -> object:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value
