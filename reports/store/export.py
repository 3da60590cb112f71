"""Tables of a study as files that other programs read."""

import json
from pathlib import Path
from typing import Final, Literal

from cohorts.dictionary import describe_tables, format_dictionary
from cohorts.files.atomic import write_folder
from cohorts.files.table_files import write_table
from reports.store.study import Study

DICTIONARY: Final = "data_dictionary"


def write_study_tables(
    study: Study, folder: Path, *, file_format: Literal["parquet", "csv"] = "parquet"
) -> list[Path]:
    """Write what `study.read` gives for every table, with the runs, into `folder`.

    The data dictionary lies beside them, as JSON and as Markdown.

    Returns
    -------
    list of pathlib.Path
        The files written: one a table, then the dictionary.

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
        dictionary = describe_tables(frames)
        (partial / f"{DICTIONARY}.json").write_text(json.dumps(dictionary, indent=2) + "\n")
        (partial / f"{DICTIONARY}.md").write_text(format_dictionary(dictionary))
    return [folder / name for name in (*names, f"{DICTIONARY}.json", f"{DICTIONARY}.md")]
