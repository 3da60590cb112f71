"""The folder of an imported cohort: validated tables as Parquet, a description as JSON."""

import hashlib
import io
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import pandas as pd
import pyarrow
import pyarrow.parquet
from pyarrow.types import is_large_string, is_string, is_string_view

from cohorts.errors import CohortError
from cohorts.files.atomic import compute_sha256, write_folder
from cohorts.keys import number_parts
from cohorts.numbered import NumberedTable

Read = TypeVar("Read")

COHORT_TABLES: Final = ("participants", "visits", "volumes")
"""What a cohort is read from."""

DESCRIPTION: Final = "cohort.json"
_NAMES: Final = ("participant_id", "session_id", "region", "source")
_ROWS_AT_ONCE: Final = 2**17
_SCREENING: Final = ("screening_flow.parquet", "screening_failures.parquet")


def write_tables(
    folder: Path, tables: Mapping[str, pd.DataFrame], description: Mapping[str, Any]
) -> None:
    """Write a cohort's tables and what describes it, whole or not at all.

    Parameters
    ----------
    folder
        Takes the place of an earlier cohort; other files in it are kept.
    tables
        By name; the three of a cohort, what was left out, and the screening where there was one.
    description
        What `cohort.json` says beside the checksums of the tables.

    Raises
    ------
    StorageError
        Where the folder cannot be written.
    """
    files = {f"{name}.parquet": table for name, table in tables.items()}
    with write_folder(folder, without=_SCREENING) as partial:
        for name, table in files.items():
            table.to_parquet(partial / name, index=False)
        checksums = {name: compute_sha256(partial / name) for name in files}
        text = json.dumps({**description, "files": checksums}, indent=2, ensure_ascii=False)
        (partial / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def is_cohort_folder(path: Path) -> bool:
    """Return whether `path` is the folder of an imported cohort."""
    return (path / DESCRIPTION).is_file()


def read_criteria(folder: Path) -> list[str]:
    """Return the criteria that the people of a cohort folder met when they were imported.

    Parameters
    ----------
    folder
        Of a cohort that was imported.

    Raises
    ------
    CohortError
        As `read_tables`.
    """
    (flow, _) = (Path(name).stem for name in _SCREENING)
    if not (folder / _SCREENING[0]).is_file():
        return []
    return [str(text) for text in read_tables(folder, [flow])[flow]["criterion"]]


def read_tables(
    folder: Path,
    names: Collection[str] = COHORT_TABLES,
    *,
    columns: Collection[str] | None = None,
) -> dict[str, pd.DataFrame]:
    """Return tables of a cohort folder by name, as they were written.

    Parameters
    ----------
    folder
        Of a cohort that was imported.
    names
        Which.
    columns
        Those that are read, where a table has them; all where None.

    Raises
    ------
    CohortError
        One sentence for each file that is missing, cannot be read, or was changed since.
    """
    return _read_files(folder, dict.fromkeys(names, partial(_read_frame, columns=columns)))


def read_cohort_tables(folder: Path) -> tuple[dict[str, pd.DataFrame], NumberedTable]:
    """Return people and visits of a cohort folder by name, and its volumes with names numbered.

    Parameters
    ----------
    folder
        Of a cohort that was imported.

    Raises
    ------
    CohortError
        As `read_tables`.
    """
    readers: dict[str, Callable[[bytes], pd.DataFrame | NumberedTable]]
    readers = {name: _read_numbered if name == "volumes" else _read_frame for name in COHORT_TABLES}
    found = _read_files(folder, readers)
    (volumes,) = (table for table in found.values() if isinstance(table, NumberedTable))
    frames = {name: table for name, table in found.items() if isinstance(table, pd.DataFrame)}
    return frames, volumes


def _read_files(folder: Path, readers: Mapping[str, Callable[[bytes], Read]]) -> dict[str, Read]:
    """Return what the reader of each table makes of its file."""
    checksums = _read_checksums(folder)
    tables, problems = {}, []
    for table, read in readers.items():
        name = f"{table}.parquet"
        try:
            tables[table] = read(_read_content(folder / name, checksums.get(name)))
        except FileNotFoundError:
            problems.append(f"{folder} has no {name}: import the cohort again.")
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            problems.append(f"{folder / name} could not be read as Parquet: {error}.")
        except CohortError as error:
            problems += error.problems
    if problems and _read_checksums(folder) != checksums:
        return _read_files(folder, readers)  # imported again while it was read
    if problems:
        raise CohortError(*problems)
    return tables


def _read_content(path: Path, checksum: str | None) -> bytes:
    content = path.read_bytes()
    if checksum is not None and hashlib.sha256(content).hexdigest() != checksum:
        raise CohortError(
            f"{path} is not the one that was imported (its SHA-256 is not that of {DESCRIPTION}): "
            "import the cohort again."
        )
    return content


def _read_frame(content: bytes, columns: Collection[str] | None = None) -> pd.DataFrame:
    held = pyarrow.parquet.read_schema(io.BytesIO(content)).names
    chosen = None if columns is None else [name for name in held if name in columns]
    return pd.read_parquet(io.BytesIO(content), columns=chosen)


def _read_numbered(content: bytes) -> NumberedTable:
    """Return a table of volumes, of which a million people have millions, column by column."""
    schema = pyarrow.parquet.read_schema(io.BytesIO(content))
    plain = [field.name for field in schema if _is_text(field.type)]
    encoded = [field.name for field in schema if pyarrow.types.is_dictionary(field.type)]
    if not set(_NAMES) <= {*plain, *encoded}:  # written by hand
        frame = _read_frame(content)
        return NumberedTable.of(frame.astype({name: "str" for name in _NAMES if name in frame}))
    # numbered as the file has them, but those of people, of whom it numbers some
    file = pyarrow.parquet.ParquetFile(io.BytesIO(content), read_dictionary=_NAMES[1:])
    texts = [*plain, *(name for name in encoded if name in _NAMES)]
    others = file.read([name for name in schema.names if name not in texts])
    return NumberedTable.build(
        {name: number_parts(_iterate_column(file, name)) for name in texts},
        pd.DataFrame(others.to_pandas()),
        tuple(schema.names),
    )


def _iterate_column(file: pyarrow.parquet.ParquetFile, name: str) -> Iterator[pyarrow.Array]:
    return (batch.column(0) for batch in file.iter_batches(_ROWS_AT_ONCE, columns=[name]))


def _is_text(kind: pyarrow.DataType) -> bool:
    return any(is_one(kind) for is_one in (is_string, is_large_string, is_string_view))


def _read_checksums(folder: Path) -> dict[str, str]:
    """Return what the description says of the files; folders of earlier versions have nothing."""
    found = read_description(folder).get("files", {}) if is_cohort_folder(folder) else {}
    if not isinstance(found, dict):
        raise CohortError(f"{folder / DESCRIPTION}: files must map a name to its SHA-256.")
    return found


def read_description(folder: Path) -> dict[str, Any]:
    """Return what `cohort.json` says: `name`, `is_synthetic`, `sources`, `notes`.

    Raises
    ------
    CohortError
        Where the file is no JSON object.
    """
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise CohortError(f"{folder / DESCRIPTION} could not be read as JSON: {error}.") from error
    if not isinstance(description, dict) or not isinstance(description.get("is_synthetic"), bool):
        raise CohortError(
            f"{folder / DESCRIPTION} must be an object that says is_synthetic: true or false."
        )
    return description
