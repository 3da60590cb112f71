"""Linear extrapolation of a person's latents, after MRExtrap (arXiv 2508.19482)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd
import torch

from brlp_models.baselines.follow_up import FollowUp, ImageBaseline, ImageConfig, TimedScan
from brlp_models.errors import ModelError
from brlp_models.model.model import BrlpModel


@dataclass(frozen=True)
class LatentExtrapolation:
    """The latents of two visits on a straight line in time: z1 + (z1 - z0) (t - t1) / (t1 - t0)."""

    def predict(
        self,
        model: BrlpModel,
        scans: Sequence[TimedScan],
        table: pd.DataFrame,  # noqa: ARG002
        months: float,
    ) -> FollowUp:
        """Return the later image, decoded by the model's own autoencoder.

        Raises
        ------
        ModelError
            Where both visits are at one time.
        """
        first, last = scans
        apart = last.months - first.months
        if apart <= 0:
            raise ModelError(f"Two scans of month {last.months:g} tell no course.")
        z0, z1 = model.encode(torch.stack([first.image, last.image]))
        later = z1 + (z1 - z0) * (months - last.months) / apart
        reconstruction, decoded = model.decode(torch.stack([z1, later])).cpu()
        image = model.render(decoded[None], scan=last.image, reconstruction=reconstruction)[0]
        return FollowUp(image, decoded, reconstruction)


EXTRAPOLATION: Final = ImageBaseline(
    ImageConfig(
        name="mrextrap",
        horizons_months=(),
        n_scans=2,
        is_synthetic=False,
        provenance="Learned from nobody: a line through the latents of two visits.",
    ),
    LatentExtrapolation(),
)
