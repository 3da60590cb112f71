"""Training of the networks that predict a later latent from the baseline's."""

from collections.abc import Sequence
from typing import Annotated

import torch
from accelerate import Accelerator
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from brlp_models.baselines.latent_follow_up import FLOW_TIME, LatentName, as_context
from brlp_models.model.config import ModelConfig
from brlp_models.model.model import pad_latents
from brlp_models.model.schedule import build_scheduler
from brlp_models.model.target import encode_target
from brlp_models.training.examples import Draw, Examples
from brlp_models.training.loop import LoopSettings, step_optimizer
from brlp_models.training.stages.latent_loss import (
    compute_wanted,
    compute_weighted_square,
    draw_timestep,
    weigh_voxels,
)
from brlp_models.training.stages.timed_pair import TimedPair


class LatentSettings(BaseModel):
    """How such a network is trained: by default as BrLP-mini's, as long as its longest phase.

    Parameters
    ----------
    loop
        Length and pace.
    batch_size
        Pairs a batch.
    medial_temporal_weight
        Weight of the latent's voxels in and around hippocampus and amygdala, where the baseline
        scan has a segmentation; others have 1.
    high_noise_share
        Of `ag_ldm`: share of the examples at the last tenth of the timesteps, once all timesteps
        alike have been learned for `even_steps` steps.
    even_steps
        Of `ag_ldm`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    loop: LoopSettings = LoopSettings(
        steps=2400,
        learning_rate=1e-3,
        warmup_steps=20,
        ema_decay=0.995,
        final_fraction=0.02,
        mixed_precision="bf16",
    )
    batch_size: Annotated[int, Field(ge=1)] = 8
    medial_temporal_weight: Annotated[float, Field(ge=1)] = 16.0
    high_noise_share: Annotated[float, Field(ge=0, le=1)] = 0.75
    even_steps: Annotated[int, Field(ge=0)] = 720


class LatentStage:
    """Learns to denoise the later latent, or the velocity towards it.

    Parameters
    ----------
    name
        Which of the two.
    config
        The model's, whose latents these are.
    network
        Trained here.
    pairs
        Latents to learn from.
    settings
        How.
    """

    exported: tuple[str, ...] = ("latents",)

    def __init__(
        self,
        name: LatentName,
        config: ModelConfig,
        network: nn.Module,
        pairs: Sequence[TimedPair],
        settings: LatentSettings,
    ) -> None:
        self.networks: dict[str, nn.Module] = {"latents": network.train()}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "latents": torch.optim.AdamW(network.parameters(), settings.loop.learning_rate)
        }
        self.batch_size = settings.batch_size
        self._name, self._config, self._settings = name, config, settings
        self._pairs, self._scheduler = pairs, build_scheduler(config.schedule)

    def draw_example(self, draw: Draw) -> Examples:
        """Return a pair's latents on the denoiser's grid, with noise and a time."""
        pair = self._pairs[int(draw.rng.integers(len(self._pairs)))]
        first, later = (
            pad_latents(torch.from_numpy(own)[None], self._config)[0]
            for own in (pair.first, pair.later)
        )
        settings = self._settings
        high = settings.high_noise_share if draw.step >= settings.even_steps else 0.0
        years = torch.tensor([pair.years])
        return {
            "first": first,
            "later": later,
            "context": as_context(torch.from_numpy(pair.planes)[None], years)[0],
            "noise": torch.randn(first.shape, generator=draw.generator),
            "weights": weigh_voxels(
                pair.near_medial_temporal, settings.medial_temporal_weight, self._config
            ),
            "timesteps": draw_timestep(
                self._config.schedule.num_train_timesteps, high, draw.generator
            ),
            "time": torch.rand((), generator=draw.generator),
        }

    def train_batch(
        self, examples: Examples, _step: int, accelerator: Accelerator
    ) -> dict[str, Tensor]:
        """Step the network."""
        batch = {
            name: tensor.to(accelerator.device, non_blocking=True)
            for name, tensor in examples.items()
        }
        first, later = batch["first"], batch["later"]
        config, network = self._config, self.networks["latents"]
        baseline = first * config.latent_scale
        if self._name == "flow_matching":
            share = batch["time"].view(-1, 1, 1, 1, 1)
            wanted = (later - first) * config.latent_scale
            x, time = baseline + share * wanted, FLOW_TIME * batch["time"]
            carried = wanted
        else:
            time = batch["timesteps"]
            target = encode_target(first, later, config)
            x = self._scheduler.add_noise(target, batch["noise"], time)
            wanted = compute_wanted(self._scheduler, target, batch["noise"], time)
            carried = target - encode_target(first, first, config)
        with accelerator.autocast():
            output = network(torch.cat([x, baseline], dim=1), time, batch["context"])
        loss = compute_weighted_square(output.float() - wanted, batch["weights"])
        accelerator.backward(loss)
        clip = self._settings.loop.gradient_clip
        step_optimizer(accelerator, network, self.optimizers["latents"], clip)
        # to compare with: what carrying forward leaves
        return {"loss": loss, "carried_forward": compute_weighted_square(carried, batch["weights"])}
