"""The samplers, each as a scheduler of MONAI's form.

Stands on PyTorch and MONAI alone: an exported MONAI bundle takes this file along.
"""

import math

import torch
from monai.networks.schedulers.ddim import DDIMScheduler
from torch import Tensor


class PublishedDDIMScheduler(DDIMScheduler):
    """Deterministic DDIM (Song et al. 2021, eq. 12 with eta = 0) at the published timesteps."""

    def set_timesteps(
        self, num_inference_steps: int, device: str | torch.device | None = None
    ) -> None:
        """Take the published timesteps, descending.

        t = k (T // n) for k = n - 1 ... 0: 960, 920 ... 0 for 25 of 1000. MONAI's own spans
        999 ... 0 instead while its `step` still goes down by T // n, and ends elsewhere.
        """
        self.num_inference_steps = num_inference_steps
        stride = self.num_train_timesteps // num_inference_steps
        self.timesteps = torch.arange(num_inference_steps - 1, -1, -1, device=device) * stride


class DPMSolverScheduler(DDIMScheduler):
    """DPM-Solver++ (2M): Lu et al. 2022, arXiv 2211.01095, algorithm 2.

    alpha and sigma scale signal and noise, lambda = log(alpha / sigma), h its step,
    D the extrapolated prediction of the clean latent. The last step goes to sigma = 0, where the
    first-order update is the prediction itself.
    """

    def set_timesteps(
        self, num_inference_steps: int, device: str | torch.device | None = None
    ) -> None:
        """Take timesteps evenly spaced in the log signal-to-noise ratio, from pure noise to t = 0.

        With few steps this ends nearer to the exact solution than even spacing in t (measured on
        normal data, where the solution is known). Steps that round to the same timestep are taken
        once.
        """
        self.num_inference_steps = num_inference_steps
        alpha_bar = self.alphas_cumprod.double()
        lam = (alpha_bar / (1 - alpha_bar)).log() / 2
        first, last = lam[-1].item(), lam[0].item()
        grid = torch.linspace(first, last, num_inference_steps, dtype=torch.float64)
        nearest: Tensor = (lam - grid[:, None]).abs().argmin(dim=1)
        chosen = sorted(set(nearest.tolist()), reverse=True)
        self.timesteps = torch.tensor(chosen, device=device)
        self._place = {t: i for i, t in enumerate(chosen)}
        self._previous = torch.empty(0)
        alpha_bar = alpha_bar[chosen]
        self._alpha, self._sigma = alpha_bar.sqrt().tolist(), (1 - alpha_bar).sqrt().tolist()
        self._lam = (alpha_bar / (1 - alpha_bar)).log().div(2).tolist()

    def step(
        self,
        model_output: Tensor,
        timestep: int,
        sample: Tensor,
        eta: float = 0.0,  # noqa: ARG002
        generator: torch.Generator | None = None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        """Return the sample at the next timestep, and the clean one that the network predicts.

        Timesteps must be taken in their order: the second-order step looks back at the one before.
        """
        i = self._place[int(timestep)]
        alpha, sigma, lam = self._alpha, self._sigma, self._lam
        x0 = self._predict_clean(model_output, sample, alpha[i], sigma[i])
        if i + 1 == len(lam):
            return x0, x0
        h = lam[i + 1] - lam[i]
        D = x0
        if i > 0:
            r = (lam[i] - lam[i - 1]) / h
            D = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * self._previous
        self._previous = x0
        return sigma[i + 1] / sigma[i] * sample - alpha[i + 1] * math.expm1(-h) * D, x0

    def _predict_clean(self, output: Tensor, x: Tensor, alpha: float, sigma: float) -> Tensor:
        if self.prediction_type == "sample":
            return output
        if self.prediction_type == "v_prediction":
            return alpha * x - sigma * output
        return (x - sigma * output) / alpha
