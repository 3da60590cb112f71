"""One process of a training, as `torchrun` starts it on each device.

It works in double precision, so that what differs between processes is not rounding, which Adam's
first steps enlarge to the learning rate. After each stage it compares its weights with the others'.
"""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import distributed

import brlp_models.training.loop as loop
from brlp_models.training.examples import Examples, load_batches
from brlp_models.training.pipeline import Training
from brlp_models.training.recipe import Recipe


def load_double_batches(*args: Any, **options: Any) -> Iterator[Examples]:
    batches = load_batches(*args, **options)
    while True:
        # drawn as always, in single precision
        torch.set_default_dtype(torch.float32)
        batch = next(batches)
        torch.set_default_dtype(torch.float64)
        yield {
            name: tensor.double() if tensor.is_floating_point() else tensor
            for name, tensor in batch.items()
        }


def main(recipe: Path, folder: Path, dies_in: str = "") -> None:
    """Train every stage of a recipe; kill this process in the third step of the stage named."""

    def report(stage: str, step: int, _steps: int, _metrics: Mapping[str, float]) -> None:
        if stage == dies_in and step == 2 and os.environ.get("RANK") == "0":
            os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    loop.load_batches = load_double_batches
    training = Training(Recipe.model_validate_json(recipe.read_text()), folder, report)
    for stage in training.stages:
        for name, weights in training.train(stage).items():
            for key, value in weights.items() if distributed.is_initialized() else ():
                first = value.detach().clone()
                distributed.broadcast(first, src=0)
                if not torch.equal(value, first):
                    sys.exit(f"{stage}: {name}.{key} differs between processes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
