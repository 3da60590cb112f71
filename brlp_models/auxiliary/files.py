"""Auxiliary models as JSON files; the `kind` in a file says which class reads it."""

import json
from pathlib import Path
from typing import Any

from brlp_models.auxiliary.course import ProgressionAuxiliary
from brlp_models.auxiliary.huber import HuberAuxiliary
from brlp_models.auxiliary.interface import AuxiliaryModel
from brlp_models.errors import ModelError
from cohorts.files.atomic import write_file


def write_auxiliary(model: AuxiliaryModel, path: Path | str) -> None:
    """Write an auxiliary model as JSON."""
    write_file(Path(path), (json.dumps(model.to_dict(), indent=1) + "\n").encode())


def load_auxiliary(path: Path | str) -> AuxiliaryModel:
    """Read an auxiliary model from JSON.

    Raises
    ------
    ModelError
        Where the file is not JSON, or holds no auxiliary model.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not a readable auxiliary model (JSON): {error}.") from error
    return parse_auxiliary(content, source=str(path))


def parse_auxiliary(content: Any, *, source: str = "the auxiliary model") -> AuxiliaryModel:
    """Build an auxiliary model from JSON content.

    Raises
    ------
    ModelError
        Where the content is no auxiliary model, or lacks a field.
    """
    kind = content.get("kind") if isinstance(content, dict) else None
    try:
        if kind == HuberAuxiliary.kind:
            return HuberAuxiliary.from_dict(content)
        if kind == ProgressionAuxiliary.kind:
            return ProgressionAuxiliary.from_dict(content)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"{source} is no complete auxiliary model: {error!r}.") from error
    raise ModelError(
        f"{source} is of the kind {kind!r}; an auxiliary model is "
        f"{HuberAuxiliary.kind!r} or {ProgressionAuxiliary.kind!r}."
    )
