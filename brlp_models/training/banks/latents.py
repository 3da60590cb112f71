"""Latents of a bank's scans, encoded once for the diffusion stages."""

from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator

from brlp_models.model.model import BrlpModel
from brlp_models.training.banks.volumes import Bank, make_stack
from cohorts.errors import StorageError

Latents = npt.NDArray[np.float16]
"""Cached latents by bank row, (rows, C, *latent_shape), unscaled."""


def write_latents(
    model: BrlpModel,
    bank: Bank,
    path: Path,
    accelerator: Accelerator,
    report: Callable[[int], None] = lambda _: None,
) -> None:
    """Encode every scan of a bank's folder.

    Parameters
    ----------
    model
        Its autoencoder encodes; latents are posterior means.
    bank
        With images.
    path
        Gets an array (rows, C, *latent_shape), half precision; written whole or not at all.
    accelerator
        Says with which precision.
    report
        Called with each finished row's number.
    """

    def encode(scan: npt.NDArray[np.uint8]) -> npt.NDArray[np.generic]:
        image = torch.from_numpy(scan.astype(np.float32) / 255)[None]
        with accelerator.autocast():
            return model.encode(image)[0].cpu().numpy()

    write_arrays(path, map(encode, bank.images), len(bank.images), np.float16, report)


def write_decoded(
    model: BrlpModel,
    latents: Latents,
    path: Path,
    accelerator: Accelerator,
    report: Callable[[int], None] = lambda _: None,
) -> None:
    """Decode every cached latent.

    Parameters
    ----------
    model
        Its autoencoder decodes.
    latents
        As cached.
    path
        Gets an array (rows, channels, *shape), 0 to 255; written whole or not at all.
    accelerator
        Says with which precision.
    report
        Called with each finished row's number.
    """

    def decode(latent: npt.NDArray[np.float16]) -> npt.NDArray[np.generic]:
        with accelerator.autocast():
            decoded = model.decode(torch.from_numpy(latent.astype(np.float32))[None])
        return (decoded[0].clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()

    write_arrays(path, map(decode, latents), len(latents), np.uint8, report)


def write_arrays(
    path: Path,
    rows: Iterable[npt.NDArray[np.generic]],
    n: int,
    dtype: npt.DTypeLike,
    report: Callable[[int], None],
) -> None:
    """Write arrays of one shape, as they come, into one file (n, *shape), whole or not at all.

    Parameters
    ----------
    path
        A `.npy` file.
    rows
        At least one.
    n
        How many they are.
    dtype
        That they are kept in.
    report
        Called with each finished row's number.

    Raises
    ------
    StorageError
        Where the disk is too full for it.
    """
    partial = path.with_suffix(".partial.npy")
    coming = iter(rows)
    first = next(coming)
    shape = (n, *first.shape)
    try:
        stack = make_stack(partial, shape, dtype)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(f"{path} could not be written: {error.strerror or error}.") from error
    for row, values in enumerate(chain([first], coming)):
        stack[row] = values
        report(row)
    stack.flush()
    partial.replace(path)


def read_latents(path: Path) -> Latents:
    """Return the cached latents, mapped from disk."""
    latents: Latents = np.load(path, mmap_mode="r")
    return latents


def compute_latent_scale(latents: Latents, rows: npt.NDArray[np.int64]) -> float:
    """Return 1 / sd over many latents (one alone, as published, differs between runs)."""
    chosen = rows[:: max(1, len(rows) // 32)]
    return float(1 / latents[chosen].astype(np.float32).std())


def compute_residual_scale(latents: Latents, pairs: npt.NDArray[np.int64]) -> float:
    """Return 1 / sd of follow-up minus baseline latents.

    Parameters
    ----------
    latents
        As cached.
    pairs
        (n, 2): rows of baseline and follow-up.
    """
    chosen = pairs[:: max(1, len(pairs) // 32)]
    baseline = latents[chosen[:, 0]].astype(np.float32)
    return float(1 / (latents[chosen[:, 1]].astype(np.float32) - baseline).std())
