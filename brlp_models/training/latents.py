"""Latents of a bank's scans, encoded once for the diffusion stages."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator

from brlp_models.model import BrlpModel
from brlp_models.training.banks import Bank

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
    n = len(bank.images)
    partial = path.with_suffix(".partial.npy")
    shape = (n, model.config.latent_channels, *model.config.latent_shape)
    latents = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float16, shape=shape)
    for row, scan in enumerate(bank.images):
        image = torch.from_numpy(scan.astype(np.float32) / 255)[None, None]
        with accelerator.autocast():
            latents[row] = model.encode(image)[0].cpu().numpy()
        report(row)
    latents.flush()
    partial.replace(path)


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
        Gets an array (rows, *shape), 0 to 255; written whole or not at all.
    accelerator
        Says with which precision.
    report
        Called with each finished row's number.
    """
    partial = path.with_suffix(".partial.npy")
    shape = (len(latents), *model.config.shape)
    scans = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
    for row, latent in enumerate(latents):
        with accelerator.autocast():
            decoded = model.decode(torch.from_numpy(latent.astype(np.float32))[None])
        scans[row] = (decoded[0, 0].clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
        report(row)
    scans.flush()
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
