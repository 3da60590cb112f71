"""FreeSurfer's tables of volumes (`aseg.stats`), of versions 5 to 8 and of FastSurfer."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cohorts.errors import CohortError
from cohorts.labels import FREESURFER_REGIONS, SIDED_CODES
from cohorts.schema import BRAIN, SIDES

STATS_NAMES: Final = ("aseg.stats", "aseg+DKT.stats", "aseg+DKT.VINN.stats")
"""The file of volumes in a subject's `stats`; FastSurfer without surfaces writes the others."""

BRAIN_SEG: Final = "brain_seg"
"""FreeSurfer's BrainSegVol, from which `brain` is made."""


@dataclass(frozen=True)
class Stats:
    """What a file of volumes says.

    Parameters
    ----------
    volumes_mm3
        Region -> volume.
    tool
        What wrote it: `FreeSurfer 7`, `FastSurfer`.
    lacking
        One-sided regions that the file lacks, though it has the other side.
    """

    volumes_mm3: dict[str, float]
    tool: str
    lacking: tuple[str, ...] = ()


def read_stats(path: Path) -> Stats:
    """Return the volumes of a file, corrected for partial volume as FreeSurfer does.

    `brain` is FreeSurfer's BrainSegVol plus the brain stem, which it leaves out, less the fluid
    outside the ventricles, so that it means the same as for a label map. `head_size_mm3` is eTIV
    (ICV in version 5), which comes from the registration to the template and counts no voxels.

    Raises
    ------
    CohortError
        Where the file is no `aseg.stats`, breaks off, or holds a value that is no volume.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CohortError(f"{path} could not be read as text: {error}.") from error
    try:
        named = dict(pair for line in lines if (pair := _read_line(line)))
    except (ValueError, IndexError) as error:
        raise CohortError(f"{path} has a line that is no volume: {error}.") from error
    wrong = [region for region, volume in named.items() if not math.isfinite(volume)]
    if wrong:
        raise CohortError(
            f"{path} has no number for {', '.join(wrong)}: a volume in mm3 is expected."
        )
    if "left_hippocampus" not in named or "right_hippocampus" not in named:
        raise CohortError(f"{path} must list Left-Hippocampus and Right-Hippocampus: is it whole?")
    sided = {f"{side}_{region}" for side in SIDES for region in SIDED_CODES}
    lacking = sorted(
        name
        for name in sided - set(named)
        if {f"{side}_{name.partition('_')[2]}" for side in SIDES} & set(named)
    )
    return Stats(_complete(named), _find_tool(lines), tuple(lacking))


def _read_line(line: str) -> tuple[str, float] | None:
    if line.startswith("# Measure "):
        fields = [field.strip() for field in line.removeprefix("# Measure ").split(",")]
        name, volume = fields[1], fields[3]
    elif line.startswith("#") or not line.strip():
        return None
    else:
        cells = line.split()
        name, volume = cells[4], cells[3]
    region = FREESURFER_REGIONS.get(name)
    return None if region is None else (region, float(volume))


def _complete(volumes: dict[str, float]) -> dict[str, float]:
    for region in SIDED_CODES:
        sides = [f"{side}_{region}" for side in SIDES]
        if region not in volumes and all(side in volumes for side in sides):
            volumes[region] = sum(volumes[side] for side in sides)
    whole = volumes.pop(BRAIN_SEG, None)
    if whole is not None and {"brain_stem", "csf"} <= set(volumes):
        volumes[BRAIN] = whole + volumes["brain_stem"] - volumes["csf"]
    return {region: volume for region, volume in volumes.items() if volume > 0}


def _find_tool(lines: list[str]) -> str:
    header = "\n".join(line for line in lines if line.startswith("#"))
    if "segstats.py" in header or "fastsurfer" in header.lower():
        return "FastSurfer"
    version = re.search(r"^# cvs_version\s+(.*)$", header, re.MULTILINE)
    said = version[1].strip() if version else ""
    if match := re.search(r"(?:^|stable|v|freesurfer-[a-z-]*)(\d+)(?:\.|$|-)", said):
        return f"FreeSurfer {match[1]}"
    # Versions 5 and 6 name the revision of the program: version 6 came in 2017.
    if match := re.search(r"\$Id.* (20\d\d)/", said):
        return "FreeSurfer 6" if int(match[1]) >= 2016 else "FreeSurfer 5"
    return "FreeSurfer"
