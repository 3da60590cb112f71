"""Paths in a study file, relative to it, so that a moved or mailed folder still holds together."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa

from cohorts.keys import number_names

PATH_COLUMNS: Final = {
    "visits": ("image_path", "segmentation_path"),
    "prediction_images": ("path",),
    "run_files": ("path",),
}
"""The columns that hold paths, by table."""


def relate_paths(frame: pd.DataFrame, table: str, folder: Path) -> pd.DataFrame:
    """Return `frame` as it is kept: its paths relative to the study's folder.

    A path that is not absolute is kept as it is: nobody said what it is relative to.
    """
    return _map_paths(frame, table, lambda path: relate(path, folder))


def resolve_paths(frame: pd.DataFrame, table: str, folder: Path) -> pd.DataFrame:
    """Return `frame` as it is used: with absolute paths."""
    return _map_paths(frame, table, lambda path: resolve(path, folder))


def resolve(path: str, folder: Path) -> str:
    """Return a path that is relative to the study's folder as an absolute one."""
    return os.path.normpath(folder / path)


def relate(path: str | Path, folder: Path) -> str:
    """Return an absolute path relative to `folder`, with forward slashes."""
    return Path(os.path.relpath(path, folder)).as_posix() if os.path.isabs(path) else str(path)


def _map_paths(frame: pd.DataFrame, table: str, change: Callable[[str], str]) -> pd.DataFrame:
    named = [name for name in PATH_COLUMNS.get(table, ()) if name in frame]
    columns = [name for name in named if not frame[name].isna().all()]
    changed = {}
    for name in columns:
        numbers, paths = number_names(frame[name].astype("str"))
        own = pa.array([change(path) for path in paths.to_pylist()], pa.large_string())
        text = own.take(pa.array(numbers, mask=numbers < 0))
        changed[name] = pd.Series(text.to_pandas(), dtype="str").set_axis(frame.index)
    return frame.assign(**changed)
