"""Checkpoints of a training stage: everything that the next step depends on."""

import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch

from brlp_models.errors import ModelError
from cohorts.errors import StorageError

CHECKPOINT, PREVIOUS, BEST = "checkpoint.pt", "checkpoint_before.pt", "checkpoint_best.pt"


def keep_checkpoint(folder: Path, state: dict[str, Any], *, is_best: bool) -> None:
    """Write the newest checkpoint, and keep the one before it and the one of the smallest loss."""
    newest = folder / CHECKPOINT
    if newest.exists():
        os.replace(_link(newest), folder / PREVIOUS)
    write_checkpoint(newest, state)
    if is_best:
        os.replace(_link(newest), folder / BEST)


def _link(path: Path) -> Path:
    """Return another name of a file, so that it is never absent while it takes a new place."""
    other = path.with_suffix(".link")
    other.unlink(missing_ok=True)
    try:
        os.link(path, other)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, other)
    return other


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` so that a crash leaves the old checkpoint or the new one, never half of one.

    Raises
    ------
    StorageError
        Where the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        torch.save(state, partial)
    except RuntimeError as error:
        # how PyTorch tells of a write that failed
        partial.unlink(missing_ok=True)
        free = shutil.disk_usage(path.parent).free
        raise StorageError(
            f"{path} could not be written ({free / 1e6:,.0f} MB are free there); the checkpoint "
            "before is kept, and the same command goes on from it."
        ) from error
    os.replace(partial, path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; nothing in it is executed.

    Raises
    ------
    ModelError
        Where the file is damaged or is not a checkpoint of `write_checkpoint`.
    """
    try:
        with warnings.catch_warnings():
            # a hint about the pickle's protocol, meant for PyTorch's developers
            warnings.simplefilter("ignore", UserWarning)
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:
        problem = f"cannot be read as a training checkpoint ({type(error).__name__})"
        raise ModelError(f"{path} {problem}; {_advise(path)}.") from error
    if not isinstance(state, dict) or "step" not in state:
        problem = "is not a training checkpoint: it holds no step"
        raise ModelError(f"{path} {problem}; {_advise(path)}.")
    return state


def _advise(path: Path) -> str:
    again = "delete it to train this stage again from its start"
    if not (path.parent / PREVIOUS).is_file():
        return again
    return f"put {PREVIOUS} beside it in its place to go on from the checkpoint before, or {again}"
