"""Examples that a stage of training learns from, the same on any number of devices."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


@dataclass(frozen=True)
class Draw:
    """Every random number of one example; made from (seed, step, place in the step) alone.

    No state is carried from step to step, so a resumed run draws what an uninterrupted one draws;
    an example is the same on whichever device, and whichever worker, it is drawn.
    """

    rng: np.random.Generator
    generator: torch.Generator
    step: int

    @classmethod
    def of(cls, *, seed: int, step: int, place: int = 0) -> "Draw":
        """Return the draw of one example of a step, over all batches and devices of the step."""
        first, second = np.random.SeedSequence((seed, step, place)).spawn(2)
        generator = torch.Generator().manual_seed(int(second.generate_state(1)[0]))
        return cls(np.random.default_rng(first), generator, step)


Examples = dict[str, Tensor]
"""What a stage learns from, by name; in a batch each tensor has one more axis in front."""


class ExampleSource(Protocol):
    """What draws examples; `batch_size` is that of one batch on one device."""

    batch_size: int

    def draw_example(self, draw: Draw) -> Examples:
        """Return one example, on the CPU."""
        ...


@dataclass(frozen=True)
class _Drawn(Dataset[Examples]):
    """The examples of a training by (step, place)."""

    source: ExampleSource
    seed: int

    def __getitem__(self, key: tuple[int, int]) -> Examples:
        step, place = key
        return self.source.draw_example(Draw.of(seed=self.seed, step=step, place=place))


def load_batches(
    source: ExampleSource,
    steps: range,
    accelerator: Accelerator,
    *,
    seed: int,
    accumulation: int = 1,
    workers: int = 0,
) -> Iterator[Examples]:
    """Return this process's batches, in the order of their steps.

    Parameters
    ----------
    source
        Draws them.
    steps
        Of the optimizer.
    accelerator
        Says which process this is; a step's places are dealt out batch by batch, in order.
    seed
        Of the stage.
    accumulation
        Batches a step.
    workers
        Processes that draw; 0: this one. The same examples with any number.
    """
    n, processes = source.batch_size, accelerator.num_processes
    keys = [
        [(step, (batch * processes + accelerator.process_index) * n + k) for k in range(n)]
        for step in steps
        for batch in range(accumulation)
    ]
    return iter(
        DataLoader(
            _Drawn(source, seed),
            batch_sampler=keys,
            num_workers=workers,
            pin_memory=accelerator.device.type == "cuda",
        )
    )
