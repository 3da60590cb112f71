"""The training loop that every stage runs through."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from brlp_models.errors import ModelError
from brlp_models.training.metrics_log import MetricsLog

CHECKPOINT = "checkpoint.pt"


class LoopSettings(BaseModel):
    """How long and how fast a stage learns.

    Parameters
    ----------
    steps
        Optimizer steps.
    learning_rate
        The largest, reached after `warmup_steps`; then a cosine down to `final_fraction` of it.
    accumulation
        Batches a step.
    ema_decay
        The exported weights are the exponential moving average with this decay; 0: the last ones.
    checkpoint_every
        Steps between checkpoints.
    gradient_clip
        The largest norm of a gradient.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    final_fraction: Annotated[float, Field(ge=0, le=1)] = 0.05
    accumulation: Annotated[int, Field(ge=1)] = 1
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    checkpoint_every: Annotated[int, Field(ge=1)] = 100
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"

    def compute_learning_rate(self, step: int) -> float:
        """Return the learning rate of a step (counted from 0)."""
        warm = min(1.0, (step + 1) / (self.warmup_steps + 1))
        cosine = 0.5 * (1 + np.cos(np.pi * step / self.steps))
        return (
            self.learning_rate
            * warm
            * (self.final_fraction + (1 - self.final_fraction) * float(cosine))
        )


@dataclass(frozen=True)
class Draw:
    """Every random number of one batch; made from (seed, step, batch, process) alone.

    No state is carried from step to step, so a resumed run draws what an uninterrupted one draws.
    """

    step: int
    rng: np.random.Generator
    generator: torch.Generator

    @classmethod
    def of(cls, *, seed: int, step: int, batch: int = 0, process: int = 0) -> "Draw":
        """Return the draw of one batch."""
        first, second = np.random.SeedSequence((seed, step, batch, process)).spawn(2)
        generator = torch.Generator().manual_seed(int(second.generate_state(1)[0]))
        return cls(step, np.random.default_rng(first), generator)


