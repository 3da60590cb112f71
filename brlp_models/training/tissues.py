"""The tissues that scan synthesis and the segmenter tell apart."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Tissue:
    """One kind of tissue.

    Parameters
    ----------
    name
        As in the volumes table where the region is one.
    codes
        FreeSurfer and SynthSeg codes, left then right where there are sides.
    t1_mean, t1_sd
        Brightness in a T1w scan relative to white matter at 1, between scans.
    segment
        The segmenter's class: a name of `SEGMENTED`.
    """

    name: str
    codes: tuple[int, ...]
    t1_mean: float
    t1_sd: float
    segment: str


EXTRACEREBRAL_CODES: Final = (
    25, 57, 30, 62, 72, 85, 136, 137, 163, 164,
    502, 506, 507, 508, 509, 511, 512, 514, 515, 516, 530, 258, 165,
)  # fmt: skip
"""Everything of the head outside the brain and its fluid."""

_HEAD: Final = {
    "skin": ((516, 530, 258), 0.75, 0.2),
    "skull": ((514, 515, 165), 0.25, 0.1),
    "marrow": ((511, 512), 0.85, 0.25),
    "eyes": ((85, 136, 137, 163, 164), 0.35, 0.15),
    "soft": ((502, 506, 507, 508, 509), 0.5, 0.2),
    "vessels": ((30, 62, 25, 57, 72), 0.45, 0.2),
}

_ALL: Final = (
    Tissue("air", (0,), 0.0, 0.0, "background"),
    Tissue("cerebral_white_matter", (2, 41, 77), 1.0, 0.04, "cerebral_white_matter"),
    Tissue("cerebral_cortex", (3, 42), 0.66, 0.05, "cerebral_cortex"),
    Tissue("lateral_ventricle", (4, 43, 5, 44, 31, 63), 0.2, 0.06, "lateral_ventricle"),
    Tissue("cerebellum_white_matter", (7, 46), 0.96, 0.05, "cerebellum"),
    Tissue("cerebellum_cortex", (8, 47), 0.68, 0.05, "cerebellum"),
    Tissue("thalamus", (10, 49), 0.82, 0.05, "thalamus"),
    Tissue("caudate", (11, 50), 0.7, 0.05, "basal_ganglia"),
    Tissue("putamen", (12, 51), 0.77, 0.05, "basal_ganglia"),
    Tissue("pallidum", (13, 52), 0.9, 0.05, "basal_ganglia"),
    Tissue("accumbens", (26, 58), 0.68, 0.06, "basal_ganglia"),
    Tissue("third_fourth_ventricle", (14, 15), 0.22, 0.07, "third_fourth_ventricle"),
    Tissue("brain_stem", (16, 28, 60), 0.9, 0.05, "brain_stem"),
    Tissue("hippocampus", (17, 53), 0.68, 0.05, "hippocampus"),
    Tissue("amygdala", (18, 54), 0.67, 0.05, "amygdala"),
    Tissue("csf", (24,), 0.2, 0.07, "csf"),
    *(Tissue(name, codes, mean, sd, "extracerebral") for name, (codes, mean, sd) in _HEAD.items()),
)

SEGMENTED: Final = tuple(dict.fromkeys(tissue.segment for tissue in _ALL))
"""The segmenter's classes, in the order of its output channels."""


MEDIAL_TEMPORAL: Final = ("hippocampus", "amygdala")
"""Tissues that crops are aimed at and losses weigh."""


class TissueTable:
    """Index of every tissue, with conversions as lookup tables."""

    def __init__(self, tissues: tuple[Tissue, ...]) -> None:
        self.tissues = tissues
        self.names = tuple(tissue.name for tissue in tissues)
        self.t1_mean = np.array([t.t1_mean for t in tissues], dtype=np.float32)
        self.t1_sd = np.array([t.t1_sd for t in tissues], dtype=np.float32)
        self.segments = np.array([SEGMENTED.index(t.segment) for t in tissues])
        self._by_code = np.zeros(3000, dtype=np.uint8)
        self._by_code[1000:2000] = self.names.index("cerebral_cortex")
        self._by_code[2000:3000] = self.names.index("cerebral_cortex")
        for index, tissue in enumerate(tissues):
            self._by_code[list(tissue.codes)] = index

    def find_medial_temporal(self, labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Return which voxels of tissue indices are hippocampus or amygdala."""
        return np.isin(labels, [self.names.index(name) for name in MEDIAL_TEMPORAL])

    def encode(self, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
        """Return the tissue index of every voxel; unknown codes become air."""
        return self._by_code[np.clip(labels, 0, 2999)]


TISSUES: Final = TissueTable(_ALL)
"""All tissues."""
