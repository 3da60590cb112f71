"""Latents of a bank's scans, encoded once for the diffusion stages."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from torch import nn

from brlp_models.model import BrlpModel
from brlp_models.training.banks import Bank

Latents = npt.NDArray[np.float16]
"""Cached latents by bank row, (rows, C, *latent_shape), unscaled."""


def write_latents(model: BrlpModel, bank: Bank, path: Path, *, batch_size: int = 4) -> None:
    """Encode every scan of a bank's folder.

    Parameters
    ----------
    model
        Its autoencoder encodes; latents are posterior means.
    bank
        With images.
    path
        Gets an array (rows, C, *latent_shape), half precision; written whole or not at all.
    batch_size
        Scans encoded at once.
    """
    n = len(bank.images)
    partial = path.with_suffix(".partial.npy")
    shape = (n, model.config.latent_channels, *model.config.latent_shape)
    latents = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float16, shape=shape)
    for start in range(0, n, batch_size):
        scans = bank.images[start : start + batch_size].astype(np.float32) / 255
        encoded = model.encode(torch.from_numpy(scans)[:, None])
        latents[start : start + batch_size] = encoded.cpu().numpy()
    latents.flush()
    partial.replace(path)


def write_decoded(
    autoencoder: nn.Module, latents: Latents, path: Path, accelerator: Accelerator
) -> None:
    """Decode every cached latent.

    Parameters
    ----------
    autoencoder
        Decodes.
    latents
        As cached.
    path
        Gets an array (rows, *shape), 0 to 255; written whole or not at all.
    accelerator
        Says where, and with which precision.
    """
    network: Any = autoencoder.to(accelerator.device)
    partial = path.with_suffix(".partial.npy")
    scans: npt.NDArray[np.uint8] | None = None
    for row, latent in enumerate(latents):
        wanted = torch.from_numpy(latent.astype(np.float32))[None].to(accelerator.device)
        with torch.inference_mode(), accelerator.autocast():
            # channels last halves the time on the CPU
            decoded = network.decode(wanted.to(memory_format=torch.channels_last_3d))
        scan = (decoded[0, 0].float().clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
        if scans is None:
            scans = np.lib.format.open_memmap(
                partial, mode="w+", dtype=np.uint8, shape=(len(latents), *scan.shape)
            )
        scans[row] = scan
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
