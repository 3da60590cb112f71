"""Rows of a sound table, and ways to spoil them."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]


def good_rows() -> Rows:
    people = [
        ("sub-01", "F", 70.0, "CN"),
        ("sub-02", "M", 75.5, "MCI"),
        ("sub-03", "F", 81.0, "AD"),
    ]
    return [
        {
            "participant_id": person,
            "session_id": f"ses-{visit:02d}",
            "age_years": age + visit - 1,
            "sex": sex,
            "diagnosis": diagnosis,
            "mmse": 27,
            "left_hippocampus_mm3": 3500 - 100 * visit,
            "right_hippocampus_mm3": 3600 - 100 * visit,
            "hippocampus_mm3": 7100 - 200 * visit,
            "head_size_mm3": 1_500_000,
        }
        for person, sex, age, diagnosis in people
        for visit in (1, 2)
    ]


def write_rows(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def put(row: int, **values: Any) -> Callable[[Rows], Rows]:
    """Change cells of one row; row 0 is the first below the header."""
    return lambda rows: [{**r, **values} if i == row else r for i, r in enumerate(rows)]


def put_all(column: str, change: Callable[[Any], Any]) -> Callable[[Rows], Rows]:
    return lambda rows: [{**r, column: change(r[column])} for r in rows]


def drop(*columns: str) -> Callable[[Rows], Rows]:
    return lambda rows: [{k: v for k, v in r.items() if k not in columns} for r in rows]


def rename(old: str, new: str) -> Callable[[Rows], Rows]:
    return lambda rows: [{new if k == old else k: v for k, v in r.items()} for r in rows]


def add(column: str, *values: Any) -> Callable[[Rows], Rows]:
    return lambda rows: [{**r, column: values[i % len(values)]} for i, r in enumerate(rows)]


def keep(*indices: int) -> Callable[[Rows], Rows]:
    return lambda rows: [rows[i] for i in indices]


def chain(*changes: Callable[[Rows], Rows]) -> Callable[[Rows], Rows]:
    def apply(rows: Rows) -> Rows:
        for change in changes:
            rows = change(rows)
        return rows

    return apply
