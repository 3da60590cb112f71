"""What a command does, for a log: steps, runs, counts and times, never people or their data."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
ROOMS = ("cohorts", "brlp_models", "reports", "trialsim")


class JsonLines(logging.Formatter):
    """One JSON object a line: `time` (UTC), `level`, `logger`, `message`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        content = {
            "time": time,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(content)


def start_logging(*, verbose: bool, file: Path | None, as_json: bool) -> None:
    """Send what the rooms log to stderr (`verbose`) or to the end of `file`; else warnings alone.

    Raises
    ------
    OSError
        Where the file cannot be written.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler()] if verbose else []
    if file is not None:
        handlers.append(logging.FileHandler(file, encoding="utf-8"))
    formatter = JsonLines() if as_json else logging.Formatter(_FORMAT)
    for handler in handlers:
        handler.setFormatter(formatter)
    for room in ROOMS:
        logger = logging.getLogger(room)
        for old in logger.handlers:
            old.close()
        logger.handlers = list(handlers)
        logger.setLevel(logging.INFO if handlers else logging.WARNING)
