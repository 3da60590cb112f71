"""A study as a folder of Parquet files with a manifest: the thing to mail, to sign, to keep.

`MANIFEST.json` names every file with its SHA-256 and size, and the head of the chain of runs. A
detached signature of that one file (minisign, sigstore) therefore signs the whole study; see
SECURITY.md.
"""

from pathlib import Path
from typing import Annotated, Final, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cohorts.files.atomic import compute_sha256, write_folder
from cohorts.schema import TABLES
from reports.errors import ReportError
from reports.store.chain import read_chain
from reports.store.database import open_for_reading, open_for_writing, transaction
from reports.store.migrations import MIGRATIONS, quote, sql_type
from reports.store.rows import iterate_batches
from reports.store.study import Study
from reports.store.verification import verify_study

MANIFEST: Final = "MANIFEST.json"
SYSTEM_TABLES: Final = ("runs", "run_files", "run_tables", "run_chain")
_LONGEST_MANIFEST: Final = 2**20


class BundledFile(BaseModel):
    """A file of a bundle."""

    model_config = ConfigDict(extra="forbid")

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(ge=0)]


class Manifest(BaseModel):
    """What `MANIFEST.json` says."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["trialsim study bundle"] = "trialsim study bundle"
    schema_version: Annotated[int, Field(ge=1)]
    head: str | None
    files: dict[str, BundledFile]


def write_bundle(study: Study, folder: Path) -> Manifest:
    """Write every run of `study` with all its rows into `folder`.

    Raises
    ------
    ReportError
        If the study cannot be read.
    StorageError
        If the folder cannot be written.
    """
    with open_for_reading(study.source) as connection, write_folder(folder) as partial:
        for table in (*SYSTEM_TABLES, *TABLES):
            rows = f"SELECT * FROM {quote(table)} ORDER BY rowid"  # noqa: S608 - quoted identifiers
            batches = iterate_batches(connection, rows)
            with pq.ParquetWriter(partial / f"{table}.parquet", batches.schema) as writer:
                for batch in batches:
                    writer.write_batch(batch)
        links = read_chain(connection)
        manifest = Manifest(
            schema_version=len(MIGRATIONS),
            head=links[-1].seal if links else None,
            files={path.name: _describe(path) for path in sorted(partial.glob("*.parquet"))},
        )
        text = manifest.model_dump_json(indent=2) + "\n"
        (partial / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a bundle whose files are the ones that it names.

    Raises
    ------
    ReportError
        One sentence for each file that is missing, changed, or of no study.
    """
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _LONGEST_MANIFEST:
            raise ReportError(f"{path} is too long for a manifest.")
        manifest = Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ReportError(f"{path} is not the manifest of a study bundle.") from error
    if manifest.schema_version > len(MIGRATIONS):
        raise ReportError(f"{folder} was written by a newer trialsim: install that to read it.")
    known = {f"{table}.parquet" for table in (*SYSTEM_TABLES, *TABLES)}
    problems = [
        f"{folder / name} is not a table of a study."
        for name in manifest.files
        if name not in known
    ]
    for name in manifest.files.keys() & known:
        if not (folder / name).is_file():
            problems.append(f"{folder / name} is missing.")
        elif _describe(folder / name) != manifest.files[name]:
            problems.append(f"{folder / name} is not the file that {MANIFEST} names.")
    if problems:
        raise ReportError(*sorted(problems))
    return manifest


def import_bundle(folder: Path, path: Path) -> Study:
    """Make the study file `path` of a bundle, once all of it has been checked.

    Raises
    ------
    ReportError
        If the file exists, or the bundle is changed, damaged, or does not fit its chain of runs.
    """
    if path.exists():
        raise ReportError(f"{path} exists already: give the study of the bundle another name.")
    manifest = read_manifest(folder)
    partial = path.with_name(f"{path.name}.importing")
    partial.unlink(missing_ok=True)
    study = Study.open(partial)
    try:
        with open_for_writing(partial) as connection, transaction(connection):
            for table in (*SYSTEM_TABLES, *TABLES):
                if f"{table}.parquet" in manifest.files:
                    _fill(connection, table, folder / f"{table}.parquet")
        _require_sound(study, manifest, folder)
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
        Path(study.lock.lock_file).unlink(missing_ok=True)
    return Study.open(path)


def _describe(path: Path) -> BundledFile:
    return BundledFile(sha256=compute_sha256(path), size_bytes=path.stat().st_size)


def _fill(connection: duckdb.DuckDBPyConnection, table: str, path: Path) -> None:
    try:
        with pq.ParquetFile(path) as file:
            for name, kind in zip(file.schema_arrow.names, file.schema_arrow.types, strict=True):
                column = f"{quote(name)} {_column_type(kind)}"
                connection.execute(f"ALTER TABLE {quote(table)} ADD COLUMN IF NOT EXISTS {column}")
            for batch in file.iter_batches(100_000):
                connection.register("incoming", pa.Table.from_batches([batch]))
                connection.execute(f"INSERT INTO {quote(table)} BY NAME SELECT * FROM incoming")  # noqa: S608 - quoted identifiers
                connection.unregister("incoming")
    except (pa.ArrowException, OSError, duckdb.Error) as error:
        first = str(error).splitlines()[0]
        raise ReportError(f"{path} is not the table of a study: {first}") from error


def _column_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return sql_type("bool")
    if pa.types.is_integer(kind):
        return sql_type("int")
    return sql_type("float" if pa.types.is_floating(kind) else "str")


def _require_sound(study: Study, manifest: Manifest, folder: Path) -> None:
    found = verify_study(study)
    broken = found[found["what"].isin(["run", "table"]) & (found["verdict"] != "holds")]
    if len(broken) or study.head() != manifest.head:
        raise ReportError(
            f"{folder} does not fit its own chain of runs: it was put together or changed by "
            "other means than `trialsim study export --bundle`."
        )
