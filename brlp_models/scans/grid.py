"""The voxel grid of a model, and images carried between grids."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brlp_models.errors import ModelError

Affine = NDArray[np.float64]
"""A 4 x 4 matrix between spaces in mm, or from voxels to mm; axes run right, anterior, superior."""


@dataclass(frozen=True)
class Grid:
    """Voxels and where they lie.

    Parameters
    ----------
    shape
        Voxels along each axis.
    affine
        Voxel-to-world matrix, 4 x 4, mm.

    Raises
    ------
    ModelError
        Where the shape has no three axes or the affine cannot be inverted.
    """

    shape: tuple[int, int, int]
    affine: Affine

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=float)
        if len(self.shape) != 3 or affine.shape != (4, 4) or abs(np.linalg.det(affine)) < 1e-9:
            raise ModelError(
                "A grid needs three axes and an invertible 4 x 4 affine, "
                f"got the shape {self.shape} and the affine {affine.tolist()}."
            )
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))
        object.__setattr__(self, "affine", affine)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Grid)
            and self.shape == other.shape
            and np.allclose(self.affine, other.affine, atol=1e-4)
        )

    def __hash__(self) -> int:
        return hash(self.shape)

    @classmethod
    def of_image(cls, image: Any) -> "Grid":
        """Return the grid of a nibabel image."""
        return cls(tuple(image.shape[:3]), image.affine)

    @classmethod
    def of_config(cls, config: Any) -> "Grid":
        """Return the grid of a model, from a `ModelConfig`."""
        return cls(tuple(config.shape), np.asarray(config.affine, dtype=float))

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """Distance of neighboring voxels along each axis."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0), dtype=float)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of a voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))


def resample(
    array: ArrayLike,
    source: Grid,
    target: Grid,
    *,
    source_to_target: ArrayLike | None = None,
    order: int = 1,
) -> NDArray[Any]:
    """Return an image on another grid.

    Parameters
    ----------
    array
        The image on `source`.
    source, target
        Grids.
    source_to_target
        Matrix from the source's world to the target's (RAS, mm); the same world when None.
    order
        1 interpolates linearly, 0 takes the nearest voxel (for labels; the type is kept).

    Returns
    -------
    numpy.ndarray
        Shape of `target`; 0 outside of the source.
    """
    from scipy.ndimage import affine_transform

    values: NDArray[Any] = np.asarray(array)
    if values.dtype == bool:
        nearest = resample(
            values.astype(np.uint8), source, target, source_to_target=source_to_target, order=0
        )
        return nearest.astype(bool)
    matrix = _find_matrix(source, target, source_to_target)
    if order > 0:
        values = values.astype(np.float32, copy=False)
    level: Literal[0, 1] = 1 if order else 0
    result = affine_transform(
        values, matrix, output_shape=target.shape, order=level, mode="constant", cval=0
    )
    return np.asarray(result)


def _find_matrix(source: Grid, target: Grid, source_to_target: ArrayLike | None) -> Affine:
    """Return the matrix from voxels of the target to those of the source."""
    world = np.eye(4) if source_to_target is None else np.asarray(source_to_target, dtype=float)
    matrix = np.linalg.inv(source.affine) @ np.linalg.inv(world) @ target.affine
    whole = np.rint(matrix)
    # rounding would leave voxels at the faces of an oblique image just outside of it
    return np.asarray(whole if np.allclose(matrix, whole, rtol=0, atol=1e-9) else matrix)


