"""A loss on the change of a region's volume, beside the diffusion's loss on latents.

A latent has tens of thousands of numbers, and the change of a small region is one direction among
them, which a mean over all of them hardly sees. Between two visits a region's log volume changes,
to within some per cent of that change, by the latent's change times the gradient of the log
volume, so a network that is trained on latents can be held to a volume without decoding any.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from brlp_models.training.banks.latents import Latents, write_arrays
from brlp_models.training.banks.pairs import VisitPairs

Gradients = npt.NDArray[np.float32]
"""Gradient of a region's log volume by bank row, (rows, C, *latent_shape)."""


@dataclass(frozen=True)
class VolumeTerm:
    """How far predicted changes of latents are from showing what the true ones show of a volume.

    What the latents of the true visits show is wanted, not the volumes of their labels: a latent
    shows less than those, and a network that enlarged what it sees would do so at every step of
    sampling (to 1.9 times the true change in four steps).

    Parameters
    ----------
    gradients
        Of the region's log volume with regard to the latent of each bank row.
    rows
        (pairs, 2): bank rows of the earlier and the later visit.
    changes
        Change of the log volume that the true latents of every pair show, (pairs,).
    """

    gradients: Gradients
    rows: npt.NDArray[np.int64]
    changes: npt.NDArray[np.float64]

    @classmethod
    def of(cls, pairs: VisitPairs, gradients: Gradients, latents: Latents) -> "VolumeTerm":
        """Return the term of one region."""
        changes = [
            np.vdot(gradients[[a, b]].mean(axis=0), latents[b].astype(np.float32) - latents[a])
            for a, b in pairs.rows
        ]
        return cls(gradients, pairs.rows, np.array(changes, dtype=float))

    def take(self, pair: int) -> tuple[Tensor, Tensor]:
        """Return a pair's gradient (C, *latent_shape) and its true change of the log volume."""
        # the mean of the two ends' gradients, by the trapezoidal rule
        gradient = self.gradients[self.rows[pair]].mean(axis=0)
        return torch.from_numpy(gradient), torch.tensor(self.changes[pair])

    def compute_loss(self, gradient: Tensor, true: Tensor, change: Tensor) -> Tensor:
        """Return the share of the squared change that is missed: 1 where nothing is shown.

        Parameters
        ----------
        gradient, true
            Of each pair, as taken.
        change
            Their predicted change of the latent, unscaled, (B, C, *latent_shape).
        """
        shown = (gradient.to(change) * change).flatten(1).sum(1)
        missed = ((shown - true.to(change)) ** 2).mean()
        return missed / float(np.mean(self.changes**2))


def write_volume_gradients(
    networks: Mapping[str, nn.Module],
    channel: int,
    latents: Latents,
    path: Path,
    accelerator: Accelerator,
    report: Callable[[int], None] = lambda _: None,
) -> None:
    """Compute the gradient of a region's log volume for every cached latent.

    Parameters
    ----------
    networks
        The trained `autoencoder`, and the `segmenter`, whose probabilities, summed over the decoded
        T1w, are the volume.
    channel
        The region's place among the segmenter's labels.
    latents
        As cached.
    path
        Gets an array (rows, C, *latent_shape); written whole or not at all.
    accelerator
        Says where, and with which precision.
    report
        Called with each finished row's number.
    """
    autoencoder, segmenter = (
        _place(networks[name], accelerator) for name in ("autoencoder", "segmenter")
    )

    def differentiate(values: npt.NDArray[np.float16]) -> npt.NDArray[np.generic]:
        latent = torch.from_numpy(values.astype(np.float32))[None].to(accelerator.device)
        latent.requires_grad_(True)
        with accelerator.autocast():
            logits = segmenter(autoencoder.decode(latent)[:, :1].float().clamp(0, 1))
        log_volume = logits.float().softmax(1)[:, channel].sum().log()
        return torch.autograd.grad(log_volume, latent)[0][0].cpu().numpy()

    write_arrays(path, map(differentiate, latents), len(latents), np.float32, report)


def _place(network: nn.Module, accelerator: Accelerator) -> Any:
    # in bfloat16, channels last makes decoding five times faster on the CPU
    last: Any = {"memory_format": torch.channels_last_3d}
    return network.to(accelerator.device, **last)
