"""The training loop that every stage runs through."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from accelerate.state import AcceleratorState
from accelerate.utils import get_int_from_env
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from brlp_models.errors import ModelError
from brlp_models.model.precision import has_bf16
from brlp_models.training.checkpoint import CHECKPOINT, keep_checkpoint, read_checkpoint
from brlp_models.training.examples import Examples, ExampleSource, load_batches
from brlp_models.training.metrics_log import MetricsLog

PATIENCE = timedelta(days=2)
"""How long processes wait while one of them makes the volumes that all learn from."""


class LoopSettings(BaseModel):
    """How long and how fast a stage learns.

    Parameters
    ----------
    steps
        Optimizer steps.
    learning_rate
        The largest, reached after `warmup_steps`; then a cosine down to `final_fraction` of it.
    accumulation
        Batches a step, on each device.
    ema_decay
        The exported weights are the exponential moving average with this decay; 0: the last ones.
    checkpoint_every
        Steps between checkpoints.
    gradient_clip
        The largest norm of a gradient.
    mixed_precision
        Of the networks' passes; weights stay in full precision. `bf16` is full precision on a
        processor that does not multiply in it, where emulating it takes 60 times as long.
    log_every
        Steps between two looks at the losses; a GPU is waited for at each.
    workers
        Processes that draw examples; 0: the training's own. The same examples with any number.
    compile
        Whether networks are compiled first.
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
    log_every: Annotated[int, Field(ge=1)] = 1
    workers: Annotated[int, Field(ge=0)] = 0
    compile: bool = False

    def compute_learning_rate(self, step: int) -> float:
        """Return the learning rate of a step (counted from 0)."""
        warm = min(1.0, (step + 1) / (self.warmup_steps + 1))
        cosine = 0.5 * (1 + np.cos(np.pi * step / self.steps))
        return (
            self.learning_rate
            * warm
            * (self.final_fraction + (1 - self.final_fraction) * float(cosine))
        )


class Stage(ExampleSource, Protocol):
    """What a stage of training offers to the loop.

    `networks` are trained (the exported ones among them), `optimizers` has the same keys or fewer.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    exported: tuple[str, ...]

    def train_batch(
        self, examples: Examples, step: int, accelerator: Accelerator
    ) -> dict[str, Tensor]:
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
        Everything random depends on it, the step, and the example's place in the step.
    accelerator
        Places the networks; `accelerate launch` gives it several devices.
    report
        Called with each step's number and metrics, by every process.

    Returns
    -------
    dict
        The exported networks' weights (averaged where `ema_decay` is set).
    """
    _prepare(stage, settings, accelerator)
    averages = Averages(settings.ema_decay)
    start, best = _restore(stage, averages, folder / CHECKPOINT, accelerator)
    batches = load_batches(
        stage,
        range(start, settings.steps),
        accelerator,
        seed=seed,
        accumulation=settings.accumulation,
        workers=settings.workers,
    )
    pending: list[dict[str, Tensor]] = []
    recent: list[float] = []
    with MetricsLog(folder, first_step=start, enabled=accelerator.is_main_process) as log:
        for step in range(start, settings.steps):
            _set_learning_rate(stage.optimizers.values(), settings, step)
            pending.append(_train_step(stage, settings, batches, step, accelerator))
            if settings.ema_decay:
                averages.update(_take_weights(stage, stage.exported, accelerator), step)
            n_done = step + 1
            saves = n_done == settings.steps or n_done % settings.checkpoint_every == 0
            if not saves and len(pending) < settings.log_every:
                continue
            for number, metrics in enumerate(_read(pending, accelerator), n_done - len(pending)):
                recent.append(metrics["loss"])
                log.write(number, metrics)
                report(number, metrics)
            pending.clear()
            if saves:
                loss = float(np.mean(recent))
                recent.clear()
                if accelerator.is_main_process:
                    log.flush()
                    state = _collect(stage, averages, n_done, accelerator)
                    state["best_loss"] = min(best, loss)
                    keep_checkpoint(folder, state, is_best=loss < best)
                best = min(best, loss)
    # nobody reads the checkpoint before it is whole
    accelerator.wait_for_everyone()
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


def is_first_process() -> bool:
    """Return whether this is the process of a training that speaks: the first of several, or alone.

    Read from what launchers tell, so that nothing is joined before the training asks for it.
    """
    return not get_int_from_env(
        ["RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK"], 0
    )


def start_accelerator(settings: LoopSettings) -> Accelerator:
    """Return what places a stage's networks, with the precision and accumulation of that stage.

    The processes that `accelerate launch` started are joined once; what Accelerate remembers of
    the stage before, it would otherwise hold against this one.
    """
    accelerator = _start(settings.mixed_precision, settings.accumulation)
    if settings.mixed_precision == "bf16" and not has_bf16(accelerator.device):
        accelerator = _start("no", settings.accumulation)
    return accelerator


def _start(mixed_precision: str, accumulation: int) -> Accelerator:
    AcceleratorState._reset_state()
    return Accelerator(
        mixed_precision=mixed_precision,
        gradient_accumulation_steps=accumulation,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
    )


def _prepare(stage: Stage, settings: LoopSettings, accelerator: Accelerator) -> None:
    for name, network in stage.networks.items():
        stage.networks[name] = accelerator.prepare(network)
        if settings.compile:
            stage.networks[name].compile()
    for name, optimizer in stage.optimizers.items():
        stage.optimizers[name] = accelerator.prepare(optimizer)


def _train_step(
    stage: Stage,
    settings: LoopSettings,
    batches: Iterator[Examples],
    step: int,
    accelerator: Accelerator,
) -> dict[str, Tensor]:
    totals: dict[str, Tensor] = {}
    for _ in range(settings.accumulation):
        with accelerator.accumulate(*stage.networks.values()):
            for name, value in stage.train_batch(next(batches), step, accelerator).items():
                mean = value.detach() / settings.accumulation
                totals[name] = totals[name] + mean if name in totals else mean
    return totals


def _read(pending: list[dict[str, Tensor]], accelerator: Accelerator) -> list[dict[str, float]]:
    """Return metrics as numbers, averaged over processes; devices are waited for here alone."""
    return [
        {name: float(accelerator.reduce(value, "mean")) for name, value in metrics.items()}
        for metrics in pending
    ]


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


def _restore(
    stage: Stage, averages: Averages, path: Path, accelerator: Accelerator
) -> tuple[int, float]:
    """Return the step to go on with, and the smallest loss so far."""
    if not path.exists():
        return 0, math.inf
    state = read_checkpoint(path)
    for name, network in stage.networks.items():
        accelerator.unwrap_model(network).load_state_dict(state["networks"][name])
    for name, optimizer in stage.optimizers.items():
        optimizer.load_state_dict(state["optimizers"][name])
    averages.state = {
        network: {name: value.to(accelerator.device) for name, value in values.items()}
        for network, values in state["averages"].items()
    }
    return int(state["step"]), float(state.get("best_loss", math.inf))
