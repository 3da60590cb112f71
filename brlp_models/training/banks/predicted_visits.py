"""Later visits of training people as UNet and ControlNet predict them from an earlier one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from torch import Tensor

from brlp_models.model.model import BrlpModel
from brlp_models.model.sampling import sample_latents
from brlp_models.training.banks.latents import Latents, write_arrays
from brlp_models.training.banks.pairs import VisitPairs

N_DRAWS: Final = 2
"""How many are drawn of a visit; their mean is decoded, as Latent Average Stabilization has it."""


@dataclass(frozen=True)
class PredictedVisits:
    """What was predicted of pairs of visits.

    Parameters
    ----------
    rows
        (n, 2): bank rows of the earlier and the later visit.
    decoded
        The later visit's predicted latent, decoded, (n, channels, *shape), 0 to 255.
    """

    rows: npt.NDArray[np.int64]
    decoded: npt.NDArray[np.uint8]


def write_predicted(
    model: BrlpModel,
    pairs: VisitPairs,
    latents: Latents,
    path: Path,
    accelerator: Accelerator,
    *,
    seed: int,
    report: Callable[[int], None] = lambda _: None,
) -> None:
    """Predict and decode the later visit of every pair.

    Parameters
    ----------
    model
        Its autoencoder, UNet and ControlNet; it should not have learned from these people.
    pairs
        Their context is what is told.
    latents
        As cached, by bank row.
    path
        Gets an array (pairs, channels, *shape), 0 to 255; written whole or not at all.
    accelerator
        Says with which precision scans are decoded.
    seed
        Of the draws.
    report
        Called with each finished pair's number.
    """

    def predict(pair: int) -> npt.NDArray[np.generic]:
        earlier = torch.from_numpy(latents[pairs.rows[pair, 0]].astype(np.float32))[None]
        drawn = draw_later_latents(model, earlier, pairs, pair, seed=seed, n_draws=N_DRAWS)
        with accelerator.autocast():
            decoded = model.decode(drawn.mean(dim=0, keepdim=True))
        return (decoded[0].clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()

    write_arrays(path, map(predict, range(len(pairs))), len(pairs), np.uint8, report)


def draw_later_latents(
    model: BrlpModel, earlier: Tensor, pairs: VisitPairs, pair: int, *, seed: int, n_draws: int = 1
) -> Tensor:
    """Return draws of the later visit's latent, (n_draws, C, *latent_shape).

    Parameters
    ----------
    model
        Its UNet and ControlNet denoise, by the sampler of its configuration.
    earlier
        The latent of the earlier visit, (1, C, *latent_shape).
    pairs, pair
        The pair's age and context.
    seed
        With the pair's number, that of the noise.
    n_draws
        How many.
    """
    config, chosen = model.config, np.array([pair])
    rng = np.random.default_rng([seed, pair])
    noise = rng.standard_normal((n_draws, config.latent_channels, *config.padded_latent_shape))
    age = torch.tensor(pairs.baseline_age_years[chosen], dtype=torch.float32)
    return sample_latents(
        model,
        earlier.expand(n_draws, *earlier.shape[1:]),
        age.expand(n_draws),
        pairs.encode_context(chosen, config.context).expand(n_draws, -1, -1),
        torch.tensor(noise, dtype=torch.float32),
        config.num_inference_steps,
        config.sampler,
    )
