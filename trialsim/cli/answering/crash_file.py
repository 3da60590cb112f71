"""What a fault of this program leaves behind: where it was, not what the data were."""

import os
import platform
import tempfile
import traceback
from datetime import UTC, datetime

from trialsim import __version__


def write_crash_file(error: BaseException) -> str | None:
    """Write where `error` arose, and return the file's path; None where no file can be written.

    The file has types, files, lines and versions. It has no messages, arguments or values, which
    may hold a person's data.
    """
    frames = traceback.extract_tb(error.__traceback__)
    lines = [
        f"trialsim {__version__}, Python {platform.python_version()}, {platform.system()}",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        *(f"{type(cause).__module__}.{type(cause).__name__}" for cause in _list_causes(error)),
        *(f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames),
    ]
    try:
        handle, path = tempfile.mkstemp(prefix="trialsim-crash-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    except OSError:
        return None
    return path


def _list_causes(error: BaseException | None) -> list[BaseException]:
    return [] if error is None else [error, *_list_causes(error.__cause__)]
