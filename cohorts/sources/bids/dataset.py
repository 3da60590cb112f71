"""BIDS datasets: who takes part, their visits, T1w images, segmentations under `derivatives/`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from cohorts.errors import CohortError
from cohorts.identifiers import find_fault
from cohorts.sources.bids.files import Pair, choose_structures, list_images, pair_files
from cohorts.sources.bids.tables import DatasetTables, Row, read_scan_time
from cohorts.sources.freesurfer.subjects import (
    Subject,
    find_subjects,
    is_freesurfer_folder,
    read_subject,
)
from cohorts.sources.reading import Reading
from cohorts.sources.records import (
    PERSON_DIAGNOSIS,
    SOURCE_FILE,
    VOLUME_SOURCE,
    Problem,
    Records,
    show,
)

_SINGLE_SESSION: Final = "ses-01"
_LOOKED_FOR: Final = (
    "*_dseg.nii.gz in derivatives/<pipeline>/<visit>/anat, aseg.stats in "
    "derivatives/<pipeline>/<visit>/stats and derivatives/<pipeline>/sourcedata/freesurfer"
)


def is_bids_dataset(path: Path) -> bool:
    """Return whether `path` is the root of a BIDS dataset, or holds its table of people."""
    return (path / "participants.tsv").is_file() or holds_images(path)


def holds_images(path: Path) -> bool:
    """Return whether people's folders in `path` have anatomical images."""
    return any(path.glob("sub-*/anat/")) or any(path.glob("sub-*/ses-*/anat/"))


def read_bids_records(root: Path, *, reading: Reading) -> Records:
    """Return the visits of a BIDS dataset, with the paths of their images.

    A visit's own values (`sub-*_sessions.tsv`, `*_scans.tsv`, `phenotype/*.tsv`) win over those of
    the person (`participants.tsv`), which are those at the first visit.

    Raises
    ------
    CohortError
        Where a table cannot be read, or several pipelines made segmentations and none is stated.
    """
    if not (root / "participants.tsv").is_file():
        raise CohortError(f"{root} has no participants.tsv, which says each person's age and sex.")
    described = _read_description(root)
    tables = DatasetTables(root, reading)
    records = tables.people
    records.name = str(described.get("Name") or root.name)
    records.is_synthetic = _is_synthetic(described)
    if any(root.glob("sub-*/")):
        records.where_visits_are_told = " in each person's sub-*_sessions.tsv"
        _read_visits(records, tables, _Derivatives(root, reading))
    else:
        records.notes.append(f"{root.name} holds no scans: participants.tsv was read as a table.")
    tables.check_stated()
    return records


def _read_description(root: Path) -> dict[str, Any]:
    path = root / "dataset_description.json"
    if not path.is_file():
        return {}
    try:
        described = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CohortError(f"{path} could not be read: {error.strerror}.") from error
    except ValueError as error:
        raise CohortError(f"{path.name} could not be read as JSON: {error}.") from error
    return described if isinstance(described, dict) else {}


def _is_synthetic(described: Mapping[str, Any]) -> bool:
    words = f"{described.get('Name', '')} {described.get('Keywords', '')}".lower()
    return bool(described.get("IsSynthetic", False)) or "synthetic" in words


class _Derivatives:
    """The pipelines whose results are taken."""

    def __init__(self, root: Path, reading: Reading) -> None:
        self.root = root
        self.reading = reading
        folders = [path for path in sorted((root / "derivatives").glob("*/")) if _is_shown(path)]
        self.pipelines = [path for path in folders if not path.name.startswith("sub-")]
        if len(self.pipelines) < len(folders):
            self.pipelines.append(root / "derivatives")
        if reading.pipeline is not None:
            names = [path.name for path in self.pipelines]
            if reading.pipeline not in names:
                raise CohortError(
                    f"{root.name} has no pipeline {reading.pipeline} under derivatives: it has "
                    f"{', '.join(names) or 'none'}."
                )
            self.pipelines = [p for p in self.pipelines if p.name == reading.pipeline]
        self.subjects = [
            folder
            for pipeline in self.pipelines
            for folder in (pipeline, pipeline / "sourcedata" / "freesurfer")
            if is_freesurfer_folder(folder)
        ]
        self.used: dict[Path, None] = {}

    def pair(self, person: str, session: str | None) -> Pair:
        """Return the image of a visit with its label map."""
        filters = self.reading.filters
        images = list_images(_get_anat(self.root, person, session), "T1w", filters.get("t1w"))
        maps = {}
        for pipeline in self.pipelines:
            files = list_images(_get_anat(pipeline, person, session), "dseg", filters.get("dseg"))
            native = choose_structures([labels for labels in files if labels.is_native])
            if native:
                maps[pipeline] = native
        self.used |= dict.fromkeys(maps)
        return pair_files(images, next(iter(maps.values()), []))


def _is_shown(path: Path) -> bool:
    return not path.name.startswith(".")


