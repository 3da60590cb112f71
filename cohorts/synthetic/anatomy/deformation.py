"""The smooth local deformation that gives regions their volumes.

A structure's boundary moves along its smoothed normal n by an amplitude a: the visit's image at x
is the person's at x + u(x), u = sum_s a_s n_s(x) exp(-phi_s(x)^2 / (2 rho_s^2)), phi_s the signed
distance to structure s, rho_s its reach. A positive amplitude shrinks it. The amplitudes of all
structures are found together, by secant steps on the partial-volume counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cohorts.errors import CohortError
from cohorts.labels import get_codes
from cohorts.synthetic.anatomy.base import find_codes
from cohorts.synthetic.anatomy.cortex import Cortex, Floats, prepare_cortex, shift_to_volume
from cohorts.synthetic.anatomy.masks import find_box
from cohorts.synthetic.anatomy.person import PersonAnatomy
from cohorts.synthetic.parameters import DeformationParameters
from cohorts.synthetic.resampling import Box, align_box, average_by_area, interpolate_to_fine

DEEP_STRUCTURES: Final = (
    "lateral_ventricle",
    "thalamus",
    "amygdala",
    "left_hippocampus",
    "right_hippocampus",
)
"""The structures that a displacement field moves."""

TARGET_REGIONS: Final = (*DEEP_STRUCTURES, "cerebral_cortex")
"""The regions whose volume at a visit can be asked for."""

_COARSE_MM = 2.0
_RELATIVE_TOLERANCE = 5e-4
_MAX_ITERATIONS = 12
_MAX_ERROR = 0.03
_RIDGE_TOLERANCE = 0.4
_BLUR_REACH_SD = 3.0


@dataclass(frozen=True)
class MovableStructure:
    """A structure and the field that moves its boundary by 1 mm inwards.

    Parameters
    ----------
    box
        Where the field is not zero, in the person's grid.
    field
        (3, box): displacement in mm for amplitude 1.
    share
        (box): the structure's share of each voxel.
    band
        Flat indices into the box where the share can change.
    points
        (3, band): where the band's voxels are in the box.
    clearance
        (band): how far in mm along an axis each voxel may sample before its share changes.
    fixed_mm3
        The volume outside the band.
    area_mm2
        The volume lost per mm of amplitude, at the start.
    growth_limit
        (box): how far in mm each voxel may sample inwards without passing the structure's middle.
    largest_amplitude
        In mm; beyond it the map would fold.
    offset
        (box): the shape, in mm inwards on top of the amplitude; 0 for an average one.
    """

    box: Box
    field: Floats
    share: Floats
    band: npt.NDArray[np.intp]
    points: Floats
    clearance: Floats
    fixed_mm3: float
    area_mm2: float
    growth_limit: Floats
    largest_amplitude: float
    offset: Floats | None = None

    def add_displacement(self, total: Floats, amplitude: float) -> None:
        """Add the field for an amplitude in mm, in place; a negative one grows the structure."""
        own: Floats | np.float32 = np.float32(amplitude)
        if self.offset is not None:
            own = np.maximum(own + self.offset, -self.growth_limit)
        elif amplitude < 0:
            own = np.maximum(own, -self.growth_limit)
        for axis in range(3):
            total[axis] += own * self.field[axis]


@dataclass(frozen=True)
class MovableAnatomy:
    """A person's anatomy, ready to be deformed."""

    person: PersonAnatomy
    box: Box
    structures: dict[str, MovableStructure]
    cortex: Cortex
    parameters: DeformationParameters

    @cached_property
    def bands(self) -> dict[str, npt.NDArray[np.intp]]:
        """Flat indices of each structure's band into the anatomy's box."""
        shape = tuple(side.stop - side.start for side in self.box)
        return {
            name: np.ravel_multi_index(
                tuple(
                    own.astype(np.intp) + (inner.start - outer.start)
                    for own, inner, outer in zip(s.points, s.box, self.box, strict=True)
                ),
                shape,
            )
            for name, s in self.structures.items()
        }


@dataclass(frozen=True)
class Deformation:
    """One visit's displacement.

    Parameters
    ----------
    displacement
        (3, box of the anatomy) in mm.
    amplitudes
        By structure, in mm.
    cortical_gain
        The change of the tissue's share in `Cortex.voxels`.
    """

    displacement: Floats
    amplitudes: dict[str, float]
    cortical_gain: Floats


