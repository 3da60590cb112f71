"""How near predicted scans come to the scans of later visits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.metrics.regression import compute_ssim_and_cs
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional

from brlp_models.evaluation.images.predicted_scans import PredictedScan, PredictedScans
from brlp_models.evaluation.images.scans_on_grid import VisitImage
from brlp_models.evaluation.methods import CARRY_FORWARD, MODEL

Sessions = Mapping[tuple[str, float], str]
"""The session that shows what came later, by participant and horizon."""

FindNoiseless = Callable[[str, str], Tensor | None]
"""Returns the scan without noise of a participant and session, where it is known."""

_WINDOW, _SIGMA = 11, 1.5
"""Of Wang et al. 2004, in voxels."""

_WIDENED, _SMOOTHED = 2, 2.0
"""Voxels."""


def measure_images(
    visits: Sequence[VisitImage],
    predicted: PredictedScans,
    sessions: Sessions,
    *,
    find_noiseless: FindNoiseless = lambda *_: None,
) -> Iterator[dict[str, Any]]:
    """Yield one person's errors of predicted scans, and of the baseline scan carried forward.

    Parameters
    ----------
    visits
        One person's, the baseline first; without a baseline scan nothing is measured.
    predicted
        Of the same model.
    sessions
        Which visits are predicted.
    find_noiseless
        Gives the T1w of a visit in the bias field and contrast of the baseline scan, without noise.

    Yields
    ------
    dict
        `participant_id`, `horizon_months`, `method`, `mse` and `ssim` within the brain of the later
        scan; of the model also `voxel_spearman` (uncertainty with absolute error, over the brain's
        voxels), `voxel_spearman_smoothed` (both after a Gaussian of two voxels, over the brain
        widened by two voxels: noise of the later scan, which nobody can predict, drowns the
        former) and `global_uncertainty`; `voxel_spearman_noiseless` and
        `voxel_spearman_noiseless_smoothed`, the same two with the error against the T1w without
        noise, where that is known, and `voxel_spearman_own_noise` and
        `voxel_spearman_own_noise_smoothed` against that with the noise of the baseline scan: a
        predicted scan keeps it, and no uncertainty can tell where it is. Where follow-ups without
        noise are known also `rms_sd`, of the uncertainty, and `rms_error_noiseless` and
        `rms_error_own_noise`, of these errors, over the brain's voxels: an uncertainty of the right
        size has the size of the error.
    """
    later = {visit.session_id: visit.image for visit in visits}
    name, start = visits[0].participant_id, visits[0]
    for (person, horizon), session in sessions.items():
        found = predicted.find(person, horizon) if person == name else None
        if found is None or session not in later or start.months != 0:
            continue
        true = later[session]
        key = {"participant_id": person, "horizon_months": horizon}
        yield {**key, "method": CARRY_FORWARD, **compare_images(start.image, true)}
        row = {
            **key,
            "method": MODEL,
            **compare_images(found.image, true),
            **_relate_voxels(found, true, "voxel_spearman"),
            "global_uncertainty": found.global_uncertainty,
        }
        noiseless = find_noiseless(name, session)
        if noiseless is not None:
            t1w = replace(found, image=found.image[:1], voxel_sd=found.voxel_sd[:1])
            row |= _relate_voxels(t1w, noiseless, "voxel_spearman_noiseless")
            brain = noiseless > 0
            row["rms_sd"] = compute_rms(t1w.voxel_sd[brain])
            row["rms_error_noiseless"] = compute_rms((t1w.image - noiseless)[brain])
            first = find_noiseless(name, start.session_id)
            if first is not None:
                noise = (start.image[:1] - first) * brain
                row |= _relate_voxels(t1w, noiseless + noise, "voxel_spearman_own_noise")
                error = t1w.image - noiseless - noise
                row["rms_error_own_noise"] = compute_rms(error[brain])
        yield row


def compare_images(image: Tensor, true: Tensor) -> dict[str, float]:
    """Return `mse` and `ssim` of scans (channels, *shape) within the brain of the true one."""
    brain = true > 0
    squares = (image - true).square()[brain]
    return {
        "mse": float(squares.mean()),
        "ssim": float(compute_ssim_map(image, true)[brain].mean()),
    }


def compute_rms(values: Tensor) -> float:
    """Return the root of the mean square."""
    return float(values.square().mean().sqrt())


def compute_ssim_map(image: Tensor, true: Tensor) -> Tensor:
    """Return the structural similarity (Wang et al. 2004) at each voxel of (channels, *shape)."""
    margin = [_WINDOW // 2] * 6
    first, second = (functional.pad(scan, margin)[None] for scan in (image, true))
    ssim, _ = compute_ssim_and_cs(first, second, 3, [_WINDOW] * 3, [_SIGMA] * 3)
    return torch.as_tensor(ssim[0])


def _relate_voxels(found: PredictedScan, true: Tensor, name: str) -> dict[str, float]:
    return {
        name: correlate_voxels(found.voxel_sd, found.image, true),
        f"{name}_smoothed": correlate_smoothed(found.voxel_sd, found.image, true),
    }


def correlate_voxels(voxel_sd: Tensor, image: Tensor, true: Tensor) -> float:
    """Return Spearman's correlation of uncertainty and absolute error over the brain's voxels."""
    brain = true > 0
    return _correlate(voxel_sd[brain].numpy(), (image - true).abs()[brain].numpy())


def correlate_smoothed(voxel_sd: Tensor, image: Tensor, true: Tensor) -> float:
    """Return the same of smoothed uncertainty and smoothed error of the T1w, in a widened brain."""
    brain = binary_dilation(true[0].numpy() > 0, iterations=_WIDENED)
    error = gaussian_filter((image - true)[0].numpy(), _SMOOTHED)
    sd = gaussian_filter(voxel_sd[0].numpy(), _SMOOTHED)
    return _correlate(sd[brain], np.abs(error)[brain])


def _correlate(sd: npt.NDArray[np.float32], error: npt.NDArray[np.float32]) -> float:
    if np.ptp(sd) == 0 or np.ptp(error) == 0:
        return float("nan")
    return float(spearmanr(sd, error).statistic)
