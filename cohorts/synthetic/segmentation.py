"""The label map of a visit, with voxel counts that are the intended volumes."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cohorts.errors import CohortError
from cohorts.labels import get_codes
from cohorts.synthetic.anatomy.base import CORTEX, CSF
from cohorts.synthetic.anatomy.cortex import Floats
from cohorts.synthetic.anatomy.deformation import (
    DEEP_STRUCTURES,
    Deformation,
    MovableAnatomy,
    find_sources,
    warp_share,
)
from cohorts.synthetic.anatomy.person import look_up
from cohorts.synthetic.resampling import average_by_area, find_output_box, vote_by_majority

Labels = npt.NDArray[np.uint16]

_TRACKED: Final = np.array([code for name in DEEP_STRUCTURES for code in get_codes(name)])
_NEIGHBOURS: Final = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij")).reshape(3, 27)


def render_labels(
    anatomy: MovableAnatomy,
    deformation: Deformation,
    volumes_mm3: Mapping[str, float],
    *,
    resolution_mm: float = 1.0,
) -> Labels:
    """Return the label map of a visit.

    The map is the majority label of the deformed anatomy. Counting whole voxels of a small curved
    structure errs by some per cent; so each structure's threshold on its partial-volume share is
    moved from one half to where the count of voxels is the intended volume.

    Parameters
    ----------
    anatomy
        From `prepare_anatomy`.
    deformation
        From `deform_to_volumes`.
    volumes_mm3
        The same targets; regions that are absent keep the majority's count.
    resolution_mm
        The voxel size, one of `RESOLUTIONS_MM`.
    """
    fine = anatomy.person.labels.copy()
    fine[anatomy.box] = look_up(anatomy.person.labels, find_sources(anatomy, deformation))
    labels = vote_by_majority(fine, resolution_mm)
    voxel_mm3 = resolution_mm**3
    for name in DEEP_STRUCTURES:
        if name in volumes_mm3:
            box = find_output_box(anatomy.structures[name].box, resolution_mm)
            share = average_by_area(warp_share(anatomy, name, deformation), resolution_mm)
            _set_count(labels[box], share, get_codes(name), round(volumes_mm3[name] / voxel_mm3))
    if "cerebral_cortex" in volumes_mm3:
        tissue = _render_tissue_share(anatomy, deformation, resolution_mm)
        _set_cortex_count(labels, tissue, round(volumes_mm3["cerebral_cortex"] / voxel_mm3))
    return labels


def _set_count(labels: Labels, share: Floats, codes: tuple[int, ...], count: int) -> None:
    """Make `labels` hold `count` voxels of `codes`, by their share of each voxel, in place."""
    member = np.isin(labels, codes)
    missing = count - int(member.sum())
    if missing > 0:
        free = ~np.isin(labels, _TRACKED) & (labels > 0) & (labels < 500) & (share > 0)
        chosen = _pick(share, free, missing)
        labels[chosen] = _vote_neighbours(labels, chosen, codes)
    elif missing < 0:
        chosen = _pick(-share, member, -missing)
        others = np.setdiff1d(np.unique(labels), [*_TRACKED, 0])
        labels[chosen] = _vote_neighbours(labels, chosen, others[others < 500])


def _set_cortex_count(labels: Labels, tissue: Floats, count: int) -> None:
    """Make `labels` hold `count` voxels of cortex, exchanging cortex and fluid, in place."""
    member = np.isin(labels, CORTEX)
    missing = count - int(member.sum())
    if missing > 0:
        near = ndimage.binary_dilation(member, iterations=2)
        chosen = _pick(tissue, near & (labels == CSF), missing)
        labels[chosen] = _vote_neighbours(labels, chosen, CORTEX)
    elif missing < 0:
        near = ndimage.binary_dilation(labels == CSF, iterations=2)
        labels[_pick(-tissue, near & member, -missing)] = CSF


def _pick(
    key: Floats, candidates: npt.NDArray[np.bool_], count: int
) -> tuple[npt.NDArray[np.intp], ...]:
    """Return the `count` candidates with the largest key."""
    where = np.nonzero(candidates)
    if where[0].size < count:
        raise CohortError(
            f"A label map needs {count} more voxels than its anatomy can give to a structure."
        )
    order = np.argpartition(-key[where], count - 1)[:count]
    return tuple(own[order] for own in where)


def _vote_neighbours(
    labels: Labels, voxels: tuple[npt.NDArray[np.intp], ...], codes: Iterable[int]
) -> Labels:
    """Return, for each voxel, the commonest of `codes` among its 26 neighbours."""
    around = [
        np.clip(own[:, None] + step[None], 0, n - 1)
        for own, step, n in zip(voxels, _NEIGHBOURS, labels.shape, strict=True)
    ]
    found = labels[tuple(around)]
    codes = np.array(list(codes), dtype=np.uint16)
    votes = (found[:, :, None] == codes).sum(axis=1)
    winners: Labels = codes[votes.argmax(axis=1)]
    return winners


def _render_tissue_share(
    anatomy: MovableAnatomy, deformation: Deformation, resolution_mm: float
) -> Floats:
    cortex = anatomy.cortex
    tissue = cortex.brain.copy()
    tissue.ravel()[cortex.voxels] = cortex.tissue + deformation.cortical_gain
    return average_by_area(tissue, resolution_mm)
