"""Every named query on a study file; values are bound, never formatted in."""

from typing import Final

NEXT_RUN_NUMBER: Final = "SELECT coalesce(max(CAST(substr(run_id, 2) AS BIGINT)), 0) + 1 FROM runs"

BEGIN_RUN: Final = """
INSERT INTO runs (run_id, command, config, seed, fingerprint, versions, git_commit, process_id,
                  started_at, folder, status)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running')
"""

END_RUN: Final = "UPDATE runs SET status = ?, ended_at = ?, problem = ? WHERE run_id = ?"

FINISH_RUN: Final = """
UPDATE runs SET status = 'finished', ended_at = ?, config = ?, parents = ? WHERE run_id = ?
"""

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
       r.started_at, r.ended_at, r.status, r.problem, r.parents, r.folder
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
FROM readable_tables JOIN runs USING (run_id)
WHERE status = 'finished'
QUALIFY row_number() OVER (PARTITION BY table_name ORDER BY run_id DESC) = 1
ORDER BY table_name
"""

ALL_TABLES: Final = """
SELECT table_name, run_id, n_rows, column_names, checksum
FROM run_tables JOIN runs USING (run_id) WHERE status = 'finished' ORDER BY run_id, table_name
"""

WRITTEN: Final = "SELECT table_name, run_id FROM run_tables"

TABLES_OF_RUN: Final = """
SELECT table_name, run_id, n_rows, column_names, checksum
FROM readable_tables JOIN runs USING (run_id) WHERE status = 'finished' AND run_id = ?
"""

RECORD_TABLE: Final = "INSERT INTO run_tables VALUES (?, ?, ?, ?, ?)"

DESCRIPTIONS: Final = """
SELECT study_description.run_id, key, value FROM study_description JOIN runs USING (run_id)
WHERE status = 'finished'
"""

VOLUMES_OF_REGION: Final = """
SELECT participant_id, session_id, region, volume_mm3, source FROM volumes
WHERE run_id = ? AND region = ?
"""

SELECTED_COUNTS: Final = """
SELECT strategy, fraction_enrolled, n_ranked, n_selected FROM selection_counts WHERE run_id = ?
"""

SELECTED_PEOPLE: Final = """
SELECT rank, participant_id FROM selections
WHERE run_id = ? AND strategy = ? AND fraction_enrolled = ? AND is_selected
ORDER BY rank, participant_id LIMIT ?
"""

SCORE_COVERAGE: Final = """
SELECT strategy, count(*) AS n_people, count(*) FILTER (score IS NULL OR isnan(score)) AS n_missing,
       count(DISTINCT fold) AS n_folds
FROM scores WHERE run_id = ? GROUP BY strategy ORDER BY strategy
"""

PREDICTION_SUMMARY: Final = """
SELECT model_id, region, horizon_months, count(*) AS n_people, min(n_samples) AS n_samples,
       avg(100 * (volume_mm3 / nullif(baseline_volume_mm3, 0) - 1)) AS mean_change_percent,
       stddev_samp(100 * (volume_mm3 / nullif(baseline_volume_mm3, 0) - 1)) AS sd_change_percent,
       avg(100 * volume_sd_mm3 / nullif(baseline_volume_mm3, 0)) AS mean_uncertainty_percent
FROM predictions WHERE run_id = ? GROUP BY ALL ORDER BY model_id, region, horizon_months
"""

PEOPLE: Final = """
SELECT participant_id AS name FROM participants UNION SELECT participant_id FROM visits
UNION SELECT participant_id FROM volumes UNION SELECT participant_id FROM scan_volumes
UNION SELECT participant_id FROM scan_checks UNION SELECT participant_id FROM predictions
UNION SELECT participant_id FROM prediction_images UNION SELECT participant_id FROM scores
UNION SELECT participant_id FROM rankings UNION SELECT participant_id FROM selections
UNION SELECT participant_id FROM predicted_changes
ORDER BY name
"""

SESSIONS: Final = """
SELECT session_id AS name FROM visits UNION SELECT session_id FROM scan_checks ORDER BY name
"""

PATHS: Final = """
SELECT path AS name FROM run_files UNION SELECT path FROM prediction_images
UNION SELECT image_path FROM visits WHERE image_path IS NOT NULL
UNION SELECT segmentation_path FROM visits WHERE segmentation_path IS NOT NULL ORDER BY name
"""

RUN_CONTENT: Final = "SELECT * FROM runs WHERE run_id = ?"

FILES_CONTENT: Final = """
SELECT kind, path, sha256, size_bytes FROM run_files WHERE run_id = ? ORDER BY path
"""

TABLES_CONTENT: Final = """
SELECT table_name, column_names, n_rows, checksum FROM run_tables WHERE run_id = ?
ORDER BY table_name
"""

CHAIN: Final = "SELECT position, run_id, content, seal FROM run_chain ORDER BY position"

APPEND_LINK: Final = "INSERT INTO run_chain VALUES (?, ?, ?, ?)"

STATUSES: Final = "SELECT run_id, status FROM runs ORDER BY run_id"

PRUNINGS: Final = """
SELECT config FROM runs WHERE status = 'finished' AND json_exists(config, '$.pruned')
"""

FREE_SPACE: Final = """
SELECT free_blocks * block_size, total_blocks * block_size FROM pragma_database_size()
WHERE database_name = current_database()
"""

FOREIGN_CODE: Final = """
SELECT view_name AS name FROM duckdb_views() WHERE NOT internal
UNION SELECT function_name FROM duckdb_functions() WHERE NOT internal
ORDER BY name
"""

CROSS_FITTED: Final = """
SELECT DISTINCT strategy FROM scores WHERE run_id = ? AND fold IS NOT NULL ORDER BY strategy
"""
