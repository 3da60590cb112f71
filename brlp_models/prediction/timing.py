"""How long predicting takes on this machine, from one draw made of noise."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.model.model import BrlpModel
from brlp_models.model.precision import autocast
from brlp_models.model.sampling import sample_latents
from brlp_models.prediction.settings import Samples
from brlp_models.scans.grid import Grid
from brlp_models.scans.segmentation import choose_segmenter
from cohorts.images import ImageError, read_grid

_PREPROCESSING: Final = 20.0
"""Seconds of bias field, registration, brain mask of one scan on one core."""

_SYNTHSEG: Final = 60.0
"""Seconds of `mri_synthseg`, for models without a segmenter of their own."""

_AUTO_DRAWS: Final = 8
"""Draws that `auto` often ends with."""


def estimate_preprocessing(config: ModelConfig, images: Sequence[Path]) -> float:
    """Return the seconds of preprocessing those of `images` that are not on the model's grid."""
    return sum(not is_on_grid(path, config) for path in images) * _PREPROCESSING


def measure_segmenting(model: BrlpModel) -> float:
    """Return the seconds of segmenting one scan."""
    if model.config.segmenter is None:
        return _SYNTHSEG
    segmenter, image = choose_segmenter(model), torch.rand(1, 1, *model.config.shape)
    seconds, _ = _time(lambda: segmenter.measure(image, ["noise"]))
    return seconds


def measure_person(model: BrlpModel, *, n_horizons: int, samples: Samples) -> float:
    """Return the seconds of one person whose scan is on the model's grid.

    One scan is encoded, denoised by one step, decoded and segmented; what a person needs of each
    is counted from the horizons, the draws and the steps.
    """
    config = model.config
    encoding, latent = _time(lambda: model.encode(torch.rand(1, 1, *config.shape)))
    denoising, drawn = _time(lambda: _denoise_once(model, latent))
    reading, _ = _time(lambda: _read(model, drawn))
    with autocast(model.precision, model.device):
        reading_draw, _ = _time(lambda: _read(model, drawn))
    elsewhere = 0.0 if config.segmenter is not None else _SYNTHSEG
    draws = _AUTO_DRAWS if samples == "auto" else samples
    draw = config.num_inference_steps * denoising + reading_draw + elsewhere
    return encoding + (1 + n_horizons) * (reading + elsewhere) + n_horizons * draws * draw


def is_on_grid(path: Path, config: ModelConfig) -> bool:
    """Say whether a scan, by its header, needs no preprocessing; an unreadable one does."""
    try:
        return Grid(*read_grid(path)) == Grid.of_config(config)
    except (ImageError, ModelError):
        return False


def _read(model: BrlpModel, latent: torch.Tensor) -> None:
    """Decode, show and measure one latent, as a prediction does."""
    decoded = model.decode(latent)
    model.render(decoded, scan=decoded[0], reconstruction=decoded[0])
    if model.config.segmenter is not None:
        choose_segmenter(model).measure(decoded, ["noise"])


def _denoise_once(model: BrlpModel, latent: torch.Tensor) -> torch.Tensor:
    config = model.config
    return sample_latents(
        model,
        latent,
        torch.tensor([70.0]),
        torch.zeros(1, 1, len(config.context)),
        torch.randn(1, config.latent_channels, *config.padded_latent_shape),
        1,
        config.sampler,
    )


def _time(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
