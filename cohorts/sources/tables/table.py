"""Tables of people (text, Parquet, SAS, SPSS, Stata, Excel): one row a visit or a person."""

from collections.abc import Collection, Iterable
from pathlib import Path
from shlex import quote
from typing import Final

import pandas as pd

from cohorts.errors import CohortError
from cohorts.images import IMAGE_SUFFIXES
from cohorts.sources.columns import (
    list_superseded,
    list_volume_columns,
    split_volume_name,
    standardize_names,
)
from cohorts.sources.freesurfer.all_subjects import settle_streams
from cohorts.sources.reading import Reading
from cohorts.sources.records import (
    AT_BASELINE,
    PERSON_DIAGNOSIS,
    PROVENANCE,
    SOURCE_FILE,
    SOURCE_ROW,
    VOLUME_SOURCE,
    Records,
    join_names,
)
from cohorts.sources.tables.derived import derive_columns
from cohorts.sources.tables.text import SEPARATORS, read_header, read_text_table
from cohorts.sources.tables.typed_files import TYPED_SUFFIXES, read_typed_file
from cohorts.sources.tables.waves import (
    Waves,
    find_waves,
    list_later_waves,
    split_ending,
    split_waves,
)
from cohorts.sources.values import blank_missing, parse_numbers, parse_text

TABLE_SUFFIXES: Final = (*SEPARATORS, *TYPED_SUFFIXES)

_NAMES_OF_ROWS: Final = ("participant_id", "session_id")
_BASELINE_AGE: Final = "baseline_age_years"


def read_table(path: Path) -> pd.DataFrame:
    """Return a table as it is in the file; text files give text.

    Raises
    ------
    CohortError
        Where the file is missing, empty, not text, ragged, or names a column twice.
    """
    return _read_numbered(path).reset_index(drop=True)


def _read_numbered(path: Path) -> pd.DataFrame:
    """Return a table whose index are the numbers of its rows in the file."""
    path = path.expanduser()
    if not path.is_file():
        fault = "is no file" if path.exists() else "does not exist"
        raise CohortError(f"{path} {fault}: give the path of a table.")
    if path.name.lower().endswith(IMAGE_SUFFIXES):
        raise CohortError(
            f"{path.name} is one scan, not a cohort: give a BIDS dataset, or a table whose column "
            "`image_path` names the scans; `trialsim model check-scan` judges one scan."
        )
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise CohortError(
            f"{path.name} must be a table that ends in {', '.join(TABLE_SUFFIXES)}, "
            f"got '{path.suffix}'."
        )
    is_text = path.suffix.lower() in SEPARATORS
    frame = read_text_table(path) if is_text else read_typed_file(path)
    if frame.empty:
        raise CohortError(f"{path.name} has no rows below its header: people are expected.")
    return frame


def read_typed_table(path: Path, *, text: Collection[str]) -> pd.DataFrame:
    """Return a table whose columns are numbers, where all their values are, or text.

    Parameters
    ----------
    path
        The table.
    text
        Columns that are text even where they are written in digits.

    Raises
    ------
    CohortError
        As `read_table`.
    """
    frame = read_table(path)
    typed = {}
    for name in frame:
        numbers, wrong = parse_numbers(frame[name])
        is_text = name in text or bool(wrong.any())
        typed[name] = parse_text(frame[name]) if is_text else numbers
    return pd.DataFrame(typed)


def read_table_records(path: Path, *, reading: Reading, key: str = "participant_id") -> Records:
    """Return the visits of a table; waves in columns (`MMSE_W2`) become visits.

    Parameters
    ----------
    path
        The table.
    reading
        What the user states about it.
    key
        The standard column that the table must have.

    Raises
    ------
    CohortError
        Where the table cannot be read, or its columns cannot be told apart.
    """
    frame = _read_numbered(path)
    own = list(frame)
    provenance = pd.DataFrame(
        {
            SOURCE_FILE: path.name,
            SOURCE_ROW: frame.index,
            VOLUME_SOURCE: reading.profile.volume_source or f"table {path.name}",
            PERSON_DIAGNOSIS: None,
        }
    )
    frame = pd.concat([frame.reset_index(drop=True), provenance], axis=1)
    records = Records(
        frame,
        name=path.stem,
        sources=[path],
        missing_codes=reading.missing,
        session_time=reading.profile.session_time,
        starts_at_first_visit=reading.profile.starts_at_first_visit,
    )
    _standardize_columns(records, reading=reading, file=path.name)
    if key not in records.frame:
        raise CohortError(
            f"{path.name} has no column {key} (columns: {', '.join(join_names(own))}): "
            f"name the column that holds it with --map COLUMN={key}."
        )
    _take_source(records)
    settle_streams(records)
    _blank_missing(records, reading.profile.missing)
    _resolve_paths(records.frame, path.parent)
    return records


