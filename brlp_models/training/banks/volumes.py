"""Volumes kept ready on disk, from which training cuts its crops."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brlp_models.errors import ModelError
from brlp_models.training.tissues import TISSUES

DESCRIPTION = "bank.json"
WITH_NOISELESS = "with_noiseless"
"""Of a bank's description: whether each scan's T1w without noise follows its channels."""


@dataclass(frozen=True)
class Bank:
    """A stack of volumes on one grid.

    Parameters
    ----------
    folder
        Holds `index.csv`, `labels.npy` (tissue indices) and, for scans, `images.npy` (channels of 0
        to 255; after them a scan without noise where `bank.json` says so).
    rows
        The rows of this split.
    """

    folder: Path
    rows: npt.NDArray[np.int64]
    _focus: dict[int, npt.NDArray[np.int64]] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, folder: Path, *, split: str | None = None) -> "Bank":
        """Open a bank, or the rows of one split of it.

        Raises
        ------
        ModelError
            Where the folder holds no bank, or no rows of the split.
        """
        index = folder / "index.csv"
        if not index.is_file():
            raise ModelError(f"{folder} holds no training volumes (no index.csv).")
        table = pd.read_csv(index)
        if split is not None:
            table = table[table["split"] == split]
        if table.empty:
            raise ModelError(f"{index} has no rows of the split {split!r}.")
        return cls(folder, table["row"].to_numpy(dtype=np.int64))

    @cached_property
    def index(self) -> pd.DataFrame:
        """What is known of each row of this split."""
        table = pd.read_csv(self.folder / "index.csv").set_index("row")
        return table.loc[self.rows]

    @cached_property
    def labels(self) -> npt.NDArray[np.uint8]:
        """Tissue indices of all rows, mapped from disk."""
        return _open(self.folder / "labels.npy")

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """Scans of all rows, (rows, channels, *shape), mapped from disk."""
        return self._layers[:, :-1] if self.has_noiseless else self._layers

    @property
    def noiseless(self) -> npt.NDArray[np.uint8]:
        """T1w scans of all rows without noise, (rows, *shape), of a bank that has them."""
        return self._layers[:, -1]

    @cached_property
    def has_noiseless(self) -> bool:
        """Whether scans without noise are kept beside the others."""
        return bool(read_bank_description(self.folder).get(WITH_NOISELESS))

    @cached_property
    def _layers(self) -> npt.NDArray[np.uint8]:
        return read_scans(self.folder / "images.npy")

    def find_medial_temporal(self, row: int) -> npt.NDArray[np.int64]:
        """Return voxels (n, 3) of the hippocampi and amygdalae of a row."""
        if row not in self._focus:
            # every 16th voxel is enough to aim at
            self._focus[row] = np.argwhere(TISSUES.find_medial_temporal(self.labels[row]))[::16]
        return self._focus[row]


def read_bank_description(folder: Path) -> dict[str, Any]:
    """Return what a bank's folder was begun with; nothing where there is none."""
    note = folder / DESCRIPTION
    content: dict[str, Any] = json.loads(note.read_text("utf-8")) if note.is_file() else {}
    return content


def read_scans(path: Path) -> npt.NDArray[np.uint8]:
    """Return scans (rows, channels, *shape), 0 to 255, mapped from disk.

    Those of one channel may be kept without its axis.
    """
    scans = _open(path)
    return scans.reshape(len(scans), -1, *scans.shape[-3:])


def _open(path: Path) -> npt.NDArray[np.uint8]:
    volumes: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return volumes


def make_stack(
    path: Path, shape: Sequence[int], dtype: npt.DTypeLike
) -> "np.memmap[Any, np.dtype[Any]]":
    """Make a `.npy` file of zeros, mapped for writing, all of it with room on the disk.

    A mapped row that finds the disk full ends the process by a signal, without a word.

    Raises
    ------
    OSError
        Where the disk is too full for it.
    """
    stack = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=tuple(shape))
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    return stack
