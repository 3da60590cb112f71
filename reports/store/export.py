"""Tables of a study as files that other programs read."""

import json
from pathlib import Path
from typing import Any, Final, Literal

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
    names = [*study.tables()["table_name"], "runs"]
    dictionary: dict[str, Any] = {}
    with write_folder(folder) as partial:
        # one table at a time: those of a million people do not fit beside each other
        for name in names:
            frame = study.runs() if name == "runs" else study.read(name)
            write_table(frame, partial / f"{name}.{file_format}")
            dictionary |= describe_tables({name: frame})
            del frame
        (partial / f"{DICTIONARY}.json").write_text(json.dumps(dictionary, indent=2) + "\n")
        (partial / f"{DICTIONARY}.md").write_text(format_dictionary(dictionary))
    files = (*(f"{name}.{file_format}" for name in names), f"{DICTIONARY}.json", f"{DICTIONARY}.md")
    return [folder / name for name in files]