def _standardize_columns(records: Records, *, reading: Reading, file: str) -> None:
    """Give columns their standard names, waves their own rows; leave out what is to be ignored."""
    frame = records.frame
    stated = reading.apply_map(_list_own(frame), file=file)
    frame = _blank_by_column(frame, reading)
    derived = _derive(frame, reading, known=stated.values())
    frame = frame.drop(columns=reading.list_ignored(_list_own(frame)))
    frame = pd.concat([frame, derived], axis=1)
    # a stated name wins over a column that bears it
    beaten = [name for name in _list_own(frame) if name in stated.values() and name not in stated]
    if beaten:
        records.notes.append(f"Left out beside the stated column: {', '.join(beaten)}.")
    frame = frame.drop(columns=beaten).rename(columns=stated)
    standard = standardize_names(_list_own(frame), stated=stated.values(), file=file)
    if "session_id" not in standard.values():
        people = [name for name, target in standard.items() if target == "participant_id"]
        is_wide = not frame[people].duplicated().any()
        waves = find_waves(_list_own(frame), stated=stated.values(), is_wide=is_wide)
        later = list_later_waves(_list_own(frame), waves, kept=stated.values())
        frame = split_waves(frame.drop(columns=later), waves)
        records.has_unattended_visits = bool(waves)
        if waves:
            records.notes.append(f"Columns of waves {', '.join(waves.sessions)} became visits.")
        if later:
            records.column_names |= {name: name for name in later}
            records.notes.append(
                f"Left out, because their names end as those of a later wave: "
                f"{', '.join(join_names(later))}. One that was known at baseline is kept under "
                f"another name: --map {quote(f'{later[0]}=NAME')}."
            )
        targets = {waves.get_stem(name) for name in stated.values()}
        standard = standardize_names(_list_own(frame), stated=targets, file=file)
        stated = {_name_stem(old, new, waves): waves.get_stem(new) for old, new in stated.items()}
        if waves:
            standard = _mark_told_once(standard, waves)
    superseded = list_superseded(standard, stated=stated.values())
    if superseded:
        records.notes.append(f"Left out beside the stated column: {', '.join(superseded)}.")
    records.frame = frame.drop(columns=superseded).rename(columns=standard)
    records.volume_factors |= {
        target.removeprefix(AT_BASELINE): volume[1]
        for name, target in standard.items()
        if (volume := split_volume_name(name))
    }
    original = {new: old for old, new in stated.items()}
    records.column_names |= {new: original.get(name, name) for name, new in standard.items()}


def _name_stem(name: str, stated: str, waves: Waves) -> str:
    """Return what a stated column is called in the file, without its visit: it tells of several."""
    end = split_ending(name) if stated in waves.columns else None
    return end.stem if end else name


def _mark_told_once(standard: dict[str, str], waves: Waves) -> dict[str, str]:
    """Return the standard names where columns without a wave tell of people at baseline."""
    measured = {stem for stem, _ in waves.columns.values()}
    found = dict(standard)
    for name, target in standard.items():
        if name not in measured and list_volume_columns([target]):
            found[name] = f"{AT_BASELINE}{target}"
        elif target == "age_years" and name not in measured and _BASELINE_AGE not in found.values():
            found[name] = _BASELINE_AGE
    return found


def _derive(frame: pd.DataFrame, reading: Reading, known: Iterable[str]) -> pd.DataFrame:
    codes = (*(reading.missing or ()), *reading.profile.missing)
    return derive_columns(blank_missing(frame, codes), reading.profile, {*known, *_list_own(frame)})


def _take_source(records: Records) -> None:
    """Take what measured the volumes from the column that says it."""
    if "volume_source" in records.frame:
        said = parse_text(records.frame.pop("volume_source"))
        records.frame[VOLUME_SOURCE] = said.fillna(records.frame[VOLUME_SOURCE])


def _list_own(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame if name not in PROVENANCE]


def _blank_by_column(frame: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    own = {name: codes for name, codes in reading.profile.missing_in.items() if name in frame}
    blanked = {name: blank_missing(frame[[name]], codes)[name] for name, codes in own.items()}
    return frame.assign(**blanked)


def _blank_missing(records: Records, codes: Collection[str]) -> None:
    kept = {*PROVENANCE, *_NAMES_OF_ROWS}
    named = [name for name in records.frame if name in kept]
    values = records.frame.drop(columns=named)
    blanked = blank_missing(values, (*(records.missing_codes or ()), *codes))
    records.frame = pd.concat([records.frame[named], blanked], axis=1)


def _resolve_paths(frame: pd.DataFrame, folder: Path) -> None:
    """Make the image paths of a table absolute; they are relative to the table's folder."""
    for column in ("image_path", "segmentation_path"):
        if column in frame:
            given = parse_text(frame[column])
            known = {
                path: str((folder / Path(path).expanduser()).resolve())
                for path in given.dropna().unique()
            }
            frame[column] = given.map(known)


COLUMNS: Final = {"subject_id", "image_uid", "age", "sex", "image_path", "segm_path"}


def is_brlp_csv(path: Path) -> bool:
    """Return whether `path` is a CSV with the columns that BrLP's commands read."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    return set(read_header(path)) >= COLUMNS


def read_brlp_records(path: Path, *, reading: Reading) -> Records:
    """Return the visits of a BrLP CSV; its `image_uid`s say nothing about the order of time."""
    records = read_table_records(path, reading=reading)
    records.has_ordered_sessions = False
    return records
