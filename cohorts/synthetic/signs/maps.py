"""A person's signs on the person's grid: shapes that hold at every visit, fields of each visit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cohorts.synthetic.anatomy.cortex import Floats, add_pattern
from cohorts.synthetic.anatomy.deformation import MovableAnatomy, MovableStructure
from cohorts.synthetic.signs.lesions import paint_lesions, rank_lesion_sites
from cohorts.synthetic.signs.lobes import spread_over_lobes, weigh_lobes
from cohorts.synthetic.signs.sampling import PersonSigns

PATTERN: Final = (0.5, 1.0, -1.0, 0.0)
"""How much a hippocampal-sparing pattern thins each lobe of `LOBES`."""

_LARGEST_DEVIATION: Final = 1.6


@dataclass(frozen=True)
class SignMaps:
    """Where a person's signs are.

    Parameters
    ----------
    lobes
        From `weigh_lobes`.
    sites
        From `rank_lesion_sites`.
    signs
        How strong they are.
    """

    lobes: Floats
    sites: Floats
    signs: PersonSigns

    def brighten(self, visit: int) -> Floats:
        """Return, on the 1 mm grid, by which share cortex is brighter than its tissue's mean."""
        return spread_over_lobes(self.lobes, self.signs.brightening[visit])

    def change_lesions(self, visit: int, change: float | None) -> Floats:
        """Return, on the 1 mm grid, by which share lesions change the voxel's brightness.

        Parameters
        ----------
        visit
            Which.
        change
            The share at full; None: darker by the person's own depth.
        """
        painted = paint_lesions(self.sites, float(self.signs.lesion_mm3[visit]))
        return np.float32(-self.signs.lesion_depth if change is None else change) * painted


def map_signs(
    anatomy: MovableAnatomy, signs: PersonSigns, rng: np.random.Generator
) -> tuple[MovableAnatomy, SignMaps]:
    """Return the anatomy in the shape that the signs give it, and where the other signs are.

    Parameters
    ----------
    anatomy
        From `prepare_anatomy`.
    signs
        The person's.
    rng
        Decides where lesions are.
    """
    labels = anatomy.person.labels
    lobes = weigh_lobes(labels)
    pattern = spread_over_lobes(lobes, np.array(PATTERN) * signs.pattern_mm)
    shaped: Mapping[str, MovableStructure] = {
        name: _shape_hippocampus(own, signs, lateral=-1 if name.startswith("left") else 1)
        if "hippocampus" in name
        else own
        for name, own in anatomy.structures.items()
    }
    moved = replace(anatomy, structures=dict(shaped), cortex=add_pattern(anatomy.cortex, pattern))
    return moved, SignMaps(lobes, rank_lesion_sites(labels, rng), signs)


def _shape_hippocampus(
    structure: MovableStructure, signs: PersonSigns, *, lateral: int
) -> MovableStructure:
    """Return the hippocampus with head and CA1 side further in, tail and medial side further out.

    Position along an axis counts in standard deviations of the structure's voxels, up to 1.6.
    """
    where = np.argwhere(structure.share > 0.5)
    center, spread = where.mean(axis=0), where.std(axis=0)
    x, y, _ = (
        np.clip((np.arange(n) - c) / s, -_LARGEST_DEVIATION, _LARGEST_DEVIATION)
        for n, c, s in zip(structure.share.shape, center, spread, strict=True)
    )
    offset = signs.head_mm * y[None, :, None] + signs.ca1_mm * lateral * x[:, None, None]
    room = structure.largest_amplitude - float(np.abs(offset).max())
    return replace(
        structure,
        offset=np.broadcast_to(offset, structure.share.shape).astype(np.float32),
        largest_amplitude=max(room, 0.0),
    )
