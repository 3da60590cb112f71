"""The tables of a study file, as numbered steps from an empty file to the newest version.

A step is applied once, inside a transaction, and recorded. Rows of every table of `cohorts.schema`
carry the `run_id` that wrote them. Keys are checked when rows are written and by
`reports.store.verification`, not by an index: DuckDB's primary key makes a million predictions six
times larger on disk and five times slower to write (`benchmarks/bench_store.py`).
"""

from collections.abc import Callable
from typing import Final

import duckdb
import pandera.pandas as pa

from cohorts.schema import TABLES
from reports.errors import ReportError
from reports.store import queries
from reports.store.database import transaction

_SQL_TYPES: Final = {"str": "VARCHAR", "float": "DOUBLE", "int": "BIGINT", "bool": "BOOLEAN"}

_SYSTEM_TABLES: Final = """
CREATE TABLE runs (
    run_id VARCHAR PRIMARY KEY,
    command VARCHAR NOT NULL,
    config VARCHAR NOT NULL,
    seed BIGINT,
    fingerprint VARCHAR,
    versions VARCHAR NOT NULL,
    git_commit VARCHAR,
    process_id BIGINT NOT NULL,
    started_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP,
    status VARCHAR NOT NULL CHECK (status IN ('running', 'finished', 'failed', 'interrupted')),
    problem VARCHAR
);
CREATE TABLE run_files (
    run_id VARCHAR NOT NULL REFERENCES runs (run_id),
    kind VARCHAR NOT NULL CHECK (kind IN ('input', 'weight')),
    path VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL CHECK (length(sha256) = 64),
    size_bytes BIGINT NOT NULL CHECK (size_bytes >= 0),
    PRIMARY KEY (run_id, path)
);
CREATE TABLE run_tables (
    run_id VARCHAR NOT NULL,
    table_name VARCHAR NOT NULL,
    column_names VARCHAR[] NOT NULL,
    n_rows BIGINT NOT NULL CHECK (n_rows >= 0),
    checksum VARCHAR NOT NULL,
    PRIMARY KEY (run_id, table_name)
);
"""


def quote(identifier: str) -> str:
    """Return `identifier` as SQL, so that no column name of a user's table can be a command."""
    return '"' + identifier.replace('"', '""') + '"'


def sql_type(dtype: str) -> str:
    """Return the SQL type for a pandas or pandera type name; text where in doubt."""
    known = (sql for name, sql in _SQL_TYPES.items() if dtype.lower().startswith(name))
    return next(known, "VARCHAR")


