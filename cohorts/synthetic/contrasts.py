"""The contrasts of synthetic scans: how bright each tissue is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cohorts.errors import CohortError
from cohorts.synthetic.anatomy.base import CSF

TISSUE_CODES: Final[Mapping[str, tuple[int, ...]]] = {
    "white_matter": (2, 41),
    "cortex": (3, 42),
    "fluid": (4, 5, 14, 15, 43, 44, CSF),
    "cerebellum_white_matter": (7, 46),
    "cerebellum_cortex": (8, 47),
    "thalamus": (10, 49),
    "caudate": (11, 50),
    "putamen": (12, 51),
    "pallidum": (13, 52),
    "brain_stem": (16,),
    "hippocampus": (17, 53),
    "amygdala": (18, 54),
    "accumbens": (26, 58),
    "ventral_dc": (28, 60),
}
"""The codes in a label map of each tissue with a brightness of its own."""


@dataclass(frozen=True)
class Contrast:
    """How bright tissues and signs are.

    Parameters
    ----------
    means
        By tissue of `TISSUE_CODES`, relative to cerebral white matter.
    lesion_change
        The share by which a lesion is brighter than white matter; None: darker by the person's
        own depth (`PersonSigns.lesion_depth`).
    cortex_brightening
        How much of the brightening of cortex with the disease, a sign of T1w scans, it shows.
    """

    means: Mapping[str, float]
    lesion_change: float | None = None
    cortex_brightening: float = 1.0


CONTRASTS: Final[Mapping[str, Contrast]] = {
    "T1w": Contrast(
        {
            "white_matter": 1.00,
            "cortex": 0.66,
            "fluid": 0.22,
            "cerebellum_white_matter": 0.96,
            "cerebellum_cortex": 0.63,
            "thalamus": 0.83,
            "caudate": 0.71,
            "putamen": 0.77,
            "pallidum": 0.91,
            "brain_stem": 0.92,
            "hippocampus": 0.65,
            "amygdala": 0.63,
            "accumbens": 0.69,
            "ventral_dc": 0.87,
        }
    ),
    "FLAIR": Contrast(
        {
            "white_matter": 1.00,
            "cortex": 1.25,
            "fluid": 0.20,
            "cerebellum_white_matter": 0.98,
            "cerebellum_cortex": 1.20,
            "thalamus": 1.10,
            "caudate": 1.22,
            "putamen": 1.15,
            "pallidum": 0.90,
            "brain_stem": 1.02,
            "hippocampus": 1.35,
            "amygdala": 1.35,
            "accumbens": 1.25,
            "ventral_dc": 1.05,
        },
        lesion_change=0.7,
        cortex_brightening=0.0,
    ),
}
"""By BIDS suffix.

T1w: ratios of the intensity-normalized T1w scans of the FreeSurfer atlas (Fischl et al. 2002,
Neuron 33:341; 2004, NeuroImage 23 S1:S69). FLAIR: chosen, not measured, in the order that such
scans have: fluid dark, gray matter brighter than white, lesions brightest.
"""


def check_channels(channels: Sequence[str]) -> None:
    """Refuse channels that synthetic scans cannot have.

    Raises
    ------
    CohortError
        For an unknown or repeated one, and where the first is not T1w.
    """
    known = ", ".join(CONTRASTS)
    right = set(channels) <= set(CONTRASTS) and len(set(channels)) == len(channels)
    if not right or tuple(channels[:1]) != ("T1w",):
        raise CohortError(
            f"Channels of synthetic scans are T1w, then others of {known}, each once; "
            f"got {', '.join(channels) or 'none'}."
        )