def prepare_anatomy(
    person: PersonAnatomy, parameters: DeformationParameters | None = None
) -> MovableAnatomy:
    """Return the person's anatomy with the fields that move its structures."""
    parameters = parameters or DeformationParameters()
    structures = {
        name: _prepare_structure(person.labels, name, parameters) for name in DEEP_STRUCTURES
    }
    boxes = [structure.box for structure in structures.values()]
    x, y, z = (
        slice(min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes))
        for axis in range(3)
    )
    return MovableAnatomy(person, (x, y, z), structures, prepare_cortex(person.labels), parameters)


def deform_to_volumes(
    anatomy: MovableAnatomy,
    volumes_mm3: Mapping[str, float],
    *,
    start: Deformation | None = None,
) -> Deformation:
    """Return the deformation that gives the person's regions their volumes.

    Parameters
    ----------
    anatomy
        From `prepare_anatomy`.
    volumes_mm3
        Target by region of `TARGET_REGIONS`; a region that is absent keeps its volume.
    start
        A deformation to begin from: the visit before.

    Raises
    ------
    CohortError
        Where a region is unknown, or the anatomy cannot reach a volume without folding.
    """
    unknown = sorted(set(volumes_mm3) - set(TARGET_REGIONS))
    if unknown:
        raise CohortError(
            f"Volumes can be asked for {', '.join(TARGET_REGIONS)}; got {', '.join(unknown)}."
        )
    amplitudes, displacement = _solve_amplitudes(anatomy, volumes_mm3, start)
    target = volumes_mm3.get("cerebral_cortex", anatomy.cortex.volume_mm3)
    limit = anatomy.parameters.largest_cortical_shift_mm
    return Deformation(displacement, amplitudes, shift_to_volume(anatomy.cortex, target, limit))


def _solve_amplitudes(
    anatomy: MovableAnatomy, volumes_mm3: Mapping[str, float], start: Deformation | None
) -> tuple[dict[str, float], Floats]:
    names = list(anatomy.structures)
    own = {
        name: s.fixed_mm3 + float(s.share.ravel()[s.band].sum())
        for name, s in anatomy.structures.items()
    }
    targets = np.array([volumes_mm3.get(name, own[name]) for name in names])
    limits = np.array([anatomy.structures[name].largest_amplitude for name in names])
    amplitudes = np.array([start.amplitudes[name] if start else 0.0 for name in names])
    slopes = -np.array([anatomy.structures[name].area_mm2 for name in names])
    previous: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None
    for _ in range(_MAX_ITERATIONS):
        displacement = _sum_fields(anatomy, dict(zip(names, amplitudes, strict=True)))
        found = np.array([_measure(anatomy, name, displacement) for name in names])
        if (np.abs(found - targets) <= _RELATIVE_TOLERANCE * targets).all():
            break
        if previous is not None:
            slopes = _update_slopes(slopes, amplitudes - previous[0], found - previous[1])
        previous = amplitudes, found
        amplitudes = np.clip(amplitudes + (targets - found) / slopes, -limits, limits)
    failed = np.abs(found - targets) > _MAX_ERROR * targets
    if failed.any():
        raise CohortError(
            *(
                f"{names[i]} cannot reach {targets[i]:.0f} mm3 by a smooth deformation of this "
                f"anatomy, whose own is {own[names[i]]:.0f} mm3: it stops at {found[i]:.0f} mm3."
                for i in np.flatnonzero(failed)
            )
        )
    return dict(zip(names, map(float, amplitudes), strict=True)), displacement


