"""FreeSurfer subjects with a table of people: `SUBJECTS_DIR`, or the files of one subject."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cohorts.counting import tally
from cohorts.errors import CohortError
from cohorts.identifiers import find_fault
from cohorts.sources.columns import name_volume_column
from cohorts.sources.freesurfer.all_subjects import CROSS_SECTIONAL, LONGITUDINAL
from cohorts.sources.freesurfer.stats_files import STATS_NAMES, read_stats
from cohorts.sources.reading import Reading
from cohorts.sources.records import SOURCE_FILE, SOURCE_ROW, VOLUME_SOURCE, Problem, Records, show
from cohorts.sources.tables.table import read_table_records
from cohorts.sources.values import parse_text

_TABLES: Final = ("participants.tsv", "participant.tsv", "participants.csv")
_IMAGES: Final = ("orig.mgz", "T1.mgz")
_MAPS: Final = ("aseg.mgz", "aparc.DKTatlas+aseg.deep.mgz")


@dataclass(frozen=True)
class Subject:
    """The FreeSurfer results of one visit.

    Parameters
    ----------
    folder
        The subject's folder.
    stream
        `longitudinal` (`<visit>.long.<base>`) or `cross-sectional`.
    """

    folder: Path
    stream: str = CROSS_SECTIONAL


def is_freesurfer_folder(path: Path) -> bool:
    """Return whether `path` holds one subject's `aseg.stats`, or subjects that have one."""
    return _find_stats(path) is not None or any(
        any(path.glob(f"*/stats/{name}")) for name in STATS_NAMES
    )


def read_freesurfer_records(root: Path, *, reading: Reading) -> Records:
    """Return the visits of FreeSurfer subjects, with the volumes of their `aseg.stats`.

    The table of people (`participants.tsv` in the same folder) says age and sex; a row belongs to
    the subject named by its participant, or by participant and session (`sub-01_ses-02`).

    Raises
    ------
    CohortError
        Where the table of people is missing or cannot be read.
    """
    tables = [root / name for name in _TABLES if (root / name).is_file()]
    if not tables:
        raise CohortError(f"{root} must hold participants.tsv, which says each subject's age, sex.")
    records = read_table_records(tables[0], reading=reading)
    records.name = root.name
    frame = records.frame
    if _find_stats(root) is not None:
        if len(frame) != 1:
            raise CohortError(
                f"{root} holds the files of one subject, and {tables[0].name} has "
                f"{tally(len(frame), 'rows')}: one is expected."
            )
        found = [read_subject(records, Subject(root), frame.iloc[0].to_dict())]
    else:
        found = _read_subjects(records, root)
    for name in dict.fromkeys(name for row in found for name in row):
        frame[name] = [row.get(name) for row in found]
    return records


def _read_subjects(records: Records, root: Path) -> list[dict[str, Any]]:
    rows = records.frame.assign(participant_id=parse_text(records.frame["participant_id"]))
    if "session_id" not in rows:
        rows["session_id"] = None
    else:
        rows["session_id"] = parse_text(rows["session_id"]).astype(object)
    found: list[dict[str, Any]] = [{} for _ in range(len(rows))]
    for person, indices in rows.groupby("participant_id", sort=False).indices.items():
        own = rows.iloc[indices].to_dict("records")
        sessions = [
            None if row["session_id"] != row["session_id"] else row["session_id"] for row in own
        ]
        subjects = find_subjects([root], str(person), sessions)
        for i, row, session, subject in zip(indices, own, sessions, subjects, strict=True):
            if isinstance(subject, str):
                records.problems.append(
                    Problem(subject, str(person), row[SOURCE_FILE], row[SOURCE_ROW])
                )
            elif subject is None:
                name = f"{person}_{session}" if session else str(person)
                records.problems.append(
                    Problem(
                        f"no {name}/stats/aseg.stats; one is expected for each row of the table "
                        "of people",
                        str(person),
                        row[SOURCE_FILE],
                        row[SOURCE_ROW],
                    )
                )
            else:
                found[i] = read_subject(records, subject, row)
    return found


