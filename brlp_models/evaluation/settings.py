"""How much an evaluation does."""

from dataclasses import dataclass

from brlp_models.errors import ModelError
from brlp_models.model.schedule import Sampler


@dataclass(frozen=True)
class EvaluationSettings:
    """How much is evaluated.

    Parameters
    ----------
    horizons_months
        Months after baseline.
    samples
        Draws of the main table.
    compared_samples, compared_steps
        Further numbers of draws, and of denoising steps, on `n_compared` people.
    reference_steps
        What the mean latents of `compared_steps` are compared with.
    n_conditions
        People of the conditions that part scan and context, at the last horizon; 0 leaves those
        out.
    n_compared
        People of the comparisons, at the last horizon; 0 leaves those out.
    n_bootstrap
        Resamples of people.
    seed
        Of everything random.
    volumes_only
        No predicted scan is made, no later scan is read: what stands on volumes costs no more than
        predicting these.

    Raises
    ------
    ModelError
        For comparisons beside `volumes_only`.
    """

    horizons_months: tuple[float, ...] = (24.0, 48.0)
    samples: int = 4
    compared_samples: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    compared_steps: tuple[tuple[Sampler, int], ...] = (
        ("dpm-solver++", 2), ("dpm-solver++", 4), ("dpm-solver++", 8), ("dpm-solver++", 16),
        ("ddim", 4), ("ddim", 10), ("ddim", 25), ("ddim", 50),
    )  # fmt: skip
    reference_steps: tuple[Sampler, int] = ("ddim", 200)
    n_conditions: int = 40
    n_compared: int = 6
    n_bootstrap: int = 1000
    seed: int = 1
    volumes_only: bool = False

    def __post_init__(self) -> None:
        if self.volumes_only and self.n_compared:
            raise ModelError(
                "Ablation, draws and steps are compared in predicted scans, which an evaluation of "
                f"volumes only does not make: compare 0 people, got {self.n_compared}."
            )
