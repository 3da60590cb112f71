"""What a baseline's unfinished training learns from, so that nothing else goes on from it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from brlp_models.errors import ModelError
from cohorts.files.atomic import write_file

ORIGIN: Final = "origin.json"


def keep_origin(folder: Path, origin: Mapping[str, Any]) -> None:
    """Write down what a folder's checkpoint learns from, or refuse it where that was another.

    Parameters
    ----------
    folder
        Of the checkpoint, which outlives the baseline that was made of it.
    origin
        What JSON can hold, by a name that a user knows; of people, `identify` alone.

    Raises
    ------
    ModelError
        Where it was begun with something else.
    """
    path = folder / ORIGIN
    # as it is read back
    wanted = json.loads(json.dumps(dict(origin)))
    if path.is_file():
        try:
            before = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(f"{path} cannot be read: {error}; delete {folder}.") from error
        names = dict.fromkeys([*before, *wanted])
        if others := [name for name in names if before.get(name) != wanted.get(name)]:
            raise ModelError(
                f"{folder} holds a training that was begun with other {', '.join(others)}; delete "
                "it to begin again, or choose another --out."
            )
    write_file(path, (json.dumps(wanted, indent=1) + "\n").encode())


def identify(names: Iterable[object]) -> str:
    """Return a checksum of people's ids, or of what is known of them, which names nobody."""
    return hashlib.sha256("\n".join(map(str, names)).encode()).hexdigest()
