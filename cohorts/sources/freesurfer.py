"""FreeSurfer subjects with a table of people: `SUBJECTS_DIR`, or the files of one subject."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cohorts.errors import CohortError
from cohorts.labels import FREESURFER_REGIONS, SIDED_CODES
from cohorts.schema import BRAIN, SIDES
from cohorts.sources.columns import name_volume_column
from cohorts.sources.reading import Reading
from cohorts.sources.records import VOLUME_SOURCE, Records
from cohorts.sources.table import read_table_records
from cohorts.sources.values import parse_text

_TABLES: Final = ("participants.tsv", "participant.tsv")
_IMAGES: Final = ("orig.mgz", "T1.mgz")


def is_freesurfer_folder(path: Path) -> bool:
    """Return whether `path` holds one subject's `aseg.stats`, or subjects that have one."""
    return (path / "aseg.stats").is_file() or any(path.glob("*/stats/aseg.stats"))


def read_freesurfer_records(root: Path, *, reading: Reading) -> Records:
    """Return the visits of FreeSurfer subjects, with the volumes of their `aseg.stats`.

    The table of people (`participants.tsv` in the same folder) says age and sex; a row belongs to
    the subject named by its participant, or by participant and session (`sub-01_ses-02`).

    Raises
    ------
    CohortError
        Where the table of people or an `aseg.stats` is missing or cannot be read.
    """
    tables = [root / name for name in _TABLES if (root / name).is_file()]
    if not tables:
        raise CohortError(f"{root} must hold participants.tsv, which says each subject's age, sex.")
    records = read_table_records(tables[0], reading=reading)
    records.name = root.name
    frame = records.frame
    is_one_subject = (root / "aseg.stats").is_file()
    if is_one_subject and len(frame) != 1:
        raise CohortError(
            f"{root} holds the files of one subject, and {tables[0].name} has {len(frame)} rows: "
            "one is expected."
        )
    found = [
        _read_subject(records, root if is_one_subject else _find_subject(root, row))
        for row in frame.assign(participant_id=parse_text(frame["participant_id"])).to_dict(
            "records"
        )
    ]
    for name in dict.fromkeys(name for row in found for name in row):
        frame[name] = [row.get(name) for row in found]
    return records


def _find_subject(root: Path, row: Mapping[Any, Any]) -> Path:
    person, session = row["participant_id"], row.get("session_id")
    names = [f"{person}_{session}", str(session), str(person)] if session else [str(person)]
    for name in names:
        if (root / name / "stats" / "aseg.stats").is_file():
            return root / name
    raise CohortError(
        f"{root} has no {names[0]}/stats/aseg.stats for the participant {person}: one is expected "
        "for each row of the table of people."
    )


def _read_subject(records: Records, folder: Path) -> dict[str, Any]:
    stats = _find(folder, ("aseg.stats",), "stats")
    image, segmentation = _find(folder, _IMAGES, "mri"), _find(folder, ("aseg.mgz",), "mri")
    if stats is None:
        raise CohortError(f"{folder} has no aseg.stats.")
    records.sources.append(stats)
    volumes = read_aseg_stats(stats)
    return {
        "image_path": str(image) if image else None,
        "segmentation_path": str(segmentation) if segmentation else None,
        VOLUME_SOURCE: "aseg.stats",
        **{name_volume_column(region): volume for region, volume in volumes.items()},
    }


def _find(folder: Path, names: tuple[str, ...], part: str) -> Path | None:
    places = [place / name for name in names for place in (folder, folder / part)]
    return next((path for path in places if path.is_file()), None)


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
        lines = path.read_text(encoding="utf-8-sig").splitlines()
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
