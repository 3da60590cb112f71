"""Preprocessed scans of people, stacked for training."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brlp_models.errors import ModelError
from brlp_models.training.banks.volumes import DESCRIPTION, make_stack
from cohorts.files.atomic import write_file, write_file_with


class BankWriter:
    """Adds scans to a bank's folder one by one; an interrupted bank goes on where it stopped.

    Parameters
    ----------
    folder
        Gets `images.npy` (rows, channels, *shape; 0 to 255), `labels.npy` (rows, *shape; tissue
        indices) and, at the end, `index.csv`.
    n_rows
        Scans that the bank will hold.
    shape
        Of each.
    n_channels
        Of each.
    description
        What the bank is made of; a folder begun with another one is refused.
    """

    def __init__(
        self,
        folder: Path,
        n_rows: int,
        shape: Sequence[int],
        description: Mapping[str, Any],
        *,
        n_channels: int = 1,
    ) -> None:
        self._folder, self._rows = folder, folder / "rows.jsonl"
        text = json.dumps(dict(description), sort_keys=True)
        note = folder / DESCRIPTION
        if note.exists() and note.read_text(encoding="utf-8") != text:
            raise ModelError(
                f"{folder} holds training volumes of other settings; choose another folder or "
                "delete it."
            )
        write_file(note, text.encode())
        self._images = _open(folder / "images.npy", (n_rows, n_channels, *shape))
        self._labels = _open(folder / "labels.npy", (n_rows, *shape))
        # without the half row that a killed process may have left
        write_file(self._rows, "".join(json.dumps(row) + "\n" for row in self.read_rows()).encode())

    def read_rows(self) -> list[dict[str, Any]]:
        """Return what is written already."""
        if not self._rows.exists():
            return []
        lines = self._rows.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def add(
        self,
        scans: Sequence[tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]] | None],
        rows: Sequence[Mapping[str, Any]],
    ) -> None:
        """Write all scans (channels, *shape) of one person, with what is known (`row` among it).

        None stands for a visit without a scan.
        """
        for scan, row in zip(scans, rows, strict=True):
            if scan is not None:
                image, tissues = scan
                self._images[row["row"]] = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
                self._labels[row["row"]] = tissues
        self._images.flush()
        self._labels.flush()
        with self._rows.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(dict(row)) + "\n" for row in rows)

    def finish(self) -> pd.DataFrame:
        """Write `index.csv` and return it."""
        index = pd.DataFrame(self.read_rows()).sort_values("row", ignore_index=True)
        write_file(self._folder / "index.csv", index.to_csv(index=False).encode())
        return index


def _open(path: Path, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[np.uint8]]":
    """Return the stack at `path` for writing; make it, as a whole, where there is none."""
    if not path.exists():
        write_file_with(path, lambda partial: make_stack(partial, shape, np.uint8).flush())
    return np.lib.format.open_memmap(path, mode="r+")
