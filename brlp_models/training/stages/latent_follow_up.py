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
from brlp_models.training.examples import Draw, Examples
from brlp_models.training.loop import LoopSettings, step_optimizer
from brlp_models.training.stages.diffusion import compute_wanted
from brlp_models.training.stages.timed_pair import TimedPair


class LatentSettings(BaseModel):
    """How such a network is trained: by default as long as the longest phase of BrLP-mini's.

    Parameters
    ----------
    loop
        Length and pace.
    batch_size
        Pairs a batch.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    loop: LoopSettings = LoopSettings(
        steps=2400, learning_rate=1e-3, warmup_steps=20, ema_decay=0.99
    )
    batch_size: Annotated[int, Field(ge=1)] = 8


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
            pad_latents(torch.from_numpy(own)[None], self._config)[0] * self._config.latent_scale
            for own in (pair.first, pair.later)
        )
        steps = self._config.schedule.num_train_timesteps
        years = torch.tensor([pair.years])
        return {
            "first": first,
            "later": later,
            "context": as_context(torch.from_numpy(pair.planes)[None], years)[0],
            "noise": torch.randn(first.shape, generator=draw.generator),
            "timesteps": torch.randint(0, steps, (), generator=draw.generator),
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
        first, later, network = batch["first"], batch["later"], self.networks["latents"]
        if self._name == "flow_matching":
            share = batch["time"].view(-1, 1, 1, 1, 1)
            x, time = first + share * (later - first), FLOW_TIME * batch["time"]
            wanted = later - first
        else:
            time = batch["timesteps"]
            x = self._scheduler.add_noise(later, batch["noise"], time)
            wanted = compute_wanted(self._scheduler, later, batch["noise"], time)
        with accelerator.autocast():
            output = network(torch.cat([x, first], dim=1), time, batch["context"])
        loss = (output.float() - wanted).square().mean()
        accelerator.backward(loss)
        clip = self._settings.loop.gradient_clip
        step_optimizer(accelerator, network, self.optimizers["latents"], clip)
        return {"loss": loss, "carried_forward": (later - first).square().mean()}
