"""BrLP's own CSV: `subject_id,image_uid,age,sex,image_path,segm_path[,diagnosis]`."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cohorts.records import Records
from cohorts.table import read_table_records

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
