"""The folder of an imported cohort: validated tables as Parquet, a description as JSON."""

import json
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow

from cohorts.cohort import Cohort
from cohorts.eligibility import Screening
from cohorts.errors import CohortError

TABLE_FILES: Final = ("participants.parquet", "visits.parquet", "volumes.parquet")
DESCRIPTION: Final = "cohort.json"
REJECTED: Final = "rejected.parquet"


def write_cohort(cohort: Cohort, folder: Path) -> None:
    """Write a cohort to `folder`, where `load_cohort` finds it.

    Raises
    ------
    CohortError
        Where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in TABLE_FILES:
            getattr(cohort, Path(name).stem).to_parquet(folder / name, index=False)
        cohort.rejected.to_parquet(folder / REJECTED, index=False)
        text = json.dumps(_describe(cohort), indent=2, ensure_ascii=False)
        (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise CohortError(f"{folder} cannot be written: {error.strerror}.") from error


def write_screening(screening: Screening, folder: Path) -> None:
    """Write who was screened out, with the count for each criterion, beside a cohort's tables."""
    screening.flow.to_parquet(folder / "screening_flow.parquet", index=False)
    screening.failures.to_parquet(folder / "screening_failures.parquet", index=False)


def is_cohort_folder(path: Path) -> bool:
    """Return whether `path` is the folder of an imported cohort."""
    return (path / DESCRIPTION).is_file()


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a cohort folder by name, as they are in the files.

    Raises
    ------
    CohortError
        One sentence for each file that is missing or cannot be read.
    """
    tables, problems = {}, []
    for name in TABLE_FILES:
        try:
            tables[Path(name).stem] = pd.read_parquet(folder / name)
        except FileNotFoundError:
            problems.append(f"{folder} has no {name}: import the cohort again.")
        except (OSError, pyarrow.ArrowException) as error:
            problems.append(f"{folder / name} could not be read as Parquet: {error}.")
    if problems:
        raise CohortError(*problems)
    return tables


def read_description(folder: Path) -> dict[str, Any]:
    """Return what `cohort.json` says: `name`, `is_synthetic`, `sources`, `notes`.

    Raises
    ------
    CohortError
        Where the file is no JSON object.
    """
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise CohortError(f"{folder / DESCRIPTION} could not be read as JSON: {error}.") from error
    if not isinstance(description, dict) or not isinstance(description.get("is_synthetic"), bool):
        raise CohortError(
            f"{folder / DESCRIPTION} must be an object that says is_synthetic: true or false."
        )
    return description


def _describe(cohort: Cohort) -> dict[str, Any]:
    return {
        "name": cohort.name,
        "is_synthetic": cohort.is_synthetic,
        "sources": [str(path) for path in cohort.sources],
        "notes": list(cohort.notes),
    }
