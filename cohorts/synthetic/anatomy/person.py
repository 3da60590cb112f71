"""One person's anatomy: the base anatomy in another shape."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import BSpline
from scipy.spatial.transform import Rotation

from cohorts.labels import get_intracranial_codes
from cohorts.synthetic.anatomy.base import BaseAnatomy
from cohorts.synthetic.parameters import AnatomyParameters

_SIZE_GRID_STEP = 4
_SIZE_ITERATIONS = 3


@dataclass(frozen=True)
class PersonAnatomy:
    """A person's label map on the 1 mm grid of the base anatomy."""

    labels: npt.NDArray[np.uint16]
    affine: npt.NDArray[np.float64]


def sample_person(
    base: BaseAnatomy,
    *,
    rng: np.random.Generator,
    head_size_mm3: float | None = None,
    parameters: AnatomyParameters | None = None,
) -> PersonAnatomy:
    """Draw a person's anatomy: the base, rotated, scaled to the head size, smoothly deformed.

    Parameters
    ----------
    base
        The anatomy to deform.
    rng
        Decides the shape.
    head_size_mm3
        The volume inside the skull; None keeps the base anatomy's.
    parameters
        How much people differ.
    """
    parameters = parameters or AnatomyParameters()
    warp = _sample_warp(base.labels.shape, rng, parameters)
    inside = _make_inside_table(int(base.labels.max()))[base.labels]
    target = float(inside.sum()) if head_size_mm3 is None else head_size_mm3
    warp = _scale_to_head_size(warp, inside, target)
    indices = [np.arange(n, dtype=np.float32) for n in base.labels.shape]
    return PersonAnatomy(look_up(base.labels, warp.map_points(indices)), base.affine)


@dataclass(frozen=True)
class _Warp:
    """Backward map: where in the base each voxel of the person comes from."""

    matrix: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]
    control_points: npt.NDArray[np.float64]
    shape: tuple[int, ...]

    def map_points(self, indices: list[npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
        """Return the base's voxel coordinates for the grid spanned by three index vectors."""
        x, y, z = (
            _evaluate_splines(own, n, self.control_points.shape[axis + 1])
            for axis, (own, n) in enumerate(zip(indices, self.shape, strict=True))
        )
        center = (np.array(self.shape) - 1) / 2
        mapped = []
        for axis, control in enumerate(self.control_points):
            row = self.matrix[axis]
            points = np.tensordot(x, y @ (control.astype(np.float32) @ z.T), axes=(1, 0))
            for other, own in enumerate(indices):
                part = (row[other] * (own - center[other])).astype(np.float32)
                points += part.reshape([-1 if k == other else 1 for k in range(3)])
            points += np.float32(center[axis] + self.shift[axis])
            mapped.append(points)
        return mapped


def _sample_warp(
    shape: tuple[int, ...], rng: np.random.Generator, parameters: AnatomyParameters
) -> _Warp:
    rotation = Rotation.from_euler(
        "xyz", rng.normal(0, parameters.rotation_sd_degrees, 3), degrees=True
    ).as_matrix()
    stretch = rng.normal(0, parameters.anisotropy_sd, 3)
    scale = np.diag(np.exp(-(stretch - stretch.mean())))
    counts = [int(np.ceil(n / parameters.control_spacing_mm)) + 3 for n in shape]
    return _Warp(
        matrix=rotation @ scale,
        shift=rng.normal(0, parameters.translation_sd_mm, 3),
        control_points=rng.normal(0, parameters.control_sd_mm, (3, *counts)),
        shape=shape,
    )


def _scale_to_head_size(warp: _Warp, inside: npt.NDArray[np.bool_], target_mm3: float) -> _Warp:
    """Return the warp whose result has the head size, by its volume on a coarse grid."""
    coarse = [np.arange(0, n, _SIZE_GRID_STEP, dtype=np.float32) + 1.5 for n in inside.shape]
    for _ in range(_SIZE_ITERATIONS):
        found = look_up(inside, warp.map_points(coarse)).sum() * _SIZE_GRID_STEP**3
        factor = (float(found) / target_mm3) ** (1 / 3)
        warp = _Warp(warp.matrix * factor, warp.shift, warp.control_points, warp.shape)
    return warp


def _evaluate_splines(
    indices: npt.NDArray[np.float32], n: int, n_controls: int
) -> npt.NDArray[np.float32]:
    """Return the cubic B-spline basis at the indices: (n_indices, n_controls)."""
    knots = np.arange(-3, n_controls + 1, dtype=float)
    positions = np.clip(indices, 0, n - 1) / n * (n_controls - 3)
    return BSpline.design_matrix(positions.astype(float), knots, 3).toarray().astype(np.float32)


def look_up(volume: npt.NDArray[Any], points: list[npt.NDArray[np.float32]]) -> npt.NDArray[Any]:
    """Return the nearest voxels' values; outside the volume it is 0."""
    flat = np.zeros(points[0].shape, dtype=np.int32)
    valid = np.ones(points[0].shape, dtype=bool)
    for own, n in zip(points, volume.shape, strict=True):
        nearest = np.rint(own).astype(np.int32)
        valid &= (nearest >= 0) & (nearest < n)
        flat = flat * n + np.clip(nearest, 0, n - 1)
    found = volume.ravel()[flat]
    found[~valid] = 0
    return found


def _make_inside_table(highest: int) -> npt.NDArray[np.bool_]:
    table = np.zeros(highest + 1, dtype=bool)
    codes = get_intracranial_codes()
    table[codes[codes <= highest]] = True
    return table
