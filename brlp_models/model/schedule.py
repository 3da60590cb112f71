"""The noise schedule of the diffusion."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from monai.networks.schedulers.ddim import DDIMScheduler

from brlp_models.model.config import ScheduleConfig
from brlp_models.model.schedulers import DPMSolverScheduler, PublishedDDIMScheduler

Sampler = Literal["ddim", "dpm-solver++"]

SCHEDULERS: Final[Mapping[Sampler, type[DDIMScheduler]]] = {
    "ddim": PublishedDDIMScheduler,
    "dpm-solver++": DPMSolverScheduler,
}


def build_scheduler(schedule: ScheduleConfig, sampler: Sampler = "ddim") -> DDIMScheduler:
    """Return a scheduler: `add_noise` for training, `set_timesteps` and `step` for sampling."""
    return SCHEDULERS[sampler](**list_scheduler_args(schedule))


def list_scheduler_args(schedule: ScheduleConfig) -> dict[str, Any]:
    """Return the arguments of the schedulers."""
    return {**schedule.model_dump(), "clip_sample": False}
