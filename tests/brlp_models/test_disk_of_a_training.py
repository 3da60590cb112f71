"""What a training keeps on disk, where there is no room for it."""

import errno
import os
import resource
from pathlib import Path

import numpy as np
import pytest
import torch

from brlp_models.training.banks.latents import write_arrays
from brlp_models.training.banks.scan_bank import BankWriter
from brlp_models.training.banks.volumes import make_stack
from brlp_models.training.checkpoint import CHECKPOINT, read_checkpoint, write_checkpoint
from cohorts.errors import StorageError


def test_a_stack_has_its_room_before_it_is_filled(tmp_path: Path) -> None:
    stack = make_stack(tmp_path / "stack.npy", (4, 64, 64, 64), np.uint8)
    assert not stack.any()
    assert 512 * (tmp_path / "stack.npy").stat().st_blocks >= stack.nbytes


def test_a_full_disk_is_told_before_the_first_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", find_no_room)
    with pytest.raises(StorageError, match=r"images.npy could not be written: No space left"):
        BankWriter(tmp_path / "bank", 4, (8, 8, 8), {})
    with pytest.raises(StorageError, match=r"latents.npy could not be written: No space left"):
        write_arrays(tmp_path / "latents.npy", [np.zeros(3)], 1, np.float16, print)
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert left == ["bank.json"]


def test_a_checkpoint_that_finds_no_room_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    write_checkpoint(path, {"step": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(
            StorageError, match=r"could not be written .* checkpoint before is kept"
        ):
            write_checkpoint(path, {"step": 2, "weights": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert read_checkpoint(path) == {"step": 1}
    assert [left.name for left in tmp_path.iterdir()] == [CHECKPOINT]
