"""FreeSurfer's structure names (`aseg.stats`, `asegstats2table`) and the regions they are here."""

from typing import Final

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
    "BrainSegVol": "brain",
    "eTIV": "head_size_mm3",
    "EstimatedTotalIntraCranialVol": "head_size_mm3",
}
"""FreeSurfer's name -> region; `lhCorticalWhiteMatterVol` of version 5 is left out on purpose.

Its measure excludes parts that later versions include.
"""
