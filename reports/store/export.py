"""Tables of a study as files that other programs read."""

from pathlib import Path
from typing import Literal

from cohorts.atomic import write_folder
from cohorts.table_files import write_table
from reports.store.study import Study


def write_study_tables(
    study: Study, folder: Path, *, file_format: Literal["parquet", "csv"] = "parquet"
) -> list[Path]:
    """Write what `study.read` gives for every table, with the runs, into `folder`.

    Returns
    -------
    list of pathlib.Path
        The files written, one a table.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """
    frames = {name: study.read(name) for name in study.tables()["table_name"]}
    frames["runs"] = study.runs()
    names = [f"{name}.{file_format}" for name in frames]
    with write_folder(folder) as partial:
        for name, frame in zip(names, frames.values(), strict=True):
            write_table(frame, partial / name)
    return [folder / name for name in names]