def find_points(
    source: Grid,
    target: Grid,
    inside: NDArray[np.bool_],
    *,
    source_to_target: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Return where some voxels of a grid lie between those of another, for `sample_points`.

    Parameters
    ----------
    source, target, source_to_target
        As in `resample`.
    inside
        Which voxels, shape of `target`.

    Returns
    -------
    numpy.ndarray
        (3, n), in voxels of `source`, in the order of `inside`.
    """
    matrix = _find_matrix(source, target, source_to_target)
    x, y, z = (own.astype(np.float64) for own in np.nonzero(inside))
    # added in this order, they are the very points of `resample`
    return np.stack([row[3] + row[0] * x + row[1] * y + row[2] * z for row in matrix[:3]])


def sample_points(array: ArrayLike, points: NDArray[np.float64], *, order: int = 1) -> NDArray[Any]:
    """Return what `resample` gives the voxels of `find_points`, bit for bit.

    Parameters
    ----------
    array
        The image on the source's grid.
    points
        From `find_points`.
    order
        As in `resample`.
    """
    from scipy.ndimage import map_coordinates

    values: NDArray[Any] = np.asarray(array)
    if order > 0:
        values = values.astype(np.float32, copy=False)
    level: Literal[0, 1] = 1 if order else 0
    return np.asarray(map_coordinates(values, points, order=level, mode="constant", cval=0))


def resample_winner(
    layers: Iterable[ArrayLike],
    source: Grid,
    target: Grid,
    *,
    source_to_target: ArrayLike | None = None,
) -> NDArray[np.intp]:
    """Return which of several layers is the largest at each voxel of another grid.

    Parameters
    ----------
    layers
        Shares or probabilities on `source`, one array a class; they are interpolated linearly, one
        after the other, so that all of them need not fit into memory.
    source, target, source_to_target
        As in `resample`.

    Returns
    -------
    numpy.ndarray
        The number of the layer, shape of `target`; 0 where none is above 0.
    """
    winner = np.zeros(target.shape, dtype=np.intp)
    largest = np.zeros(target.shape, dtype=np.float32)
    for number, layer in enumerate(layers):
        values = resample(
            np.asarray(layer, dtype=np.float32), source, target, source_to_target=source_to_target
        )
        wins = values > largest
        winner[wins], largest[wins] = number, values[wins]
    return winner


def resample_labels(
    labels: NDArray[Any],
    source: Grid,
    target: Grid,
    *,
    source_to_target: ArrayLike | None = None,
    inside: NDArray[np.bool_] | None = None,
) -> NDArray[Any]:
    """Return a label map on another grid, each voxel with the label of the largest share.

    The nearest voxel (`resample` with order 0) shifts boundaries by up to half a voxel, which costs
    a hippocampus at 2 mm 0.08 of Dice.

    Parameters
    ----------
    labels, source, target, source_to_target
        As in `resample`; the type is kept, 0 is the background.
    inside
        Which voxels of the target are wanted; the others are 0. All of them by default.
    """
    wanted = np.ones(target.shape, dtype=bool) if inside is None else inside
    result = np.zeros(target.shape, dtype=labels.dtype)
    points = find_points(source, target, wanted, source_to_target=source_to_target)
    result[wanted] = _vote(labels, points)
    return result


def _vote(labels: NDArray[Any], points: NDArray[np.float64]) -> NDArray[Any]:
    """Return at each point the label of the largest share; 0 outside of the map."""
    ends = np.array(labels.shape)[:, None] - 1
    found = ((points >= 0) & (points <= ends)).all(axis=0)
    places = points[:, found]
    low = np.floor(places).astype(np.intp)
    # a point on a voxel has its label: all of them, where the map lies on the grid already
    winner = labels[tuple(low)]
    between = np.flatnonzero((places != low).any(axis=0))
    low, places = low[:, between], places[:, between]
    sides = list(zip(low, np.minimum(low + 1, ends), strict=True))
    corners = np.stack([labels[corner] for corner in itertools.product(*sides)])
    # where all neighbors have one label nothing has to be interpolated
    mixed = (corners != corners[0]).any(axis=0)
    corners, places = corners[:, mixed], places[:, mixed]
    won = np.zeros(places.shape[1], dtype=labels.dtype)
    largest = np.zeros(places.shape[1], dtype=np.float32)
    for code in np.unique(corners):
        near = np.flatnonzero((corners == code).any(axis=0))
        shares = sample_points(labels == code, places[:, near])
        wins = shares > largest[near]
        won[near[wins]], largest[near[wins]] = code, shares[wins]
    winner[between[mixed]] = won
    result = np.zeros(points.shape[1], dtype=labels.dtype)
    result[found] = winner
    return result


def make_grid(source: Grid, spacing_mm: float, *, margin_mm: Sequence[float] = (0, 0, 0)) -> Grid:
    """Return a grid over the same field of view, with axes right-anterior-superior.

    Parameters
    ----------
    source
        Whose corners are to be covered.
    spacing_mm
        Distance of voxels, equal along all axes.
    margin_mm
        Added on either side of each axis.
    """
    ends = np.array(np.meshgrid(*[(0, size - 1) for size in source.shape])).reshape(3, -1)
    corners = source.affine[:3, :3] @ ends + source.affine[:3, 3:]
    low = corners.min(1) - np.asarray(margin_mm, dtype=float)
    high = corners.max(1) + np.asarray(margin_mm, dtype=float)
    shape = np.maximum(np.floor((high - low) / spacing_mm).astype(int) + 1, 1)
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = low
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)
