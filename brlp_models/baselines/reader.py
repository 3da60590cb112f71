"""Ridge regression from the features of a scan to numbers, with more features than people."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from brlp_models.baselines.regression import Array
from brlp_models.errors import ModelError

_PENALTIES: Final = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Over the mean of the kernel's diagonal, which is about 1."""

_INTERCEPT: Final = 100.0
"""Weight of the constant in the kernel: large, so that it is not penalized."""

_FLOOR: Final = 0.3
"""Added to a feature's sd, so that a cell that is empty in all but a few people does not count."""


@dataclass(frozen=True)
class LinearReader:
    """Numbers that are linear in a scan's features.

    Parameters
    ----------
    mean, sd
        Of each feature, (features,).
    weights
        Of standardized features, (features, outputs).
    intercept
        (outputs,).
    """

    mean: npt.NDArray[np.float32]
    sd: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float16]
    intercept: npt.NDArray[np.float32]

    def read(self, features: npt.NDArray[np.float32]) -> Array:
        """Return the numbers of one scan, (outputs,)."""
        standard = ((features - self.mean) / self.sd).astype(np.float64)
        return np.asarray(standard @ self.weights.astype(np.float64) + self.intercept)

    def write(self, path: Path) -> None:
        """Write the arrays as safetensors."""
        save_file({name: np.ascontiguousarray(own) for name, own in vars(self).items()}, path)

    @classmethod
    def load(cls, path: Path) -> "LinearReader":
        """Read the arrays.

        Raises
        ------
        ModelError
            Where the file cannot be read, or lacks one or has one of another shape.
        """
        try:
            found = load_file(path)
            reader = cls(**found)
        except (SafetensorError, OSError, TypeError) as error:
            raise ModelError(f"{path} cannot be read as a reader's safetensors: {error}") from error
        n = len(reader.mean)
        shapes = (reader.sd.shape, reader.weights.shape, reader.intercept.shape)
        if shapes != ((n,), (n, reader.weights.shape[-1]), (reader.weights.shape[-1],)):
            raise ModelError(f"{path}: the arrays of a reader do not fit each other, got {shapes}.")
        return reader


def fit_reader(
    features: npt.NDArray[np.float32], targets: Array, groups: Sequence[Hashable] | None = None
) -> tuple[LinearReader, Array]:
    """Return a reader, and what it reads in each person when fitted without the person's group.

    The latter is exact and needs no second fit: with G the penalized kernel's inverse, it is y less
    the solution of G[group, group] e = (G y)[group] (Rasmussen and Williams 2006, section 5.4.2,
    for one left out). Each target has the penalty with the smallest such error.

    Parameters
    ----------
    features
        (people, features).
    targets
        (people, outputs), all known.
    groups
        Of people who are alike in more than chance, as those drawn from one anatomy; each is one of
        its own where left out.

    Returns
    -------
    reader : LinearReader
    held_out : ndarray
        (people, outputs).
    """
    mean = features.mean(axis=0)
    sd = features.std(axis=0) + np.float32(_FLOOR)
    standard = (features - mean) / sd
    kernel = standard.astype(np.float64) @ standard.T.astype(np.float64)
    scale = np.trace(kernel) / len(kernel)
    kernel = kernel / scale + _INTERCEPT
    members = _list_members(groups, len(features))
    held_out, duals = np.empty_like(targets), np.empty_like(targets)
    least = np.full(targets.shape[1], np.inf)
    for penalty in _PENALTIES:
        inverse = np.linalg.inv(kernel + penalty * np.eye(len(kernel)))
        dual = inverse @ targets
        read = targets.copy()
        for own in members:
            read[own] -= np.linalg.solve(inverse[np.ix_(own, own)], dual[own])
        error = ((read - targets) ** 2).mean(axis=0)
        better = error < least
        held_out[:, better], duals[:, better] = read[:, better], dual[:, better]
        least = np.minimum(least, error)
    weights = standard.T.astype(np.float64) @ duals / scale
    reader = LinearReader(
        mean,
        sd,
        weights.astype(np.float16),
        (_INTERCEPT * duals.sum(axis=0)).astype(np.float32),
    )
    return reader, held_out


def _list_members(groups: Sequence[Hashable] | None, n: int) -> list[npt.NDArray[np.intp]]:
    if groups is None:
        return [np.array([row]) for row in range(n)]
    names = np.unique(np.asarray(groups), return_inverse=True)[1]
    return [np.flatnonzero(names == number) for number in range(names.max() + 1)]
