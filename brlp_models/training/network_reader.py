"""Training of the network that reads a change in a baseline scan."""

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from brlp_models.baselines.network import NetworkConfig, NetworkReader
from brlp_models.baselines.regression import Array
from brlp_models.errors import ModelError
from brlp_models.training.checkpoint import CHECKPOINT, read_checkpoint, write_checkpoint

FEWEST: Final = 50
"""People in all; a fifth of them, on whom the reading's weight is fitted, must be ten."""

_HELD_BACK: Final = 0.2

Rows = npt.NDArray[np.intp]
Describe = Callable[[int], npt.NDArray[np.float32]]
"""The features of the scan of a person, (1, *shape), by place."""


class NetworkTraining(BaseModel):
    """How the network is trained.

    Parameters
    ----------
    epochs
        At most; the learning rate goes up, and down to 0, over all of them.
    patience
        Epochs without a smaller error in the people held back, after which training ends.
    batch_size, learning_rate, weight_decay
        Of AdamW; the largest rate.
    shift_voxels, brightness
        Each scan is moved by up to so many voxels along each axis, and made brighter or darker by
        up to this share, anew in every epoch.
    seed
        Everything random.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: Annotated[int, Field(ge=1)] = 16
    patience: Annotated[int, Field(ge=1)] = 5
    batch_size: Annotated[int, Field(ge=2)] = 16
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    shift_voxels: Annotated[int, Field(ge=0)] = 1
    brightness: Annotated[float, Field(ge=0, lt=1)] = 0.03
    seed: int = 0


def train_network_reader(
    describe: Describe,
    targets: Array,
    groups: Sequence[Hashable] | None,
    config: NetworkConfig,
    *,
    n_judged: int,
    settings: NetworkTraining | None = None,
    folder: Path | None = None,
    report: Callable[[], None] = lambda: None,
) -> tuple[NetworkReader, Rows, Array]:
    """Train on four in five people, and stop where the others are read worse again.

    Parameters
    ----------
    describe
        Gives scans.
    targets
        (people, outputs), standardized, all known.
    groups
        Of people who are alike in more than chance; whole groups are held back.
    config
        Of the network.
    n_judged
        The first outputs, whose squared error says when to stop; further ones are learned beside.
    settings
        How.
    folder
        Of the checkpoint, one an epoch; an interrupted training goes on from it to the weights that
        an uninterrupted one has. None: no checkpoint.
    report
        Called after each epoch, and at once for each that an interrupted training has done.

    Returns
    -------
    reader : NetworkReader
        With the weights of the best epoch.
    held_back : ndarray
        Places of the people who were not trained on.
    read : ndarray
        What it reads in those, (people held back, outputs).

    Raises
    ------
    ModelError
        For fewer than fifty people.
    """
    settings = settings or NetworkTraining()
    n = len(targets)
    if n < FEWEST:
        raise ModelError(f"A network learns from scans of at least {FEWEST} people, got {n}.")
    held = hold_back(n, groups, seed=settings.seed)
    learned = np.setdiff1d(np.arange(n), held)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = config.build()
        # channels last is a third faster on the CPU
        network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    reader = NetworkReader(config, network)
    optimizer = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    n_batches = len(learned) // settings.batch_size or 1
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.epochs * n_batches
    )
    parts: dict[str, Any] = {"network": network, "optimizer": optimizer, "schedule": schedule}
    best = _Best()
    first = _restore(folder, parts, best)
    for _ in range(first):
        report()
    for epoch in range(first, settings.epochs):
        if epoch - best.epoch > settings.patience:
            break
        rng = np.random.default_rng([settings.seed, epoch])
        network.train()
        for rows in np.array_split(rng.permutation(learned), n_batches):
            scans = torch.stack([_vary(describe(int(row)), rng, settings) for row in rows])
            wanted = torch.from_numpy(targets[rows]).float()
            loss = (network(scans) - wanted).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        read = np.stack([reader.read(describe(int(row))) for row in held])
        error = float(((read - targets[held])[:, :n_judged] ** 2).mean())
        best.take(epoch, error, network.state_dict())
        if folder is not None:
            state = {name: part.state_dict() for name, part in parts.items()}
            write_checkpoint(folder / CHECKPOINT, {"step": epoch + 1, **state, **vars(best)})
        report()
    network.load_state_dict(best.weights)
    return reader, held, np.stack([reader.read(describe(int(row))) for row in held])


def hold_back(n: int, groups: Sequence[Hashable] | None, *, seed: int) -> Rows:
    """Return the places of at least a fifth of the people: of whole groups, if there are several.

    Parameters
    ----------
    n
        How many people.
    groups
        One a person, or None.
    seed
        Decides whom.
    """
    rng = np.random.default_rng(seed)
    names = (
        np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    )
    if names.max() == 0:
        names = np.arange(n)
    order = rng.permutation(names.max() + 1)
    sizes = np.cumsum(np.bincount(names)[order])
    n_groups = min(1 + int(np.searchsorted(sizes, _HELD_BACK * n)), len(order) - 1)
    return np.flatnonzero(np.isin(names, order[:n_groups]))


class _Best:
    """The epoch with the smallest error in the people held back."""

    def __init__(self) -> None:
        self.epoch, self.error, self.weights = -1, float("inf"), dict[str, Tensor]()

    def take(self, epoch: int, error: float, weights: dict[str, Tensor]) -> None:
        if error < self.error:
            self.epoch, self.error = epoch, error
            self.weights = {name: value.clone() for name, value in weights.items()}


def _restore(folder: Path | None, parts: dict[str, Any], best: _Best) -> int:
    """Return the epoch to go on with."""
    if folder is None or not (folder / CHECKPOINT).is_file():
        return 0
    state = read_checkpoint(folder / CHECKPOINT)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    best.epoch, best.error, best.weights = state["epoch"], state["error"], state["weights"]
    return int(state["step"])


def _vary(
    scan: npt.NDArray[np.float32], rng: np.random.Generator, settings: NetworkTraining
) -> Tensor:
    far = settings.shift_voxels
    # the brain is surrounded by air, so that nothing comes in again on the other side
    moved = np.roll(scan, rng.integers(-far, far + 1, 3), axis=(1, 2, 3))
    return torch.from_numpy(moved * np.float32(1 + settings.brightness * rng.uniform(-1, 1)))
