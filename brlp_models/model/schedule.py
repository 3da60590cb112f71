"""The noise schedule of the diffusion."""

import torch
from monai.networks.schedulers.ddim import DDIMScheduler
from torch import Tensor

from brlp_models.errors import ModelError
from brlp_models.model.config import ScheduleConfig


def build_scheduler(schedule: ScheduleConfig) -> DDIMScheduler:
    """Return MONAI's scheduler: `add_noise` for training, `step` for DDIM."""
    return DDIMScheduler(
        num_train_timesteps=schedule.num_train_timesteps,
        schedule=schedule.schedule,
        prediction_type=schedule.prediction_type,
        clip_sample=False,
        beta_start=schedule.beta_start,
        beta_end=schedule.beta_end,
    )


def compute_ddim_timesteps(num_train_timesteps: int, num_inference_steps: int) -> Tensor:
    """Return the timesteps of the published procedure, descending.

    t = k (T // n) for k = n - 1 ... 0: 960, 920 ... 0 for 25 of 1000. MONAI's own `set_timesteps`
    spans 999 ... 0 instead while its `step` still goes down by T // n, and ends elsewhere.
    """
    _check_steps(num_train_timesteps, num_inference_steps)
    stride = num_train_timesteps // num_inference_steps
    return torch.arange(num_inference_steps - 1, -1, -1) * stride


def compute_dpm_timesteps(alphas_cumprod: Tensor, num_inference_steps: int) -> Tensor:
    """Return timesteps evenly spaced in the log signal-to-noise ratio, from pure noise to t = 0.

    With few steps this ends nearer to the exact solution than even spacing in t (measured on normal
    data, where the solution is known). Steps that round to the same timestep are taken once.
    """
    _check_steps(len(alphas_cumprod), num_inference_steps)
    alpha_bar = alphas_cumprod.double()
    lam = (alpha_bar / (1 - alpha_bar)).log() / 2
    grid = torch.linspace(lam[-1].item(), lam[0].item(), num_inference_steps, dtype=torch.float64)
    nearest: Tensor = (lam - grid[:, None]).abs().argmin(dim=1)
    return torch.tensor(sorted(set(nearest.tolist()), reverse=True))


def _check_steps(num_train_timesteps: int, num_inference_steps: int) -> None:
    if not 1 <= num_inference_steps <= num_train_timesteps:
        raise ModelError(
            f"num_inference_steps must be between 1 and {num_train_timesteps}, "
            f"got {num_inference_steps}."
        )