def migrate(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the file up to the newest version.

    Raises
    ------
    ReportError
        If the file belongs to a newer version of trialsim, or to another program.
    """
    applied = schema_version(connection)
    for number, step in enumerate(MIGRATIONS[applied:], start=applied + 1):
        with transaction(connection):
            step(connection)
            connection.execute(
                "INSERT INTO migrations VALUES (?, ?, now()::TIMESTAMP)", [number, step.__name__]
            )


def schema_version(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the number of steps that the file has had.

    Raises
    ------
    ReportError
        If the file belongs to a newer version of trialsim, or to another program.
    """
    tables = {
        name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    }
    if not tables:
        return 0
    _refuse_foreign_code(connection)
    if "migrations" not in tables:
        raise ReportError("This is a DuckDB file of another program, not a study of trialsim.")
    ((newest,),) = connection.execute("SELECT max(number) FROM migrations").fetchall()
    applied = int(newest or 0)
    if applied > len(MIGRATIONS):
        raise ReportError(
            f"The study file has version {applied}, this trialsim knows versions up to "
            f"{len(MIGRATIONS)}: install a newer trialsim to read it."
        )
    return applied


def _refuse_foreign_code(connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse views and functions, which could answer in place of a study's tables."""
    found = [name for (name,) in connection.execute(queries.FOREIGN_CODE).fetchall()]
    if found:
        raise ReportError(
            f"The file has views or functions of its own ({', '.join(found[:5])}), which no study "
            "has: it is not read."
        )


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the runs and one table for each table of `cohorts.schema`."""
    connection.execute(
        "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name VARCHAR, applied_at TIMESTAMP)"
    )
    connection.execute(_SYSTEM_TABLES)
    for schema in TABLES.values():
        connection.execute(_create_statement(schema))


def add_prediction_images(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of predicted scans, which files of version 1 may lack."""
    connection.execute(_create_statement(TABLES["prediction_images"]))


def add_volumes_of_scans(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of volumes measured in starting scans, which earlier files may lack."""
    connection.execute(_create_statement(TABLES["scan_volumes"]))


def add_parents(connection: duckdb.DuckDBPyConnection) -> None:
    """Let runs record which tables of which runs they read, and the folder that they ran in."""
    connection.execute("ALTER TABLE runs ADD COLUMN parents VARCHAR")
    connection.execute("ALTER TABLE runs ADD COLUMN folder VARCHAR")


def add_study_description(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of what was asked of the study."""
    connection.execute(_create_statement(TABLES["study_description"]))


def add_finished_trials(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of twins and of what a finished trial says."""
    for name in (
        "twins", "trial_effects", "trial_visits", "trial_baseline", "trial_assumptions",
        "trial_tipping_point", "trial_findings", "twin_outcomes", "individual_effects",
        "effects_by_decline",
    ):  # fmt: skip
        connection.execute(_create_statement(TABLES[name]))


def add_proposed_sizes(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of sizes to propose; let what has no interval be written without one."""
    connection.execute(_create_statement(TABLES["proposed_sizes"]))
    for table, column in (
        ("capture_differences", "difference_lower"), ("capture_differences", "difference_upper"),
        ("power_differences", "difference_lower"), ("power_differences", "difference_upper"),
        ("cheapest_fractions", "share_chosen"),
    ):  # fmt: skip
        connection.execute(f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL")


def add_interim_looks(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of interim looks and adaptive enrichment."""
    for name in ("looks", "look_expectations", "adaptive_enrichment"):
        connection.execute(_create_statement(TABLES[name]))


def add_chain(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the chain of finished runs; those that have finished before are not in it."""
    connection.execute(
        "CREATE TABLE run_chain (position BIGINT NOT NULL, run_id VARCHAR NOT NULL, "
        "content VARCHAR NOT NULL, seal VARCHAR NOT NULL)"
    )


def add_decisions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of decisions, and of how well an archive agrees with the screened people."""
    for name in ("decisions", "archive_balance"):
        connection.execute(_create_statement(TABLES[name]))


def add_pool_moments(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of the moments of each choice's people."""
    connection.execute(_create_statement(TABLES["pool_moments"]))


def add_accrual(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of when the trial of each choice is full, and of the best designs."""
    for name in ("accrual", "design_front"):
        connection.execute(_create_statement(TABLES[name]))


def add_estimands(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of estimands, which earlier files lack."""
    connection.execute(_create_statement(TABLES["estimands"]))


def _create_statement(schema: pa.DataFrameSchema) -> str:
    # what a table may lack is added by the run that writes it, as covariates are
    columns = [
        _column(str(name), column) for name, column in schema.columns.items() if column.required
    ]
    listed = ", ".join(["run_id VARCHAR NOT NULL", *columns])
    return f"CREATE TABLE IF NOT EXISTS {quote(schema.name)} ({listed})"


def _column(name: str, column: pa.Column) -> str:
    checks = [_check(quote(name), check) for check in column.checks]
    required = [] if column.nullable else ["NOT NULL"]
    return " ".join([quote(name), sql_type(str(column.dtype)), *required, *checks])


def _check(column: str, check: pa.Check) -> str:
    values = check.statistics or {}
    if check.name == "greater_than_or_equal_to":
        return f"CHECK ({column} >= {float(values['min_value'])})"
    if check.name == "less_than_or_equal_to":
        return f"CHECK ({column} <= {float(values['max_value'])})"
    if check.name == "isin":
        allowed = ", ".join(
            "'" + str(value).replace("'", "''") + "'" for value in values["allowed_values"]
        )
        return f"CHECK ({column} IN ({allowed}))"
    raise NotImplementedError(f"no SQL for the check {check.name} of {column}")


def add_reestimation(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of what re-estimating the sample size does."""
    connection.execute(_create_statement(TABLES["reestimation"]))


def add_twin_correlations(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of the correlation of twins' errors over visits."""
    connection.execute(_create_statement(TABLES["twin_correlations"]))


def add_observed_images(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of follow-up scans that stand beside predicted ones."""
    connection.execute(_create_statement(TABLES["observed_images"]))


def add_archive_predictions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of what is predicted of an archive's people."""
    connection.execute(_create_statement(TABLES["archive_predictions"]))


def add_rankings(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of rankings, and of how many people each fraction enrolls."""
    for name in ("rankings", "selection_counts"):
        connection.execute(_create_statement(TABLES[name]))


def empty_costs(connection: duckdb.DuckDBPyConnection) -> None:
    """Let a cost be empty where nothing has a price, and people stand under their own name."""
    for table, column in (
        ("decisions", "cost"), ("decisions", "expected_cost"), ("design_front", "cost"),
    ):  # fmt: skip
        connection.execute(f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL")
    connection.execute("ALTER TABLE decisions ADD COLUMN IF NOT EXISTS expected_n_control DOUBLE")


MIGRATIONS: Final[tuple[Callable[[duckdb.DuckDBPyConnection], None], ...]] = (
    create_tables,
    add_prediction_images,
    add_volumes_of_scans,
    add_parents,
    add_study_description,
    add_finished_trials,
    add_proposed_sizes,
    add_interim_looks,
    add_chain,
    add_decisions,
    add_reestimation,
    add_pool_moments,
    add_accrual,
    add_twin_correlations,
    add_estimands,
    add_observed_images,
    add_archive_predictions,
    add_rankings,
    empty_costs,
)