class Stage(Protocol):
    """What a stage of training offers to the loop.

    `networks` are trained (the exported ones among them), `optimizers` has the same keys or fewer.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    exported: tuple[str, ...]

    def train_batch(self, draw: Draw, accelerator: Accelerator) -> dict[str, Tensor]:
        """Compute losses, run backward and step the optimizers; return what to log."""
        ...


Weights = dict[str, dict[str, Tensor]]
"""The state of each exported network."""


@dataclass
class Averages:
    """The exponential moving average of the exported networks' states."""

    decay: float
    state: Weights = field(default_factory=dict)

    @torch.no_grad()
    def update(self, weights: Weights, step: int) -> None:
        """Take in the weights after a step; the first steps weigh more, as (1 + k) / (10 + k)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for network, values in weights.items():
            own = self.state.setdefault(network, {})
            for name, value in values.items():
                if name in own and value.is_floating_point():
                    own[name].lerp_(value, 1 - decay)
                else:
                    own[name] = value.detach().clone()


def train_stage(
    stage: Stage,
    settings: LoopSettings,
    folder: Path,
    *,
    seed: int,
    accelerator: Accelerator,
    report: Callable[[int, Mapping[str, float]], None] = lambda _step, _metrics: None,
) -> Weights:
    """Train to the last step, from the folder's checkpoint where there is one.

    Parameters
    ----------
    stage
        Networks, optimizers and what one batch does.
    settings
        Length and pace.
    folder
        Gets `checkpoint.pt`, `metrics.csv` and TensorBoard's files.
    seed
        Everything random depends on it, the step, the batch and the process.
    accelerator
        Places the networks; `accelerate launch` gives it several devices.
    report
        Called after each step with its number and metrics.

    Returns
    -------
    dict
        The exported networks' weights (averaged where `ema_decay` is set).
    """
    _prepare(stage, accelerator)
    averages = Averages(settings.ema_decay)
    start = _restore(stage, averages, folder / CHECKPOINT, accelerator)
    main = accelerator.is_main_process
    with MetricsLog(folder, first_step=start, enabled=main) as log:
        for step in range(start, settings.steps):
            _set_learning_rate(stage.optimizers.values(), settings, step)
            metrics = _train_step(stage, settings, seed, step, accelerator)
            if settings.ema_decay:
                averages.update(_take_weights(stage, stage.exported, accelerator), step)
            log.write(step, metrics)
            report(step, metrics)
            last = step + 1 == settings.steps
            if main and (last or (step + 1) % settings.checkpoint_every == 0):
                log.flush()
                write_checkpoint(
                    folder / CHECKPOINT, _collect(stage, averages, step + 1, accelerator)
                )
    return averages.state or _take_weights(stage, stage.exported, accelerator)


def load_trained(folder: Path, *, steps: int) -> Weights:
    """Return the weights of a finished stage's networks, averaged where it averages.

    Raises
    ------
    ModelError
        Where the stage has not reached its last step.
    """
    state = read_checkpoint(folder / CHECKPOINT)
    if state["step"] < steps:
        raise ModelError(
            f"{folder} stopped at step {state['step']} of {steps}; train this stage to its end."
        )
    weights: Weights = state["averages"] or state["networks"]
    return weights


def _prepare(stage: Stage, accelerator: Accelerator) -> None:
    for name, network in stage.networks.items():
        stage.networks[name] = accelerator.prepare(network)
    for name, optimizer in stage.optimizers.items():
        stage.optimizers[name] = accelerator.prepare(optimizer)


def _train_step(
    stage: Stage, settings: LoopSettings, seed: int, step: int, accelerator: Accelerator
) -> dict[str, float]:
    totals: dict[str, float] = {}
    for batch in range(settings.accumulation):
        draw = Draw.of(seed=seed, step=step, batch=batch, process=accelerator.process_index)
        with accelerator.accumulate(*stage.networks.values()):
            for name, value in stage.train_batch(draw, accelerator).items():
                mean = float(value.detach()) / settings.accumulation
                totals[name] = totals.get(name, 0.0) + mean
    return totals


def step_optimizer(
    accelerator: Accelerator, network: nn.Module, optimizer: torch.optim.Optimizer, clip: float
) -> None:
    """Clip the gradient, step and clear, at the last batch of a step only."""
    if accelerator.sync_gradients:
        accelerator.clip_grad_norm_(network.parameters(), clip)
    optimizer.step()
    optimizer.zero_grad()


def _set_learning_rate(
    optimizers: Iterable[torch.optim.Optimizer], settings: LoopSettings, step: int
) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = settings.compute_learning_rate(step)


def _collect(
    stage: Stage, averages: Averages, step: int, accelerator: Accelerator
) -> dict[str, Any]:
    return {
        "step": step,
        "networks": _take_weights(stage, stage.networks, accelerator),
        "optimizers": {
            name: optimizer.state_dict() for name, optimizer in stage.optimizers.items()
        },
        "averages": averages.state,
    }


def _take_weights(stage: Stage, names: Iterable[str], accelerator: Accelerator) -> Weights:
    return {name: accelerator.unwrap_model(stage.networks[name]).state_dict() for name in names}


def _restore(stage: Stage, averages: Averages, path: Path, accelerator: Accelerator) -> int:
    if not path.exists():
        return 0
    state = read_checkpoint(path)
    for name, network in stage.networks.items():
        accelerator.unwrap_model(network).load_state_dict(state["networks"][name])
    for name, optimizer in stage.optimizers.items():
        optimizer.load_state_dict(state["optimizers"][name])
    averages.state = {
        network: {name: value.to(accelerator.device) for name, value in values.items()}
        for network, values in state["averages"].items()
    }
    return int(state["step"])


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` so that a crash leaves the old checkpoint or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; nothing in it is executed.

    Raises
    ------
    ModelError
        Where the file is damaged or is not a checkpoint of `write_checkpoint`.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"{path} cannot be read as a training checkpoint ({type(error).__name__}); "
            "delete it to train this stage again from its start."
        ) from error
    if not isinstance(state, dict) or "step" not in state:
        raise ModelError(f"{path} is not a training checkpoint: it holds no step.")
    return state
