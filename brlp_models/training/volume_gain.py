"""How much of a region's true change comes back from encoding, decoding and segmenting."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from brlp_models.model import BrlpModel
from brlp_models.model_config import ModelConfig
from brlp_models.segmentation import NetworkSegmenter, Volumes
from brlp_models.training.banks import Bank
from brlp_models.training.pairs import build_visit_pairs

N_PAIRS = 60
_LEAST_GAIN = 0.1


def measure_volume_gain(
    config: ModelConfig, networks: Mapping[str, nn.Module], bank: Bank, *, n_pairs: int = N_PAIRS
) -> dict[str, float]:
    """Return, for each region, the slope of the rendered on the true relative change.

    Of pairs of training visits the follow-up's own latent is decoded as a predicted one would be,
    and segmented. A follow-up whose hippocampus lost 10 % and is rendered with a loss of 6 % counts
    with a gain of 0.6. The slope is that of least squares through the origin.

    Parameters
    ----------
    config, networks
        The model's.
    bank
        Its index has the volumes (mm3, in MNI space) without measurement error, which would make
        the slope too small.
    n_pairs
        Pairs of visits, spread over the bank.

    Returns
    -------
    dict
        Gain by region; regions that the index or the segmenter lacks are left out.
    """
    model = BrlpModel(config, dict(networks))
    pairs = build_visit_pairs(bank.index, config).rows
    chosen = pairs[:: max(1, len(pairs) // n_pairs)]
    rendered = [_render(model, bank, int(first), int(later)) for first, later in chosen]
    return {
        region: max(_LEAST_GAIN, _fit_slope(_find_true(bank, chosen, region), found))
        for region in config.regions
        if f"{region}_mm3" in bank.index
        and not np.isnan(found := np.array([r.get(region, np.nan) for r in rendered])).any()
    }


def _render(model: BrlpModel, bank: Bank, first: int, later: int) -> dict[str, float]:
    """Return the relative change of each region between two visits, as a prediction shows it."""
    scans = torch.from_numpy(bank.images[[first, later]].astype(np.float32) / 255)[:, None]
    before, after = NetworkSegmenter(model).measure(_pass(model, scans), ["before", "after"])
    return {region: _divide(after, before, region) - 1 for region in before}


def _pass(model: BrlpModel, scans: Tensor) -> Tensor:
    decoded = model.decode(model.encode(scans)).cpu()
    if model.config.decoding == "difference":
        decoded = decoded + scans[:1] - decoded[:1]
    return decoded.clamp(0, 1)


def _divide(after: Volumes, before: Volumes, region: str) -> float:
    return after[region] / before[region] if before[region] > 0 else float("nan")


def _find_true(bank: Bank, chosen: np.ndarray, region: str) -> np.ndarray:
    volumes = bank.index[f"{region}_mm3"]
    first, later = (volumes.loc[chosen[:, k]].to_numpy(float) for k in (0, 1))
    return np.asarray(later / first - 1)


def _fit_slope(true: np.ndarray, found: np.ndarray) -> float:
    return float(true @ found / (true @ true))
