"""Whether a study file still holds: its rows, and the files that they were computed from."""

from pathlib import Path

import pandas as pd

from cohorts.atomic import compute_sha256
from reports.store import queries
from reports.store.database import open_for_reading
from reports.store.rows import checksum_rows, find_repeated_keys
from reports.store.study import Study


def verify_study(study: Study) -> pd.DataFrame:
    """Check every finished run of `study` against what it recorded.

    Returns
    -------
    pandas.DataFrame
        `run_id`, `what` (table, input or weight), `name`, `verdict` (`holds`, `changed`,
        `missing`), `detail`; one row for each table and file.
    """
    found = [*_verify_tables(study), *_verify_files(study.files())]
    return pd.DataFrame(found, columns=["run_id", "what", "name", "verdict", "detail"])


def _verify_tables(study: Study) -> list[tuple[str, ...]]:
    written = study.query(queries.ALL_TABLES)
    found: list[tuple[str, ...]] = []
    with open_for_reading(study.path) as connection:
        for row in written.to_dict("records"):
            run_id, table = row["run_id"], row["table_name"]
            digest = checksum_rows(connection, table, run_id, list(row["column_names"]))
            repeated = find_repeated_keys(connection, table, run_id)
            found.append((run_id, "table", table, *_judge_table(digest, row["checksum"], repeated)))
    return found


def _judge_table(digest: str, recorded: str, repeated: int) -> tuple[str, str]:
    if digest != recorded:
        return "changed", "the rows are not the ones that the run wrote"
    if repeated:
        return "changed", f"{repeated} keys occur more than once"
    return "holds", ""


def _verify_files(files: pd.DataFrame) -> list[tuple[str, ...]]:
    digests: dict[str, str | None] = {}
    found: list[tuple[str, ...]] = []
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
