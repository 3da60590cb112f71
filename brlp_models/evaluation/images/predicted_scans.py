"""Predicted scans on the model's grid, kept beside their predictions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from brlp_models.prediction.draws import PersonAtHorizon, format_months
from cohorts.files.atomic import write_file_with

_STORED = {"image": np.float16, "voxel_sd": np.float16, "latent": np.float32, "start": np.float32}


@dataclass(frozen=True)
class PredictedScan:
    """One person's scan at one horizon.

    Parameters
    ----------
    image
        The decoded mean latent (channels, *shape), 0 to 1.
    voxel_sd
        Of each voxel (`DrawSummary.compute_voxel_sd`); same shape.
    latent, start
        The mean latent and the latent of the starting scan (C, *latent_shape).
    global_uncertainty
        Mean sd of the latent over draws.
    seconds
        What the prediction took.
    """

    image: Tensor
    voxel_sd: Tensor
    latent: npt.NDArray[np.float32]
    start: npt.NDArray[np.float32]
    global_uncertainty: float
    seconds: float


@dataclass
class PredictedScans:
    """A folder of predicted scans; `keep` is told of each finished person."""

    folder: Path
    _last: float = field(default_factory=perf_counter)

    def keep(
        self,
        targets: Sequence[PersonAtHorizon],
        scans: Sequence[Tensor],
        sds: Sequence[Tensor],
    ) -> None:
        """Write a person's scans and their sds, one for each horizon."""
        now = perf_counter()
        seconds, self._last = (now - self._last) / len(targets), now
        self.folder.mkdir(parents=True, exist_ok=True)
        for target, scan, sd in zip(targets, scans, sds, strict=True):
            content = {
                "image": scan,
                "voxel_sd": sd,
                "latent": target.draws.latents.mean,
                "start": target.person.latent,
            }
            arrays: dict[str, Any] = {
                name: np.asarray(content[name], kind) for name, kind in _STORED.items()
            }
            save = partial(
                np.savez_compressed,
                **arrays,
                global_uncertainty=target.draws.global_uncertainty,
                seconds=seconds,
            )
            write_file_with(self._path(target.person.participant_id, target.horizon_months), save)

    def find(self, participant_id: str, horizon_months: float) -> PredictedScan | None:
        """Return a scan, or None where the person could not be predicted."""
        path = self._path(participant_id, horizon_months)
        if not path.is_file():
            return None
        with np.load(path) as content:
            return PredictedScan(
                torch.from_numpy(content["image"].astype(np.float32)),
                torch.from_numpy(content["voxel_sd"].astype(np.float32)),
                content["latent"],
                content["start"],
                float(content["global_uncertainty"]),
                float(content["seconds"]),
            )

    def _path(self, participant_id: str, horizon_months: float) -> Path:
        name = f"{quote(participant_id, safe='')}_month-{format_months(horizon_months)}"
        return self.folder / f"{name}.npz"
