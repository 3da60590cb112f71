"""The folder of an imported cohort: validated tables as Parquet, a description as JSON."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow

from cohorts.atomic import compute_sha256, write_folder
from cohorts.cohort import Cohort
from cohorts.eligibility import Screening
from cohorts.errors import CohortError

TABLE_FILES: Final = ("participants.parquet", "visits.parquet", "volumes.parquet")
DESCRIPTION: Final = "cohort.json"
REJECTED: Final = "rejected.parquet"
_SCREENING: Final = ("screening_flow.parquet", "screening_failures.parquet")


def write_cohort(cohort: Cohort, folder: Path, *, screening: Screening | None = None) -> None:
    """Write a cohort to `folder`, where `load_cohort` finds it, whole or not at all.

    Parameters
    ----------
    cohort
        The people.
    folder
        Takes the place of an earlier import; other files in it are kept.
    screening
        Who was screened out, with the count for each criterion.

    Raises
    ------
    StorageError
        Where the folder cannot be written.
    """
    tables = {name: getattr(cohort, Path(name).stem) for name in TABLE_FILES}
    tables[REJECTED] = cohort.rejected
    if screening is not None:
        tables |= dict(zip(_SCREENING, (screening.flow, screening.failures), strict=True))
    with write_folder(folder, without=_SCREENING) as partial:
        for name, table in tables.items():
            table.to_parquet(partial / name, index=False)
        checksums = {name: compute_sha256(partial / name) for name in tables}
        text = json.dumps(_describe(cohort, checksums), indent=2, ensure_ascii=False)
        (partial / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def is_cohort_folder(path: Path) -> bool:
    """Return whether `path` is the folder of an imported cohort."""
    return (path / DESCRIPTION).is_file()


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a cohort folder by name, as they were written.

    Raises
    ------
    CohortError
        One sentence for each file that is missing, cannot be read, or was changed since.
    """
    checksums = _read_checksums(folder)
    tables, problems = {}, []
    for name in TABLE_FILES:
        try:
            tables[Path(name).stem] = _read_table(folder / name, checksums.get(name))
        except FileNotFoundError:
            problems.append(f"{folder} has no {name}: import the cohort again.")
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            problems.append(f"{folder / name} could not be read as Parquet: {error}.")
        except CohortError as error:
            problems += error.problems
    if problems and _read_checksums(folder) != checksums:
        return read_tables(folder)  # imported again while it was read
    if problems:
        raise CohortError(*problems)
    return tables


def _read_table(path: Path, checksum: str | None) -> pd.DataFrame:
    content = path.read_bytes()
    if checksum is not None and hashlib.sha256(content).hexdigest() != checksum:
        raise CohortError(
            f"{path} is not the one that was imported (its SHA-256 is not that of {DESCRIPTION}): "
            "import the cohort again."
        )
    return pd.read_parquet(io.BytesIO(content))


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


def _describe(cohort: Cohort, checksums: dict[str, str]) -> dict[str, Any]:
    return {
        "name": cohort.name,
        "is_synthetic": cohort.is_synthetic,
        "sources": [str(path) for path in cohort.sources],
        "notes": list(cohort.notes),
        "files": checksums,
    }
