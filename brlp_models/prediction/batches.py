"""Batches that fit into a memory budget."""

import math
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch

from brlp_models.errors import OutOfMemoryError
from brlp_models.model.config import ModelConfig

LARGEST_BATCH = 32

Result = TypeVar("Result", bound=Sized)

_LATENT_MAPS = 40
_SCAN_MAPS = 5
"""Feature maps alive at once in the UNet and in the decoder: measured at the official size."""


@dataclass
class BatchSize:
    """A batch size that halves when memory runs out, and stays there."""

    size: int

    def run(self, function: Callable[[slice], Result], n_items: int) -> Iterator[Result]:
        """Yield `function` of consecutive slices of `range(n_items)`.

        Raises
        ------
        OutOfMemoryError
            Where memory does not suffice for one item.
        """
        start = 0
        while start < n_items:
            try:
                result = function(slice(start, min(start + self.size, n_items)))
            except (MemoryError, RuntimeError) as error:
                self._shrink(error)
                continue
            yield result
            start += len(result)

    def _shrink(self, error: Exception) -> None:
        if not is_out_of_memory(error):
            raise error
        if self.size == 1:
            raise _describe_shortage("draw") from error
        self.size = max(1, self.size // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@contextmanager
def told_when_out_of_memory(what: str) -> Iterator[None]:
    """Raise `OutOfMemoryError` where memory does not suffice for one of what is named."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise _describe_shortage(what) from error


def is_out_of_memory(error: Exception) -> bool:
    """Say whether an error tells that the processor's or the accelerator's memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def choose_batch_sizes(
    config: ModelConfig,
    device: torch.device,
    budget_gb: float | None = None,
    n_latents: int | None = None,
) -> tuple[BatchSize, BatchSize]:
    """Return how many latents to denoise, and how many scans to decode, at once.

    On the processor it is one: larger batches gain little, do not fit into its caches, and round a
    person's numbers otherwise than when that person is alone.

    Parameters
    ----------
    config
        Sets the size of the feature maps.
    device
        Where the networks run.
    budget_gb
        Memory for activations; 60 % of what is free by default.
    n_latents
        How many latents, whatever the memory.
    """
    if device.type == "cpu":
        return BatchSize(1), BatchSize(1)
    budget = 1e9 * budget_gb if budget_gb is not None else _find_free(device)
    latent = math.prod(config.padded_latent_shape) * max(config.unet["channels"]) * 4 * _LATENT_MAPS
    channels = max(config.autoencoder["channels"][:2])
    scan = math.prod(config.shape) * channels * 4 * _SCAN_MAPS
    return BatchSize(n_latents) if n_latents else _fit(budget, latent), _fit(budget, scan)


def _describe_shortage(what: str) -> OutOfMemoryError:
    return OutOfMemoryError(
        f"Memory ran out with one {what} at a time; free some, or use precision bf16, a smaller "
        "model or a machine with more memory."
    )


def _fit(budget: float, item: float) -> BatchSize:
    return BatchSize(int(min(LARGEST_BATCH, max(1, budget // item))))


def _find_free(device: torch.device) -> float:
    return 0.6 * float(torch.cuda.mem_get_info(device)[0])
