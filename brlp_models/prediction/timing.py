"""How long predicting takes on this machine, counted from a model's configuration.

No network is loaded: multiplications are counted from the channels of each level, and the machine
is timed by one product of matrices. Counts leave out attention and whatever multiplies little, so
that an estimate may be half or twice the time.
"""

import math
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.scans.grid import Grid
from cohorts.images import ImageError, read_grid

_PREPROCESSING: Final = 20.0
"""Seconds of bias field, registration, brain mask of one scan on one core."""

_SYNTHSEG: Final = 60.0
"""Seconds of `mri_synthseg`, for models without a segmenter of their own."""

_AUTO_DRAWS: Final = 8
"""Draws that `auto` often ends with."""

_EFFICIENCY: Final = 0.4
"""Multiplications a second of BrLP-mini's convolutions, as a share of a product of matrices'."""

_STEP: Final = 0.2
"""Seconds of a denoising step beside its multiplications, on one core."""

_GPU: Final = 100.0
"""How many times as fast as this machine's processor a GPU is taken to be."""

_KERNEL: Final = 27
"""Voxels of a convolution's kernel."""


def estimate_preprocessing(config: ModelConfig, images: Sequence[Path]) -> float:
    """Return the seconds of preprocessing those of `images` that are not on the model's grid."""
    return sum(not is_on_grid(path, config) for path in images) * _PREPROCESSING


def estimate_segmenting(config: ModelConfig, *, device: str = "cpu") -> float:
    """Return the seconds of segmenting one scan."""
    if config.segmenter is None:
        return _SYNTHSEG
    return _count_image_network(config.segmenter.args, config) / _measure_rate(device)


def estimate_person(
    config: ModelConfig,
    *,
    n_horizons: int,
    samples: int | str,
    num_inference_steps: int | None = None,
    save_images: bool = True,
    device: str = "cpu",
) -> float:
    """Return the seconds of one person whose scan is on the model's grid.

    Parameters
    ----------
    config
        Of the model.
    n_horizons
        Times at which the person is predicted.
    samples
        Draws at each, or "auto".
    num_inference_steps
        Denoising steps of a draw; the model's own when None.
    save_images
        Whether scans are rendered.
    device
        Where the networks are: "cpu", "cuda".
    """
    rate, steps = _measure_rate(device), num_inference_steps or config.num_inference_steps
    encoding, decoding = (_count_autoencoder(config, side) / rate for side in ("in", "out"))
    reading = decoding + estimate_segmenting(config, device=device)
    if save_images and config.refiner is not None:
        reading += _count_image_network(config.refiner.args, config) / rate
    step = _count_step(config) / rate + _STEP
    draws = _AUTO_DRAWS if samples == "auto" else int(samples)
    # one draw is its own mean, which is read once
    n_read = 1 + n_horizons * (1 + draws if draws > 1 else 1)
    return encoding + n_read * reading + n_horizons * draws * steps * step


def is_on_grid(path: Path, config: ModelConfig) -> bool:
    """Say whether a scan, by its header, needs no preprocessing; an unreadable one does."""
    try:
        return Grid(*read_grid(path)) == Grid.of_config(config)
    except (ImageError, ModelError):
        return False


def _count_autoencoder(config: ModelConfig, side: str) -> float:
    """Count the multiplications of encoding, or of decoding, which convolves what it enlarges."""
    channels: list[int] = config.autoencoder["channels"]
    blocks = _as_list(config.autoencoder["num_res_blocks"], len(channels))
    voxels = math.prod(config.shape)
    total = 0.0
    for level, (width, n_blocks) in enumerate(zip(channels, blocks, strict=True)):
        coarser = channels[min(level + 1, len(channels) - 1)]
        enlarging = coarser**2 if side == "out" else 0
        total += (2 * n_blocks * width**2 + enlarging) * voxels / 8**level
    return _KERNEL * total


def _count_step(config: ModelConfig) -> float:
    """Count the multiplications of UNet and ControlNet for one latent."""
    channels: list[int] = config.unet["channels"]
    blocks = _as_list(config.unet["num_res_blocks"], len(channels))
    voxels, total = math.prod(config.padded_latent_shape), 0.0
    for level, (width, n_blocks) in enumerate(zip(channels, blocks, strict=True)):
        # two convolutions a block on the way down, which the ControlNet repeats; on the way up
        # there is one block more, whose first convolution takes twice the channels
        convolutions = 2 * 2 * n_blocks + 3 * (n_blocks + 1)
        total += convolutions * width**2 * voxels / 8**level
    return _KERNEL * total


def _count_image_network(args: Mapping[str, Any], config: ModelConfig) -> float:
    """Count the multiplications of a segmenter or refiner, by the widths of its levels."""
    first = args.get("init_filters", 32)
    default = [first, 2 * first, 4 * first, 8 * first]
    widths = args.get("channels") or args.get("features") or args.get("filters") or default
    strides = args.get("strides") or [1] + [2] * (len(widths) - 1)
    total, voxels = 0.0, float(math.prod(config.shape))
    for level, width in enumerate(widths):
        stride = _as_list(strides[level], 3) if level < len(strides) else [1]
        voxels /= math.prod(stride) if len(stride) == 3 else 1
        total += 4.0 * width**2 * voxels
    return _KERNEL * total


def _as_list(value: Any, length: int) -> list[int]:
    return list(value) if isinstance(value, list | tuple) else [value] * length


@cache
def _measure_rate(device: str) -> float:
    """Return the multiplications a second that convolutions reach in one thread here."""
    size, best = 512, math.inf
    matrix = np.ones((size, size), dtype=np.float32)
    with threadpool_limits(1):
        for _ in range(3):
            start = time.perf_counter()
            _ = matrix @ matrix
            best = min(best, time.perf_counter() - start)
    rate = _EFFICIENCY * size**3 / best
    return rate if device == "cpu" else _GPU * rate