def find_subjects(
    roots: Iterable[Path], person: str, sessions: list[str | None]
) -> list[Subject | str | None]:
    """Return the subject of each visit of a person, all of one processing stream.

    The longitudinal stream is taken where it has every visit that any stream has; else the
    cross-sectional one where that has; two streams of one person differ by more than a year's
    atrophy (Reuter et al. 2012, NeuroImage 61:1402).

    Parameters
    ----------
    roots
        Folders of FreeSurfer subjects.
    person, sessions
        Whose visits; None is the one visit of a person without named visits.

    Returns
    -------
    list
        For each visit its subject, None where it has none, or why it must not be used.
    """
    fault = find_fault(person)
    if fault is not None:
        return [f"got the name {show(person)}: {fault}" for _ in sessions]
    crossed, longed = {}, {}
    for session in sessions:
        crossed[session] = _find_cross(roots, person, session, n_visits=len(sessions))
        longed[session] = _find_long(roots, person, session)
    present = [s for s in sessions if isinstance(crossed[s], Subject) or longed[s] is not None]
    if present and all(longed[session] is not None for session in present):
        return [longed[session] or crossed[session] for session in sessions]
    if all(isinstance(crossed[session], Subject) for session in present):
        return [crossed[session] for session in sessions]
    return [
        longed[session]
        or (
            f"{session} has no longitudinal aseg.stats, other visits of the person have no other; "
            "one stream for all visits is expected"
            if session in present
            else crossed[session]
        )
        for session in sessions
    ]


def _find_cross(
    roots: Iterable[Path], person: str, session: str | None, *, n_visits: int
) -> Subject | str | None:
    for root in roots:
        for name in _name_visit(person, session):
            if _find_stats(root / name) is not None:
                return Subject(root / name)
        if n_visits == 1 and _find_stats(root / person) is not None:
            if _is_template(root, person):
                return (
                    f"{person} is the template of a longitudinal run (-base), no visit; its "
                    f"visits are expected as {person}_<session>"
                )
            return Subject(root / person)
    return None


def _find_long(roots: Iterable[Path], person: str, session: str | None) -> Subject | None:
    for root in roots:
        for name in _name_visit(person, session):
            for folder in sorted(root.glob(f"{name}.long.*")):
                if _find_stats(folder) is not None:
                    return Subject(folder, LONGITUDINAL)
    return None


def _name_visit(person: str, session: str | None) -> list[str]:
    if session is None:
        return []
    plain = session.removeprefix("ses-")
    names = [f"{person}_{session}", f"{person}_ses-{plain}", f"{person}_{plain}"]
    names += [session] if person.removeprefix("sub-") in session else []
    return [name for name in names if find_fault(name) is None]


def _is_template(root: Path, person: str) -> bool:
    """Return whether a subject was made from several visits (`recon-all -base`)."""
    return (
        (root / person / "base-tps").exists()
        or any(root.glob(f"*.long.{person}"))
        or any(root.glob(f"{person}_ses-*/stats/"))
    )


def read_subject(records: Records, subject: Subject, row: dict[Any, Any]) -> dict[str, Any]:
    """Return volumes and images of one subject; a file that cannot be read is a problem."""
    stats = _find_stats(subject.folder)
    if stats is None:
        return {}
    records.sources.append(stats)
    image, segmentation = _find(subject.folder, _IMAGES), _find(subject.folder, _MAPS)
    found: dict[str, Any] = {
        "image_path": str(image) if image else None,
        "segmentation_path": str(segmentation) if segmentation else None,
    }
    try:
        read = read_stats(stats)
    except CohortError as error:
        records.problems += [
            Problem(text.rstrip("."), row["participant_id"], row.get(SOURCE_FILE))
            for text in error.problems
        ]
        return found
    if read.lacking:
        records.notes.append(f"{stats} lacks {', '.join(read.lacking)}.")
    stream = f", {LONGITUDINAL}" if subject.stream == LONGITUDINAL else ""
    volumes = {name_volume_column(name): volume for name, volume in read.volumes_mm3.items()}
    return {**found, VOLUME_SOURCE: f"{stats.name} ({read.tool}{stream})", **volumes}


def _find_stats(folder: Path) -> Path | None:
    places = [folder / part / name for name in STATS_NAMES for part in ("", "stats")]
    return next((path for path in places if path.is_file()), None)


def _find(folder: Path, names: tuple[str, ...]) -> Path | None:
    places = [place / name for name in names for place in (folder, folder / "mri")]
    return next((path for path in places if path.is_file()), None)
