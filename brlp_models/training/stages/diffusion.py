"""Training of the latent diffusion UNet, then of its ControlNet."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from brlp_models.model.config import ModelConfig
from brlp_models.model.context import NO_CONTEXT, encode_context
from brlp_models.model.model import crop_latents, pad_latents
from brlp_models.model.schedule import build_scheduler
from brlp_models.model.target import decode_target, encode_target
from brlp_models.training.banks.pairs import VisitPairs, as_age_plane
from brlp_models.training.banks.told_changes import ToldChanges
from brlp_models.training.examples import Draw, Examples
from brlp_models.training.loop import LoopSettings, step_optimizer
from brlp_models.training.stages.latent_loss import (
    compute_wanted,
    compute_weighted_square,
    draw_timestep,
    find_near_medial_temporal,
    weigh_voxels,
)
from brlp_models.training.stages.volume_term import VolumeTerm


class DiffusionSettings(BaseModel):
    """How the UNet or the ControlNet is trained.

    Parameters
    ----------
    loop
        Length and pace.
    batch_size
        Latents a batch.
    volumes
        Which later volumes the context holds: those that auxiliary models expect, fitted on other
        people, as a prediction has them (`expected`); those of a change that is `told` apart from
        the person, whose example shows the share of their change that this calls for, so that a
        network learns to follow (see `brlp_models.training.banks.told_changes`); or the `true`
        ones, as published, from which a network learns to copy its context.
    told_error
        Sd of what is shown around what is told, as a share of it: how far predictions err.
    context_dropout
        Share of examples without context, so that `guidance` can weigh it in predictions.
    medial_temporal_weight
        Weight of the latent's voxels in and around hippocampus and amygdala; others have 1.
    high_noise_share
        Share of the batch at the last tenth of the timesteps, where sampling begins and the
        context has to tell what a noisier input cannot; the others are spread over all.
    volume_weight
        Weight, by region, of the share of the squared true change of its volume that the denoised
        latent misses; for networks that predict the sample itself.
    unet_learns
        Whether the UNet goes on learning together with the ControlNet; it is frozen otherwise, as
        published.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    loop: LoopSettings
    batch_size: Annotated[int, Field(ge=1)] = 16
    volumes: Literal["expected", "told", "true"] = "expected"
    told_error: Annotated[float, Field(ge=0)] = 0.4
    context_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    medial_temporal_weight: Annotated[float, Field(ge=1)] = 1.0
    high_noise_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    volume_weight: dict[str, Annotated[float, Field(gt=0)]] = {}
    unet_learns: bool = False


