"""A study file of an older version, read without being changed."""

import shutil
import tempfile
import weakref
from pathlib import Path

from reports.errors import ReportError
from reports.store.database import open_for_writing
from reports.store.migrations import migrate


def copy_up_to_date(path: Path, owner: object) -> Path:
    """Return a copy of the file at `path` in the newest version, which goes with its owner.

    Parameters
    ----------
    path
        The study file.
    owner
        Whoever reads the copy; it is deleted when nobody holds the owner any more.

    Raises
    ------
    ReportError
        Where there is no place for a copy.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="trialsim-"))
        weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
        copy = folder / path.name
        shutil.copyfile(path, copy)
    except OSError as error:
        raise ReportError(
            f"The study {path} is of an older version, and there is no place for a copy to read it "
            f"from: {error.strerror or error}."
        ) from error
    with open_for_writing(copy) as connection:
        migrate(connection)
    return copy
