"""The label codes of SynthSeg and FreeSurfer segmentations, by region.

Both write the same codes for the structures they share; FreeSurfer adds cortical parcels, parts of
the corpus callosum, hypointensities and vessels. The names and codes are those of FreeSurfer's
`FreeSurferColorLUT.txt` and of SynthSeg's `labels table.txt` (Billot et al. 2023, Med Image Anal
86:102789).
"""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from cohorts.schema import SIDES

SIDED_CODES: Final[dict[str, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "cerebral_white_matter": (
        (2, 78, 5001, *range(3000, 3036), *range(13100, 13176)),
        (41, 79, 5002, *range(4000, 4036), *range(14100, 14176)),
    ),
    "cerebral_cortex": (
        (3, *range(1000, 1036), *range(11100, 11176)),
        (42, *range(2000, 2036), *range(12100, 12176)),
    ),
    "lateral_ventricle": ((4,), (43,)),
    "inferior_lateral_ventricle": ((5,), (44,)),
    "cerebellum_white_matter": ((7,), (46,)),
    "cerebellum_cortex": ((8,), (47,)),
    "thalamus": ((10, 9), (49, 48)),
    "caudate": ((11,), (50,)),
    "putamen": ((12,), (51,)),
    "pallidum": ((13,), (52,)),
    "hippocampus": ((17,), (53,)),
    "amygdala": ((18,), (54,)),
    "accumbens": ((26,), (58,)),
    "ventral_dc": ((28,), (60,)),
}
"""Codes of the left and of the right structure, for regions that have two sides."""

MIDLINE_CODES: Final[dict[str, tuple[int, ...]]] = {
    "third_ventricle": (14,),
    "fourth_ventricle": (15,),
    "brain_stem": (16,),
    "csf": (24,),
}
"""Codes of regions without sides; `csf` is the fluid outside the ventricles."""

UNSIDED_WHITE_MATTER: Final = (77, 80, *range(250, 256))
"""Hypointensities and corpus callosum: cerebral white matter that FreeSurfer gives no side.

They count in `cerebral_white_matter` (both sides) and in the brain, in neither one-sided volume.
"""

OTHER_INTRACRANIAL: Final = (
    *(25, 57),  # lesions
    *(30, 62),  # vessels
    *(31, 63),  # choroid plexus
    72,  # fifth ventricle
    85,  # optic chiasm
    *(136, 137, 163, 164),  # further parts of the ventricles in SynthSeg's training maps
)
"""Codes inside the skull that belong to no region: they count in the head size alone."""

HIGHEST_CODE: Final = 14175
"""The largest code that means a structure; SynthSeg's 502-530 lie outside the brain."""


def get_codes(region: str) -> tuple[int, ...]:
    """Return every code of `region`, one-sided (`left_hippocampus`) or both sides together.

    Raises
    ------
    KeyError
        For a region that no code belongs to.
    """
    return _codes_by_region()[region]


@lru_cache(maxsize=1)
def _codes_by_region() -> dict[str, tuple[int, ...]]:
    codes = dict(MIDLINE_CODES)
    for region, sides in SIDED_CODES.items():
        codes |= {f"{side}_{region}": own for side, own in zip(SIDES, sides, strict=True)}
        codes[region] = sides[0] + sides[1]
    codes["cerebral_white_matter"] += UNSIDED_WHITE_MATTER
    return codes


@lru_cache(maxsize=1)
def get_brain_codes() -> npt.NDArray[np.intp]:
    """Return the codes of the brain: every region, ventricles included, without `csf`."""
    return np.array(
        sorted(
            {
                code
                for region, codes in _codes_by_region().items()
                if region != "csf"
                for code in codes
            }
        )
    )


@lru_cache(maxsize=1)
def get_intracranial_codes() -> npt.NDArray[np.intp]:
    """Return the codes inside the skull: brain, `csf`, lesions, vessels, choroid plexus."""
    return np.array(sorted({*get_brain_codes().tolist(), *get_codes("csf"), *OTHER_INTRACRANIAL}))


_SIDED: Final = {
    "Lateral-Ventricle": "lateral_ventricle",
    "Inf-Lat-Vent": "inferior_lateral_ventricle",
    "Cerebellum-White-Matter": "cerebellum_white_matter",
    "Cerebellum-Cortex": "cerebellum_cortex",
    "Thalamus-Proper": "thalamus",
    "Thalamus": "thalamus",
    "Caudate": "caudate",
    "Putamen": "putamen",
    "Pallidum": "pallidum",
    "Hippocampus": "hippocampus",
    "Amygdala": "amygdala",
    "Accumbens-area": "accumbens",
    "VentralDC": "ventral_dc",
}

FREESURFER_REGIONS: Final[dict[str, str]] = {
    f"{side}-{structure}": f"{side.lower()}_{region}"
    for side in ("Left", "Right")
    for structure, region in _SIDED.items()
} | {
    "3rd-Ventricle": "third_ventricle",
    "4th-Ventricle": "fourth_ventricle",
    "Brain-Stem": "brain_stem",
    "CSF": "csf",
    "lhCortexVol": "left_cerebral_cortex",
    "rhCortexVol": "right_cerebral_cortex",
    "CortexVol": "cerebral_cortex",
    "lhCerebralWhiteMatterVol": "left_cerebral_white_matter",
    "rhCerebralWhiteMatterVol": "right_cerebral_white_matter",
    "CerebralWhiteMatterVol": "cerebral_white_matter",
    "BrainSegVol": "brain_seg",
    "eTIV": "head_size_mm3",
    "ICV": "head_size_mm3",
    "IntraCranialVol": "head_size_mm3",
    "EstimatedTotalIntraCranialVol": "head_size_mm3",
}
"""FreeSurfer's name -> region. `brain_seg` leaves the brain stem out, so it is not yet `brain`.

`lhCorticalWhiteMatterVol` of version 5 is left out on purpose: its measure excludes parts that
later versions include.
"""
