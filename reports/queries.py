"""Every named query on a study file; values are bound, never formatted in."""

from typing import Final

NEXT_RUN_NUMBER: Final = "SELECT coalesce(max(CAST(substr(run_id, 2) AS BIGINT)), 0) + 1 FROM runs"

BEGIN_RUN: Final = """
INSERT INTO runs (run_id, command, config, seed, fingerprint, versions, git_commit, process_id,
                  started_at, status)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'running')
"""

END_RUN: Final = "UPDATE runs SET status = ?, ended_at = ?, problem = ? WHERE run_id = ?"

CLOSE_DEAD_RUNS: Final = """
UPDATE runs SET status = 'interrupted', problem = 'the process ended without a word'
WHERE status = 'running'
"""

RUNNING: Final = """
SELECT process_id, command, started_at FROM runs
WHERE status = 'running' ORDER BY run_id DESC LIMIT 1
"""

RUNS: Final = """
SELECT r.run_id, r.command, r.config, r.seed, r.fingerprint, r.versions, r.git_commit,
       coalesce(f.inputs, '[]') AS inputs, coalesce(f.weights, '[]') AS weights,
       r.started_at, r.ended_at, r.status, r.problem
FROM runs AS r
LEFT JOIN (
    SELECT run_id,
           coalesce(to_json(list({'path': path, 'sha256': sha256, 'size_bytes': size_bytes}
                                 ORDER BY path) FILTER (kind = 'input')), '[]') AS inputs,
           coalesce(to_json(list({'path': path, 'sha256': sha256, 'size_bytes': size_bytes}
                                 ORDER BY path) FILTER (kind = 'weight')), '[]') AS weights
    FROM run_files GROUP BY run_id
) AS f USING (run_id)
ORDER BY r.run_id
"""

RUN_FILES: Final = """
SELECT run_id, kind, path, sha256, size_bytes FROM run_files JOIN runs USING (run_id)
WHERE status = 'finished' ORDER BY run_id, path
"""

FINISHED_WITH_FINGERPRINT: Final = """
SELECT run_id FROM runs WHERE status = 'finished' AND fingerprint = ? ORDER BY run_id DESC LIMIT 1
"""

LATEST_TABLES: Final = """
SELECT table_name, run_id, n_rows, column_names, checksum, command, ended_at
FROM run_tables JOIN runs USING (run_id)
WHERE status = 'finished'
QUALIFY row_number() OVER (PARTITION BY table_name ORDER BY run_id DESC) = 1
ORDER BY table_name
"""

ALL_TABLES: Final = """
SELECT table_name, run_id, n_rows, column_names, checksum
FROM run_tables JOIN runs USING (run_id) WHERE status = 'finished' ORDER BY run_id, table_name
"""

RECORD_TABLE: Final = "INSERT INTO run_tables VALUES (?, ?, ?, ?, ?)"