class DiffusionStage:
    """Learns to denoise: the UNet on its own, or the ControlNet with it.

    Parameters
    ----------
    config
        The model.
    unet
        Trained here where `controlnet` is None or the settings say so, frozen otherwise.
    latents
        Cached latents by bank row, (rows, C, *latent_shape), unscaled.
    pairs
        What to learn from; baselines are used by residual targets and by the ControlNet.
    settings
        How.
    labels
        Tissue indices by bank row, (rows, *shape), for the weight of the medial temporal lobe.
    controlnet
        Trained when given.
    volume_terms
        One for each region of the settings' `volume_weight`.
    told
        What the context tells instead of what is expected of the pair.
    """

    def __init__(
        self,
        config: ModelConfig,
        unet: nn.Module,
        latents: npt.NDArray[np.float16],
        pairs: VisitPairs,
        settings: DiffusionSettings,
        *,
        labels: npt.NDArray[np.uint8],
        controlnet: nn.Module | None = None,
        volume_terms: Mapping[str, VolumeTerm] | None = None,
        told: ToldChanges | None = None,
    ) -> None:
        self.networks: dict[str, nn.Module] = {}
        if controlnet is None or settings.unet_learns:
            self.networks["unet"] = unet.train().requires_grad_(True)
        if controlnet is not None:
            self.networks["controlnet"] = controlnet
        self.exported = tuple(self.networks)
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.AdamW(network.parameters(), settings.loop.learning_rate)
            for name, network in self.networks.items()
        }
        self._frozen = None if "unet" in self.networks else unet.eval().requires_grad_(False)
        self._config, self._latents, self._labels = config, latents, labels
        self.batch_size = settings.batch_size
        self._pairs, self._settings = pairs, settings
        self._volume_terms, self._told = volume_terms or {}, told
        self._scheduler = build_scheduler(config.schedule)

    def draw_example(self, draw: Draw) -> Examples:
        """Return a pair's latents and context, with noise and the timestep that it belongs to."""
        pair, share, context = self._choose(draw.rng)
        chosen = np.array([pair])
        baseline, target = self._take_latents(chosen, share)
        if draw.rng.random() < self._settings.context_dropout:
            context = torch.full_like(context, NO_CONTEXT)
        example = {
            "baseline": baseline[0],
            "target": target[0],
            "context": context[0],
            "condition": self._condition(chosen, baseline)[0],
            "weights": self._weigh(pair),
            "noise": torch.randn(target[0].shape, generator=draw.generator),
            "timesteps": draw_timestep(
                self._config.schedule.num_train_timesteps,
                self._settings.high_noise_share,
                draw.generator,
            ),
        }
        for region, term in self._volume_terms.items():
            gradient, change = term.take(pair)
            example |= {f"gradient:{region}": gradient, f"change:{region}": share * change}
        return example

    def _choose(self, rng: np.random.Generator) -> tuple[int, float, Tensor]:
        """Return a pair, the share of its change that is shown, and its coded context."""
        entries = self._config.context
        if self._told is not None:
            example = self._told.draw(rng)
            return example.pair, example.share, encode_context(entries, example.context)
        chosen = rng.integers(0, len(self._pairs), 1)
        return int(chosen[0]), 1.0, self._pairs.encode_context(chosen, entries)

    def train_batch(
        self, examples: Examples, _step: int, accelerator: Accelerator
    ) -> dict[str, Tensor]:
        """Add noise to targets at random timesteps and learn to take it away."""
        settings = self._settings
        batch = {
            name: tensor.to(accelerator.device, non_blocking=True)
            for name, tensor in examples.items()
        }
        target, noise, timesteps = batch["target"], batch["noise"], batch["timesteps"]
        noisy = self._scheduler.add_noise(target, noise, timesteps)
        with accelerator.autocast():
            output = self._denoise(noisy, timesteps, batch["context"], batch["condition"])
        wanted = compute_wanted(self._scheduler, target, noise, timesteps)
        missed = compute_weighted_square(output.float() - wanted, batch["weights"])
        metrics = {"latents": missed, **self._miss_volumes(batch, output.float())}
        loss = missed + sum(
            (weight * metrics[region] for region, weight in settings.volume_weight.items()),
            start=torch.zeros((), device=accelerator.device),
        )
        accelerator.backward(loss)
        for name, network in self.networks.items():
            step_optimizer(accelerator, network, self.optimizers[name], settings.loop.gradient_clip)
        return {"loss": loss, **metrics}

    def _miss_volumes(self, batch: Examples, output: Tensor) -> dict[str, Tensor]:
        if not self._volume_terms:
            return {}
        config = self._config
        baseline = batch["baseline"] / config.latent_scale
        change = crop_latents(decode_target(output, baseline, config) - baseline, config)
        return {
            region: term.compute_loss(
                batch[f"gradient:{region}"], batch[f"change:{region}"], change
            )
            for region, term in self._volume_terms.items()
        }

    def _weigh(self, pair: int) -> Tensor:
        weight, near = self._settings.medial_temporal_weight, None
        if weight != 1:
            labels = self._labels[self._pairs.rows[pair, 0]]
            near = find_near_medial_temporal(labels, self._config.latent_shape)
        return weigh_voxels(near, weight, self._config)

    def _take_latents(self, chosen: npt.NDArray[np.int64], share: float) -> tuple[Tensor, Tensor]:
        rows = self._pairs.rows[chosen]
        baseline, later = (
            pad_latents(
                torch.from_numpy(self._latents[rows[:, k]].astype(np.float32)), self._config
            )
            for k in (0, 1)
        )
        later = torch.lerp(baseline, later, share)
        config = self._config
        return baseline * config.latent_scale, encode_target(baseline, later, config)

    def _condition(self, chosen: npt.NDArray[np.int64], baseline: Tensor) -> Tensor:
        plane = as_age_plane(self._pairs.baseline_age_years[chosen], self._config)
        return torch.cat([baseline, plane], dim=1)

    def _denoise(
        self, noisy: Tensor, timesteps: Tensor, context: Tensor, condition: Tensor
    ) -> Tensor:
        unet: Any = self.networks["unet"] if self._frozen is None else self._frozen
        if "controlnet" not in self.networks:
            output: Tensor = unet(noisy, timesteps=timesteps, context=context)
            return output
        unet = unet.to(noisy.device)
        down, middle = self.networks["controlnet"](
            x=noisy, timesteps=timesteps, controlnet_cond=condition, context=context
        )
        denoised: Tensor = unet(
            x=noisy,
            timesteps=timesteps,
            context=context,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
        )
        return denoised


def initialize_controlnet(controlnet: nn.Module, unet: nn.Module) -> None:
    """Copy into the ControlNet every weight that the trained UNet shares with it."""
    own, source = controlnet.state_dict(), unet.state_dict()
    shared = {k: v for k, v in source.items() if k in own and own[k].shape == v.shape}
    controlnet.load_state_dict({**own, **shared})
