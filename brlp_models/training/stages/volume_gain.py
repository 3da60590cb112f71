"""How much of a region's true change a predicted scan shows."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from brlp_models.model.config import ModelConfig
from brlp_models.model.model import BrlpModel
from brlp_models.scans.segmentation import NetworkSegmenter, Volumes
from brlp_models.training.banks.pairs import VisitPairs, build_visit_pairs
from brlp_models.training.banks.predicted_visits import draw_later_latents
from brlp_models.training.banks.volumes import Bank

_N_PAIRS = 24
_LEAST_GAIN = 0.3

Floats = npt.NDArray[np.float64]


def measure_volume_gain(
    config: ModelConfig,
    networks: Mapping[str, nn.Module],
    bank: Bank,
    *,
    seed: int,
) -> dict[str, float]:
    """Return, for each region, the slope of the predicted on the true relative change.

    The follow-ups of training people are predicted with their true volumes in the context, decoded
    and segmented. Where a hippocampus that lost 10 % is shown with a loss of 6 %, the gain is 0.6.
    The slope is that of least squares through the origin.

    Parameters
    ----------
    config, networks
        The model's.
    bank
        Its index has the volumes (mm3, in MNI space) without measurement error, which would make
        the slope too small.
    seed
        Of the draws, one a pair.

    Returns
    -------
    dict
        Gain by region, at least 0.3, since dividing by less would enlarge noise; regions that the
        index or the segmenter lacks are left out.
    """
    model = BrlpModel(config, dict(networks))
    pairs = build_visit_pairs(bank.index, config)
    chosen = np.arange(0, len(pairs), max(1, len(pairs) // _N_PAIRS))
    shown = [_predict_change(model, bank, pairs, int(k), seed) for k in chosen]
    return {
        region: max(_LEAST_GAIN, _fit_slope(_find_true(bank, pairs.rows[chosen], region), found))
        for region in config.regions
        if f"{region}_mm3" in bank.index
        and not np.isnan(found := np.array([c.get(region, np.nan) for c in shown])).any()
    }


def _predict_change(
    model: BrlpModel, bank: Bank, pairs: VisitPairs, pair: int, seed: int
) -> dict[str, float]:
    """Return the relative change of each region in the predicted follow-up of one pair."""
    scan = torch.from_numpy(bank.images[pairs.rows[[pair], 0]].astype(np.float32) / 255)
    before = model.encode(scan)
    after = draw_later_latents(model, before, pairs, pair, seed=seed)
    decoded = model.decode(torch.cat([before, after]))
    first, later = NetworkSegmenter(model).measure(decoded.clamp(0, 1), ["before", "after"])
    return {region: _divide(later, first, region) - 1 for region in first}


def _divide(after: Volumes, before: Volumes, region: str) -> float:
    return after[region] / before[region] if before[region] > 0 else float("nan")


def _find_true(bank: Bank, rows: npt.NDArray[np.int64], region: str) -> Floats:
    volumes = bank.index[f"{region}_mm3"]
    first, later = (volumes.loc[list(rows[:, k])].to_numpy(float) for k in (0, 1))
    return np.asarray(later / first - 1, dtype=float)


def _fit_slope(true: Floats, found: Floats) -> float:
    return float(true @ found / (true @ true))
