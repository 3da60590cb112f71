"""FreeSurfer's table of subcortical volumes, `aseg.stats`."""

from pathlib import Path

from cohorts.errors import CohortError
from cohorts.freesurfer_names import FREESURFER_REGIONS
from cohorts.labels import SIDED_CODES
from cohorts.schema import BRAIN, SIDES


def read_aseg_stats(path: Path) -> dict[str, float]:
    """Return region -> volume in mm3, corrected for partial volume as FreeSurfer does.

    `brain` is FreeSurfer's BrainSegVol plus the brain stem, which it leaves out, less the fluid
    outside the ventricles, so that it means the same as for a label map. `head_size_mm3` is eTIV,
    which comes from the registration to the template and is not a count of voxels.

    Raises
    ------
    CohortError
        Where the file is no `aseg.stats`, breaks off, or holds a value that is no volume.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CohortError(f"{path} could not be read as text: {error}.") from error
    try:
        named = dict(pair for line in lines if (pair := _read_line(line)))
    except (ValueError, IndexError) as error:
        raise CohortError(f"{path} has a line that is no volume: {error}.") from error
    if "left_hippocampus" not in named or "right_hippocampus" not in named:
        raise CohortError(f"{path} must list Left-Hippocampus and Right-Hippocampus: is it whole?")
    return _complete(named)


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
    if BRAIN in volumes:
        volumes[BRAIN] += volumes.get("brain_stem", 0.0) - volumes.get("csf", 0.0)
    return {region: volume for region, volume in volumes.items() if volume > 0}