def _get_anat(root: Path, person: str, session: str | None) -> Path:
    return root / person / session / "anat" if session else root / person / "anat"


def _read_visits(records: Records, tables: DatasetTables, derivatives: _Derivatives) -> None:
    root = tables.root
    everyone = tables.list_people()
    people = derivatives.reading.select_people(everyone)
    for folder in sorted(root.glob("sub-*/")):
        if folder.name not in set(everyone):
            records.problems.append(
                Problem(
                    f"no row for the folder {folder.name}; one is expected for each person",
                    participant_id=folder.name,
                    file="participants.tsv",
                )
            )
    if not any((root / person).is_dir() for person in people):
        raise CohortError(f"{root} has no sub-*/ folder for anyone in participants.tsv.")
    faults = {person: find_fault(person) for person in people}
    records.problems += [
        Problem(f"got the name {show(person)}: {fault}", person, "participants.tsv")
        for person, fault in faults.items()
        if fault is not None
    ]
    sound = (person for person, fault in faults.items() if fault is None)
    rows = [row for person in sound for row in _list_person(records, tables, derivatives, person)]
    records.frame = pd.DataFrame(rows).reset_index(drop=True)
    for name in (VOLUME_SOURCE, PERSON_DIAGNOSIS, "image_path", "segmentation_path"):
        if name not in records.frame:
            records.frame[name] = None
    _check_pipelines(records, derivatives)
    _report_missing_files(records)


def _list_person(
    records: Records, tables: DatasetTables, derivatives: _Derivatives, person: str
) -> list[Row]:
    folders = sorted(path.name for path in (tables.root / person).glob("ses-*/"))
    stated = dict.fromkeys([*tables.list_sessions(person), *folders])
    records.problems += [
        Problem(f"got the visit {show(name)}: {fault}", person, f"{person}_sessions.tsv")
        for name in stated
        if (fault := find_fault(name)) is not None
    ]
    names: list[str | None] = [name for name in stated if find_fault(name) is None] or [None]
    rows = []
    for name, subject in zip(
        names, find_subjects(derivatives.subjects, person, names), strict=True
    ):
        row = tables.describe(person, name, n_visits=len(names))
        row |= {"participant_id": person, "session_id": name or _SINGLE_SESSION}
        pair = derivatives.pair(person, name)
        row |= {
            "image_path": str(pair.image) if pair.image else None,
            "segmentation_path": str(pair.segmentation) if pair.segmentation else None,
        }
        visit = f"{person} {name or ''}".strip()
        if pair.note:
            records.notes.append(f"{visit} {pair.note}")
        problem = subject if isinstance(subject, str) else pair.problem
        if problem:
            records.problems.append(Problem(f"{visit}: {problem}", person, row[SOURCE_FILE]))
        elif isinstance(subject, Subject):
            found = read_subject(records, subject, row)
            row |= {key: value for key, value in found.items() if not key.endswith("_path")}
        _add_scan_time(row, tables.root, person, name, pair)
        rows.append(row)
    return rows


def _add_scan_time(row: Row, root: Path, person: str, session: str | None, pair: Pair) -> None:
    if "visit_date" in row or "months_from_baseline" in row:
        return
    time = read_scan_time(root / person / session if session else root / person, pair.image)
    if time is not None:
        row["visit_date"] = time


def _check_pipelines(records: Records, derivatives: _Derivatives) -> None:
    """Refuse to choose among pipelines that made the same thing."""
    for what, folders in (
        ("segmentations", list(derivatives.used)),
        ("FreeSurfer results", derivatives.subjects),
    ):
        if len(folders) > 1:
            names = ", ".join(str(f.relative_to(derivatives.root)) for f in folders)
            records.report_all(
                None, f"several {what} ({names}); choose one pipeline with --pipeline"
            )


def _report_missing_files(records: Records) -> None:
    """Report scans and segmentations that a visit lacks though it should have them.

    A visit without a scan is a clinical visit. A person without any, and a scan without the
    segmentation that others have, are not.
    """
    frame = records.frame
    has_image = frame["image_path"].notna()
    if has_image.any():
        anyone = has_image.groupby(frame["participant_id"]).transform("any")
        first = ~frame["participant_id"].duplicated()
        records.report(
            ~anyone & first & frame[VOLUME_SOURCE].isna(),
            None,
            "no T1w image for {session_id} or any other visit; other people have one",
        )
    else:
        records.notes.append("No visit has a T1w image.")
    has_map = frame["segmentation_path"].notna() | frame[VOLUME_SOURCE].notna()
    if has_map.any():
        told = {problem.participant_id for problem in records.problems}
        records.report(
            has_image & ~has_map & ~frame["participant_id"].isin(told),
            None,
            "no segmentation for {session_id}; other visits have one",
        )
    else:
        records.notes.append(f"No visit has a segmentation (looked for {_LOOKED_FOR}).")
