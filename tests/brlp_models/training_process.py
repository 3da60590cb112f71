"""Processes of trainings, as `torchrun` starts one on each device, forked so that torch loads once.

They work in double precision, so that what differs between processes is not rounding, which Adam's
first steps enlarge to the learning rate. After each stage they compare weights with one another's.
"""

import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import distributed

import brlp_models.training.loop as loop
from brlp_models.training.examples import Examples, load_batches
from brlp_models.training.pipeline import Training
from brlp_models.training.recipe import STAGES, Recipe


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


def train(recipe: Recipe, folder: Path, dies_in: str) -> None:
    """Train every stage of a recipe; kill this process in the third step of the stage named."""

    def report(stage: str, step: int, _steps: int, _metrics: Mapping[str, float]) -> None:
        if stage == dies_in and step == 2 and os.environ.get("RANK") == "0":
            os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    loop.load_batches = load_double_batches
    training = Training(recipe, folder, report)
    for stage in training.stages:
        for name, weights in training.train(stage).items():
            for key, value in weights.items() if distributed.is_initialized() else ():
                first = value.detach().clone()
                distributed.broadcast(first, src=0)
                if not torch.equal(value, first):
                    sys.exit(f"{stage}: {name}.{key} differs between processes")


def describe_rank(rank: int, count: int, port: int) -> dict[str, str]:
    """Return what `torchrun` tells a process of its place among the others."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def run(recipe: Recipe, folder: Path, count: int, dies_in: str) -> bool:
    """Train with `count` processes, all of which end where one dies; tell whether all succeeded."""
    port, started = find_port(), set()
    for rank in range(count):
        if child := os.fork():
            started.add(child)
            continue
        if count > 1:
            os.environ |= describe_rank(rank, count, port)
        try:
            train(recipe, folder, dies_in)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    succeeded = True
    while started:
        child, status = os.wait()
        started.discard(child)
        if status and succeeded:
            succeeded = False
            for other in started:
                os.kill(other, signal.SIGKILL)
    return succeeded


def main() -> None:
    """Do the runs that are listed on the standard input, one a line.

    Of each, write whether it succeeded, and the stages that have begun by then.
    """
    # what PyTorch imports with the first optimizer is imported once, too
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    for line in sys.stdin:
        asked = json.loads(line)
        recipe, folder = Recipe.model_validate(asked["recipe"]), Path(asked["folder"])
        succeeded = run(recipe, folder, asked["processes"], asked["dies_in"])
        begun = [stage for stage in STAGES if (folder / stage).exists()]
        sys.stdout.write(json.dumps([succeeded, begun]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
