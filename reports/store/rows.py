"""Rows of a study table, in and out of DuckDB without a loop over them."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import duckdb
import pandas as pd
import pyarrow as pa

from cohorts.keys import number_parts
from cohorts.numbered import NumberedTable
from cohorts.schema import TABLES
from reports.errors import ReportError
from reports.store.migrations import quote, sql_type

_NULLABLE: Final = {
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}
"""What whole numbers and truth values become where some are missing."""


def write_rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    run_id: str,
    frame: pd.DataFrame | NumberedTable,
) -> None:
    """Append `frame` to `table` as rows of the run `run_id`; columns that are new are added.

    Raises
    ------
    ReportError
        If a key is repeated, a value breaks a check, or a column mixes types.
    """
    _add_missing_columns(connection, table, frame)
    if not len(frame):
        return
    columns = ", ".join(quote(str(name)) for name in frame.columns)
    connection.register("incoming", _to_arrow(table, frame))
    try:
        connection.execute(
            f"INSERT INTO {quote(table)} (run_id, {columns}) SELECT ?, {columns} FROM incoming",  # noqa: S608 - quoted identifiers
            [run_id],
        )
    except (
        duckdb.ConstraintException,
        duckdb.ConversionException,
        duckdb.CatalogException,
    ) as error:
        raise ReportError(f"The table {table} was not written: {error}") from error
    finally:
        connection.unregister("incoming")


def read_rows(
    connection: duckdb.DuckDBPyConnection, table: str, run_id: str, columns: list[str]
) -> pd.DataFrame:
    """Return the rows of `table` that the run `run_id` wrote, with the columns that it wrote."""
    return _to_pandas(_iterate_rows(connection, table, run_id, columns).read_all())


def read_numbered_rows(
    connection: duckdb.DuckDBPyConnection, table: str, run_id: str, columns: list[str]
) -> NumberedTable:
    """Return what `NumberedTable.of` makes of `read_rows`, without writing all names out."""
    read = partial(_iterate_rows, connection, table, run_id)
    kinds = read(columns).schema
    texts = [field.name for field in kinds if pa.types.is_string(field.type)]
    # column by column: as long as a number of a batch is held, its text is as well
    found = {name: number_parts(batch.column(0) for batch in read([name])) for name in texts}
    others = [name for name in columns if name not in texts]
    frame = _to_pandas(read(others).read_all())
    return NumberedTable.build(found, frame, tuple(columns))


def _iterate_rows(
    connection: duckdb.DuckDBPyConnection, table: str, run_id: str, columns: list[str]
) -> pa.RecordBatchReader:
    listed = ", ".join(quote(name) for name in columns)
    return iterate_batches(
        connection,
        f"SELECT {listed} FROM {quote(table)} WHERE run_id = ?",  # noqa: S608 - quoted identifiers
        [run_id],
    )


def _to_pandas(rows: pa.Table) -> pd.DataFrame:
    found = pd.DataFrame(rows.to_pandas())
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if column.null_count and column.type in _NULLABLE:
            found[name] = column.to_pandas(types_mapper=_NULLABLE.get)
        elif found[name].dtype == object:
            found[name] = found[name].astype("str")
    return found


def drop_rows(connection: duckdb.DuckDBPyConnection, table: str, run_id: str) -> None:
    """Remove the rows of `table` that the run `run_id` wrote."""
    connection.execute(f"DELETE FROM {quote(table)} WHERE run_id = ?", [run_id])  # noqa: S608 - quoted identifiers


def checksum_rows(
    connection: duckdb.DuckDBPyConnection, table: str, run_id: str, columns: list[str]
) -> str:
    """Return a checksum of a run's rows that does not depend on their order.

    MD5 of each row's text, added up: DuckDB's own `hash` may differ between its versions.
    """
    listed = ", ".join(quote(name) for name in columns)
    ((found,),) = connection.execute(
        f"SELECT sum(md5_number_lower(row({listed})::VARCHAR)::HUGEINT) "  # noqa: S608 - quoted identifiers
        f"FROM {quote(table)} WHERE run_id = ?",
        [run_id],
    ).fetchall()
    return f"{found or 0:x}"


def iterate_batches(
    connection: duckdb.DuckDBPyConnection, sql: str, values: Sequence[object] = ()
) -> pa.RecordBatchReader:
    """Return the rows of a SELECT as Arrow batches, so that they are never all in memory.

    They come in the order in which they were written (`preserve_insertion_order`); sorting them
    by `rowid` would hold all of them.
    """
    return pa.RecordBatchReader.from_stream(connection.sql(sql, params=list(values)))


def find_repeated_keys(connection: duckdb.DuckDBPyConnection, table: str, run_id: str) -> int:
    """Return how many keys of `table` occur more than once among the rows of the run `run_id`."""
    key = ", ".join(quote(name) for name in TABLES[table].unique or [])
    ((found,),) = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {quote(table)} WHERE run_id = ? "  # noqa: S608 - quoted identifiers
        f"GROUP BY {key} HAVING count(*) > 1)",
        [run_id],
    ).fetchall()
    return int(found)


def _to_arrow(table: str, frame: pd.DataFrame | NumberedTable) -> pa.Table:
    if isinstance(frame, NumberedTable):
        others = _to_arrow(table, frame.others)
        return pa.table(
            {n: frame.encode(n) if n in frame.names else others[n] for n in frame.columns}
        )
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ReportError(f"A column of the table {table} mixes types: {error}") from error


def _add_missing_columns(
    connection: duckdb.DuckDBPyConnection, table: str, frame: pd.DataFrame | NumberedTable
) -> None:
    rows = frame.empty() if isinstance(frame, NumberedTable) else frame
    found = connection.execute(f"SELECT * FROM {quote(table)} LIMIT 0")  # noqa: S608 - quoted identifiers
    known = {column[0] for column in found.description or []}
    # DuckDB takes a millisecond for each that it has already, and says which are one in its eyes
    for name, dtype in rows.dtypes.items():
        if name in known:
            continue
        column = f"{quote(str(name))} {sql_type(str(dtype))}"
        connection.execute(f"ALTER TABLE {quote(table)} ADD COLUMN IF NOT EXISTS {column}")
