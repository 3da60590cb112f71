"""Tables of people (CSV, TSV, Parquet): one row a visit, or one row a person."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow

from cohorts.errors import CohortError
from cohorts.sources.columns import WAVE, apply_column_map, split_volume_name, standardize_names
from cohorts.sources.records import (
    PERSON_DIAGNOSIS,
    PROVENANCE,
    SOURCE_FILE,
    SOURCE_ROW,
    VOLUME_SOURCE,
    Records,
    join_names,
    parse_text,
)

SEPARATORS: Final = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
TABLE_SUFFIXES: Final = (*SEPARATORS, ".parquet")


def read_table(path: Path) -> pd.DataFrame:
    """Return a table as it is in the file; text files give text.

    Raises
    ------
    CohortError
        Where the file is missing, empty, not text, ragged, or names a column twice.
    """
    if not path.is_file():
        raise CohortError(f"{path} does not exist: give the path of a table.")
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise CohortError(
            f"{path.name} must be a table that ends in {', '.join(TABLE_SUFFIXES)}, "
            f"got '{path.suffix}'."
        )
    frame = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_text(path)
    if frame.empty:
        raise CohortError(f"{path.name} has no rows below its header: people are expected.")
    return frame


def read_table_records(
    path: Path, *, column_map: Mapping[str, str], key: str = "participant_id"
) -> Records:
    """Return the visits of a table; waves in columns (`MMSE_W2`) become visits.

    Parameters
    ----------
    path
        The table.
    column_map
        Name in the file -> standard name.
    key
        The standard column that the table must have.

    Raises
    ------
    CohortError
        Where the table cannot be read, or its columns cannot be told apart.
    """
    frame = read_table(path)
    own = list(frame)
    first_row = 1 if path.suffix.lower() == ".parquet" else 2
    frame = frame.assign(
        **{
            SOURCE_FILE: path.name,
            SOURCE_ROW: range(first_row, first_row + len(frame)),
            VOLUME_SOURCE: f"table {path.name}",
            PERSON_DIAGNOSIS: None,
        }
    )
    records = Records(frame, name=path.stem, sources=[path])
    _standardize_columns(records, column_map=column_map, file=path.name)
    if key not in records.frame:
        raise CohortError(
            f"{path.name} has no column {key} (columns: {', '.join(join_names(own))}): "
            f"name the column that holds it with --map COLUMN={key}."
        )
    _resolve_paths(records.frame, path.parent)
    return records


def _standardize_columns(records: Records, *, column_map: Mapping[str, str], file: str) -> None:
    """Give columns their standard names, waves their own rows."""
    frame = records.frame
    names = _list_own(frame)
    stated = apply_column_map(names, column_map, file=file)
    frame = frame.rename(columns=stated)
    standard = standardize_names(_list_own(frame), stated=stated.values(), file=file)
    if "session_id" not in standard.values():
        frame, waves = split_waves(frame)
        records.has_unattended_visits = bool(waves)
        if waves:
            records.notes.append(f"Columns of waves {', '.join(waves)} became visits.")
        targets = {(WAVE.match(name) or (name, name))[1] for name in stated.values()}
        standard = standardize_names(_list_own(frame), stated=targets, file=file)
    records.frame = frame.rename(columns=standard)
    records.volume_factors |= {
        standard[name]: volume[1] for name in standard if (volume := split_volume_name(name))
    }
    original = {new: old for old, new in stated.items()}
    records.column_names |= {new: original.get(name, name) for name, new in standard.items()}


def _list_own(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame if name not in PROVENANCE]


def _resolve_paths(frame: pd.DataFrame, folder: Path) -> None:
    """Make the image paths of a table absolute; they are relative to the table's folder."""
    for column in ("image_path", "segmentation_path"):
        if column in frame:
            given = parse_text(frame[column])
            known = {path: str((folder / path).resolve()) for path in given.dropna().unique()}
            frame[column] = given.map(known)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        raise CohortError(f"{path.name} could not be read as Parquet: {error}.") from error


def _read_text(path: Path) -> pd.DataFrame:
    separator = SEPARATORS[path.suffix.lower()]
    _check_header(path, separator)
    try:
        return pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except pd.errors.ParserError as error:
        raise CohortError(
            f"{path.name} has a row with another number of cells than its header: {error}."
        ) from error


def _check_header(path: Path, separator: str) -> None:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file, delimiter=separator), [])
            file.read()
    except UnicodeDecodeError as error:
        raise CohortError(f"{path.name} is not UTF-8 text: save it as UTF-8.") from error
    except OSError as error:
        raise CohortError(f"{path.name} could not be read: {error.strerror}.") from error
    if not any(header):
        raise CohortError(f"{path.name} is empty: a header and rows are expected.")
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if twice:
        raise CohortError(f"{path.name} names columns twice: {', '.join(twice)}.")
    if len(header) == 1 and any(mark in header[0] for mark in ",;\t"):
        raise CohortError(
            f"{path.name} has one column, '{header[0][:60]}': its cells must be separated by "
            f"{'commas' if separator == ',' else 'tabs'}."
        )


COLUMNS: Final = {"subject_id", "image_uid", "age", "sex", "image_path", "segm_path"}


def is_brlp_csv(path: Path) -> bool:
    """Return whether `path` is a CSV with the columns that BrLP's commands read."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return set(next(csv.reader(file), [])) >= COLUMNS


def read_brlp_records(path: Path, *, column_map: Mapping[str, str]) -> Records:
    """Return the visits of a BrLP CSV; its `image_uid`s say nothing about the order of time."""
    records = read_table_records(path, column_map=column_map)
    records.has_ordered_sessions = False
    return records


def split_waves(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Turn columns of waves into visits.

    Parameters
    ----------
    frame
        One row a person; columns such as `age_years_W1`, `age_years_W2`, `MMSE_W1`.

    Returns
    -------
    frame
        One row per person and wave, with `session_id` (`W1`) and one column for each measurement;
        columns without a wave are repeated. The input where it has fewer than two waves.
    waves
        The session names, in order; empty where there are none.
    """
    columns = {name: match for name in frame if (match := WAVE.match(str(name)))}
    numbers = sorted({int(match[2]) for match in columns.values()})
    if len(numbers) < 2:
        return frame, []
    common = frame.drop(columns=list(columns))
    waves = [
        common.assign(
            session_id=f"W{number}",
            **{m[1]: frame[name] for name, m in columns.items() if int(m[2]) == number},
        )
        for number in numbers
    ]
    long = pd.concat(waves).sort_index(kind="stable").reset_index(drop=True)
    return long, [f"W{number}" for number in numbers]
