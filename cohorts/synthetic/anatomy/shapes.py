"""Simple solids in MNI space, that modelled structures are made of."""

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Volume = npt.NDArray[np.float32]


def make_coordinates(
    shape: tuple[int, ...], affine: npt.NDArray[np.float64]
) -> tuple[Volume, Volume, Volume]:
    """Return the coordinates in mm along each axis of an RAS grid, ready to broadcast."""
    x, y, z = (
        (affine[k, 3] + affine[k, k] * np.arange(n, dtype=np.float32))
        .astype(np.float32)
        .reshape([-1 if j == k else 1 for j in range(3)])
        for k, n in enumerate(shape)
    )
    return x, y, z


def make_ellipsoid(
    grid: tuple[Volume, ...], center: tuple[float, ...], half_axes: tuple[float, ...]
) -> Mask:
    """Return two ellipsoids, one on each side, mirrored in the plane x = 0."""
    x, y, z = grid
    own = (np.abs(x), y, z)
    radius: npt.NDArray[np.floating] = np.zeros((1, 1, 1), dtype=np.float32)
    for g, c, h in zip(own, center, half_axes, strict=True):
        radius = radius + ((g - c) / h) ** 2
    return radius < 1


def make_tube(
    grid: tuple[Volume, ...], line: tuple[tuple[float, ...], ...], *, mirrored: bool
) -> Mask:
    """Return the union of balls along a line between the given centres and radii."""
    points = np.array(line)
    steps = np.linspace(0, len(points) - 1, 8 * len(points))
    dense = np.stack([np.interp(steps, np.arange(len(points)), own) for own in points.T], axis=1)
    x, y, z = grid
    side = np.abs(x) if mirrored else x
    tube = np.zeros(np.broadcast_shapes(*(g.shape for g in grid)), dtype=bool)
    for cx, cy, cz, radius in dense:
        j, k = (_span(own, center, radius) for own, center in ((y, cy), (z, cz)))
        flat = (y[:, j] - cy) ** 2 + (z[:, :, k] - cz) ** 2
        tube[:, j, k] |= (side - cx) ** 2 + flat < radius**2
    return tube


def _span(own: Volume, center: float, radius: float) -> slice:
    inside = np.flatnonzero(np.abs(own.ravel() - center) < radius)
    return slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(0, 0)
