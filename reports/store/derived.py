"""Whom a strategy enrolls at each fraction, derived from its one ranking.

A run keeps each strategy's order of people once (`rankings`), and how many people each fraction
enrolls (`selection_counts`). Everybody at every fraction (`selections`) is as many times larger as
there are fractions; runs of earlier versions kept that. Who reads a study finds `selections` and
`selection_counts` of either kind of run, by views that the connection has and the file has not.
"""

from typing import Final

import duckdb

from reports.store.migrations import quote

SOURCES: Final = {"selections": "rankings"}
"""Which stored table a derived one may be made of."""

_SELECTIONS: Final = """
CREATE TEMP VIEW selections AS
SELECT * FROM {file}.selections
UNION ALL BY NAME (
    SELECT r.run_id, r.participant_id, r.strategy, c.fraction_enrolled, r.rank,
           r.rank <= c.n_selected AS is_selected
    FROM {file}.rankings AS r JOIN {file}.selection_counts AS c USING (run_id, strategy)
    ORDER BY c.rowid, r.rowid
)
"""

_COUNTS: Final = """
CREATE TEMP VIEW selection_counts AS
SELECT * FROM {file}.selection_counts
UNION ALL BY NAME (
    SELECT run_id, strategy, fraction_enrolled, count(*) AS n_ranked,
           count(*) FILTER (is_selected) AS n_selected
    FROM {file}.selections GROUP BY run_id, strategy, fraction_enrolled ORDER BY min(rowid)
)
"""

_TABLES: Final = """
CREATE TEMP VIEW readable_tables AS
SELECT * FROM {file}.run_tables
UNION ALL BY NAME
SELECT t.run_id, 'selections' AS table_name,
       ['participant_id', 'strategy', 'fraction_enrolled', 'rank', 'is_selected'] AS column_names,
       coalesce(sum(c.n_ranked), 0)::BIGINT AS n_rows, t.checksum
FROM {file}.run_tables AS t LEFT JOIN {file}.selection_counts AS c USING (run_id)
WHERE t.table_name = 'rankings' GROUP BY ALL
"""

_LOOK_FOR_RANKINGS: Final = "SELECT run_id FROM {file}.rankings LIMIT 0"


def add_derived_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the connection read what is derived, and `readable_tables`: which run gives which.

    A file of an earlier version is left as it is until it has been brought up to date.
    """
    ((name,),) = connection.execute("SELECT current_database()").fetchall()
    file = f"{quote(name)}.main"
    try:
        # a list of tables takes DuckDB half as long as it takes to open the file
        connection.execute(_LOOK_FOR_RANKINGS.format(file=file))
    except duckdb.CatalogException:
        return
    for view in (_SELECTIONS, _COUNTS, _TABLES):
        connection.execute(view.format(file=file))