def _update_slopes(
    slopes: npt.NDArray[np.float64],
    step: npt.NDArray[np.float64],
    response: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the secant slopes, held within a factor of 3 of the ones before."""
    secant = np.divide(response, step, out=slopes.copy(), where=np.abs(step) > 1e-3)
    return -np.clip(-secant, -slopes / 3, -slopes * 3)


def _sum_fields(anatomy: MovableAnatomy, amplitudes: Mapping[str, float]) -> Floats:
    total = np.zeros((3, *(side.stop - side.start for side in anatomy.box)), dtype=np.float32)
    for name, amplitude in amplitudes.items():
        structure = anatomy.structures[name]
        local = total[(slice(None), *_shift_box(structure.box, anatomy.box))]
        structure.add_displacement(local, amplitude)
    return total


def _measure(anatomy: MovableAnatomy, name: str, displacement: Floats) -> float:
    fixed = anatomy.structures[name].fixed_mm3
    return fixed + float(_sample_band(anatomy, name, displacement).sum())


def warp_share(anatomy: MovableAnatomy, name: str, deformation: Deformation) -> Floats:
    """Return the structure's share of each voxel of its own box at the visit."""
    structure = anatomy.structures[name]
    share = structure.share.copy()
    share.ravel()[structure.band] = _sample_band(anatomy, name, deformation.displacement)
    return share


def find_sources(anatomy: MovableAnatomy, deformation: Deformation) -> list[Floats]:
    """Return, along each axis, where in the person's grid the box of the anatomy comes from."""
    indices = np.ogrid[anatomy.box]
    return [
        moved + own.astype(np.float32)
        for moved, own in zip(deformation.displacement, indices, strict=True)
    ]


def _sample_band(anatomy: MovableAnatomy, name: str, displacement: Floats) -> Floats:
    """Return the displaced share of the band's voxels; most sample where nothing changes."""
    structure = anatomy.structures[name]
    local = displacement[(slice(None), *_shift_box(structure.box, anatomy.box))]
    near = np.flatnonzero(structure.clearance <= max(local.max(), -local.min()))
    steps = displacement.reshape(3, -1)[:, anatomy.bands[name][near]]
    share: Floats = structure.share.ravel()[structure.band]
    far = np.abs(steps).max(axis=0) >= structure.clearance[near]
    changed = near[far]
    points = structure.points[:, changed] + steps[:, far]
    share[changed] = ndimage.map_coordinates(structure.share, points, order=1, mode="nearest")
    return share


def _shift_box(inner: Box, outer: Box) -> Box:
    x, y, z = (
        slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer, strict=True)
    )
    return x, y, z


def _prepare_structure(
    labels: npt.NDArray[np.uint16], name: str, parameters: DeformationParameters
) -> MovableStructure:
    region = name.removeprefix("left_").removeprefix("right_")
    reach = float(getattr(parameters, f"{region}_reach_mm"))
    mask = find_codes(labels, get_codes(name))
    if not mask.any():
        raise CohortError("A deformed anatomy lost one of its deep structures.")
    box = align_box(find_box(mask, margin=int(np.ceil(2.2 * reach))))
    local = mask[box].astype(np.float32)
    coarse = average_by_area(local, _COARSE_MM) >= 0.5
    depth = ndimage.distance_transform_edt(coarse).astype(np.float32)
    height = ndimage.distance_transform_edt(~coarse).astype(np.float32)
    distance = _COARSE_MM * (height - depth)
    smooth = np.asarray(
        ndimage.gaussian_filter(distance, parameters.normal_smoothing_mm / _COARSE_MM),
        dtype=np.float32,
    )
    window = np.exp(-0.5 * (smooth / reach) ** 2) / _COARSE_MM
    field = np.stack([interpolate_to_fine(window * slope) for slope in np.gradient(smooth)])
    strength = np.sqrt((field**2).sum(axis=0)) + np.float32(1e-3)
    share = _blur(local, parameters.edge_sd_mm)
    fine_distance = interpolate_to_fine(smooth)
    band = np.flatnonzero(np.abs(fine_distance) < 1.3 * reach + 2)
    return MovableStructure(
        box=box,
        field=field,
        share=share,
        band=band,
        points=np.stack(np.unravel_index(band, share.shape)).astype(np.float32),
        clearance=_measure_clearance(share).ravel()[band],
        fixed_mm3=float(share.sum()) - float(share.ravel()[band].sum()),
        area_mm2=-float(sum((a * b).sum() for a, b in zip(np.gradient(share), field, strict=True))),
        growth_limit=interpolate_to_fine(_measure_room(depth)) / strength,
        largest_amplitude=parameters.largest_amplitude * reach,
    )


def _blur(mask: Floats, sd: float) -> Floats:
    blurred = np.zeros_like(mask)
    box = find_box(mask > 0, margin=int(np.ceil(_BLUR_REACH_SD * sd)))
    blurred[box] = ndimage.gaussian_filter(mask[box], sd, truncate=_BLUR_REACH_SD)
    return blurred


def _measure_clearance(share: Floats) -> Floats:
    """Return how far a voxel may sample along each axis and find the constant that it has."""
    edge = (share > 0) & (share < share.max())
    voxels = ndimage.distance_transform_cdt(~edge, "chessboard")
    # interpolation reads one voxel further, and positions are rounded
    return voxels.astype(np.float32) - np.float32(1.01)


def _measure_room(depth: Floats) -> Floats:
    """Return nine tenths of the distance in mm to the middle: the ridge of the depth inside."""
    ridge = (depth > 0) & (depth >= ndimage.maximum_filter(depth, 3) - _RIDGE_TOLERANCE)
    room = 0.9 * _COARSE_MM * ndimage.distance_transform_edt(~ridge)
    return room.astype(np.float32)
