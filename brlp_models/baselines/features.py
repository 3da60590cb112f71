"""What a reader sees of a scan: how bright it is where, all of it, or its latent."""

from typing import TYPE_CHECKING, Annotated, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from brlp_models.errors import ModelError

if TYPE_CHECKING:
    from brlp_models.model.model import BrlpModel

Features = npt.NDArray[np.float32]

_LEVELS: Final = 256
_WHITE_SHARE: Final = 0.9
"""The share of a brain's voxels that are darker than white matter is, on any T1w scan."""


class FeatureConfig(BaseModel):
    """How a scan becomes numbers.

    Parameters
    ----------
    kind
        `histograms`: in each cell of a coarse grid, how much of it is how bright, white matter
        being 1. `latents`: the latent of a model's autoencoder. `brightness`: every voxel, white
        matter being 1, for a network.
    n_bins, darkest, brightest
        Of the histograms; a voxel counts for the two bins that its brightness lies between.
    cell_voxels
        Edge of a cell.
    model_id
        Whose latents.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["histograms", "latents", "brightness"] = "histograms"
    n_bins: Annotated[int, Field(ge=2)] = 12
    darkest: float = 0.15
    brightest: float = 1.25
    cell_voxels: Annotated[int, Field(ge=1)] = 8
    model_id: str = ""


def describe_scan(
    image: npt.NDArray[np.uint8], config: FeatureConfig, model: "BrlpModel | None" = None
) -> Features:
    """Return the features of a scan, (features,); of `brightness` (1, *shape).

    Parameters
    ----------
    image
        On the model's grid, 0 to 255, background 0.
    config
        Which features.
    model
        Whose latents, where those are wanted.

    Raises
    ------
    ModelError
        Where latents of another model are wanted than that one's.
    """
    if config.kind == "histograms":
        return _count_brightness(image, config)
    if config.kind == "brightness":
        return (image / np.float32(_find_white(image)))[None].astype(np.float32)
    if model is None or model.model_id != config.model_id:
        got = "none" if model is None else model.model_id
        raise ModelError(f"Latents of the model {config.model_id} are needed, got {got}.")
    return _encode(image, model)


def _count_brightness(image: npt.NDArray[np.uint8], config: FeatureConfig) -> Features:
    centers = np.linspace(config.darkest, config.brightest, config.n_bins)
    levels = np.arange(_LEVELS)[:, None] / _find_white(image)
    away = np.abs(levels - centers) / (centers[1] - centers[0])
    shares = np.clip(1 - away, 0, 1).astype(np.float32)
    shares[0] = 0
    edge = config.cell_voxels
    # cells that reach beyond the grid end in background, which counts for no bin
    whole = np.pad(image, [(0, -n % edge) for n in image.shape])
    x, y, z = (n // edge for n in whole.shape)
    cells = shares[whole].reshape(x, edge, y, edge, z, edge, config.n_bins)
    return np.asarray(cells.sum(axis=(1, 3, 5)).ravel())


def _find_white(image: npt.NDArray[np.uint8]) -> int:
    """Return the brightness of white matter, 1 to 255."""
    darker = np.cumsum(np.bincount(image.ravel(), minlength=_LEVELS)[1:])
    return 1 + int(np.searchsorted(darker, _WHITE_SHARE * darker[-1]))


def _encode(image: npt.NDArray[np.uint8], model: "BrlpModel") -> Features:
    import torch

    bright = torch.from_numpy(image.astype(np.float32) / 255)[None, None]
    with torch.inference_mode():
        latent = model.encode(bright.to(model.device))
    return np.asarray(latent.float().cpu().numpy().ravel(), dtype=np.float32)
