"""Networks that predict the latent of a later visit from that of the baseline scan.

`ag_ldm` is a latent diffusion that is conditioned directly: the baseline latent is among the
denoiser's input channels, without a ControlNet (after AG-LDM, arXiv 2601.14584). `flow_matching`
learns the velocity from the last scan's latent to the later one's, and moves along it; a velocity
of zero is the last scan (after Temporal Flow Matching, arXiv 2508.21580).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import pandas as pd
import torch
from pydantic import Field
from torch import Tensor, nn

from brlp_models.auxiliary.covariates import CovariateCoding
from brlp_models.baselines.follow_up import FollowUp, ImageConfig, TimedScan
from brlp_models.baselines.people import TableCoding
from brlp_models.baselines.weights import load_weights, write_weights
from brlp_models.errors import ModelError
from brlp_models.model.model import BrlpModel, crop_latents, pad_latents
from brlp_models.model.networks import build_denoiser
from brlp_models.model.precision import autocast
from brlp_models.model.sampling import run_reverse_diffusion
from brlp_models.model.schedule import build_scheduler
from brlp_models.model.target import decode_target
from brlp_models.prediction.draws import make_noise

LatentName = Literal["ag_ldm", "flow_matching"]

FLOW_STEPS: Final = 8
"""Euler steps from the last scan to the later one."""

FLOW_TIME: Final = 1000.0
"""What the end of the flow is to the network's embedding of time."""


class LatentConfig(ImageConfig):
    """What `config.json` says of a network on latents.

    Parameters
    ----------
    model_id
        Whose latents.
    coding
        How what is known at baseline becomes numbers; the years to the later visit follow them.
    unet
        Arguments of MONAI's DiffusionModelUNet.
    n_draws
        Of `ag_ldm`, whose mean is decoded.
    diffusion_target
        What `ag_ldm` denoises: that of the model, or the latent of folders that do not say.
    """

    name: LatentName
    model_id: str
    coding: dict[str, Any]
    unet: dict[str, Any]
    n_draws: Annotated[int, Field(ge=1)] = 4
    diffusion_target: Literal["latent", "residual"] = "latent"


def list_unet_args(model: BrlpModel, n_planes: int) -> dict[str, Any]:
    """Return the arguments of a UNet as large as the model's own, told the baseline latent."""
    n = model.config.latent_channels
    return {
        **model.config.unet,
        "in_channels": 2 * n,
        "out_channels": n,
        "with_conditioning": True,
        "cross_attention_dim": n_planes + 1,
    }


@dataclass(frozen=True)
class LatentFollowUp:
    """Predicts by a trained network.

    Parameters
    ----------
    config
        What it is.
    network
        Trained.
    """

    config: LatentConfig
    network: nn.Module

    def predict(
        self,
        model: BrlpModel,
        scans: Sequence[TimedScan],
        table: pd.DataFrame,
        months: float,
    ) -> FollowUp:
        """Return the later image, decoded by the model's own autoencoder.

        Raises
        ------
        ModelError
            For another model than the one whose latents it learned from, or where the table lacks
            something that the network was told in training.
        """
        if model.model_id != self.config.model_id:
            raise ModelError(
                f"{self.config.name} predicts latents of the model {self.config.model_id}, "
                f"not of {model.model_id}."
            )
        coding = TableCoding(CovariateCoding.from_dict(self.config.coding))
        planes = coding.encode_complete(table, self.config.name)
        start = scans[-1]
        years = (months - start.months) / 12
        context = as_context(torch.from_numpy(planes), torch.tensor([years])).to(model.device)
        latent = model.encode(start.image[None])
        baseline = pad_latents(latent, model.config)
        answer = _Network(self.network, model, baseline * model.config.latent_scale, context)
        if self.config.name == "flow_matching":
            found = baseline + self._flow(answer) / model.config.latent_scale
        else:
            target = self._denoise(answer, model, (str(table.index[0]), months))
            learned = {"diffusion_target": self.config.diffusion_target}
            found = decode_target(target, baseline, model.config.model_copy(update=learned))
        later = crop_latents(found, model.config)
        reconstruction, decoded = model.decode(torch.cat([latent, later])).cpu()
        image = model.render(decoded[None], scan=start.image, reconstruction=reconstruction)[0]
        return FollowUp(image, decoded, reconstruction)

    def _flow(self, answer: "_Network") -> Tensor:
        """Return the change from the last scan, scaled."""
        x = answer.baseline
        for step in range(FLOW_STEPS):
            x = x + answer(x, FLOW_TIME * step / FLOW_STEPS) / FLOW_STEPS
        return x - answer.baseline

    def _denoise(self, answer: "_Network", model: BrlpModel, key: tuple[str, float]) -> Tensor:
        """Return the mean of the draws of what is denoised."""
        config = model.config
        scheduler = build_scheduler(config.schedule, config.sampler)
        draws = []
        for draw in range(self.config.n_draws):
            noise = make_noise(0, *key, draw, answer.baseline.shape).to(model.device)
            steps = config.num_inference_steps
            draws.append(run_reverse_diffusion(answer, noise, scheduler, steps))
        return torch.stack(draws).mean(dim=0)

    def write(self, path: Path) -> None:
        """Write the weights as safetensors."""
        write_weights(self.network, path)

    @classmethod
    def load(cls, path: Path, config: LatentConfig) -> "LatentFollowUp":
        """Read the weights.

        Raises
        ------
        ModelError
            Where the file cannot be read, or is of another network.
        """
        network = build_denoiser(config.unet)
        load_weights(network, path)
        return cls(config, network)


class _Network:
    """The trained network of one person at one time, in the model's precision."""

    def __init__(
        self, network: nn.Module, model: BrlpModel, baseline: Tensor, context: Tensor
    ) -> None:
        self._network = network.to(model.device).eval()
        self._context, self._precision = context, model.precision
        self.baseline = baseline

    def __call__(self, x: Tensor, time: float) -> Tensor:
        at = torch.full((1,), time, device=x.device)
        with autocast(self._precision, x.device):
            found: Tensor = self._network(torch.cat([x, self.baseline], dim=1), at, self._context)
        return found.to(x.dtype)


def as_context(planes: Tensor, years: Tensor) -> Tensor:
    """Return (B, planes) and (B,) years, a decade being 1, as a context (B, 1, planes + 1)."""
    return torch.cat([planes, years.float()[:, None] / 10], dim=1)[:, None]
