"""Files that are whole or absent."""

import os
import tempfile
from pathlib import Path

from reports.errors import ReportError


def write_atomically(path: Path, content: bytes) -> Path:
    """Write `content` to `path`; until the last moment the old file stays as it was.

    Raises
    ------
    ReportError
        If the folder cannot be written, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(_usual_mode(path))
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        kept = " The file that was there is unchanged." if path.is_file() else ""
        raise ReportError(
            f"{path} could not be written: {error.strerror or error}.{kept}"
        ) from error
    return path


def _usual_mode(path: Path) -> int:
    if path.is_file():
        return path.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
