"""BIDS datasets: `participants.tsv`, sessions, T1w images, segmentations under `derivatives/`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from cohorts.errors import CohortError
from cohorts.sources.columns import name_volume_column
from cohorts.sources.freesurfer import read_aseg_stats
from cohorts.sources.reading import Reading
from cohorts.sources.records import (
    PERSON_DIAGNOSIS,
    SOURCE_ROW,
    VOLUME_SOURCE,
    Problem,
    Records,
)
from cohorts.sources.table import read_table_records
from cohorts.sources.text import read_header
from cohorts.sources.values import is_missing

_SINGLE_SESSION: Final = "ses-01"


def is_bids_dataset(path: Path) -> bool:
    """Return whether `path` is the root of a BIDS dataset."""
    return (path / "participants.tsv").is_file() and not (path / "aseg.stats").is_file()


def read_bids_records(root: Path, *, reading: Reading) -> Records:
    """Return the visits of a BIDS dataset, with the paths of their images.

    A visit's own values (`sub-*_sessions.tsv`) win over those of the person
    (`participants.tsv`), whose age is the one at the first visit.

    Raises
    ------
    CohortError
        Where a table cannot be read.
    """
    people = read_table_records(root / "participants.tsv", reading=reading)
    described = _read_description(root)
    records = Records(
        people.frame,
        name=str(described.get("Name") or root.name),
        sources=[*people.sources],
        column_names=people.column_names,
        volume_factors=people.volume_factors,
        notes=people.notes,
        has_unattended_visits=people.has_unattended_visits,
        is_synthetic=_is_synthetic(described),
        missing_codes=reading.missing,
    )
    if any(root.glob("sub-*/")):
        _read_visits(records, root, reading)
    else:
        records.notes.append(f"{root.name} holds no scans: participants.tsv was read as a table.")
    return records


def _read_description(root: Path) -> dict[str, Any]:
    path = root / "dataset_description.json"
    if not path.is_file():
        return {}
    try:
        described = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise CohortError(f"{path.name} could not be read as JSON: {error}.") from error
    return described if isinstance(described, dict) else {}


def _is_synthetic(described: Mapping[str, Any]) -> bool:
    words = f"{described.get('Name', '')} {described.get('Keywords', '')}".lower()
    return bool(described.get("IsSynthetic", False)) or "synthetic" in words


def _read_visits(records: Records, root: Path, reading: Reading) -> None:
    people = records.frame
    if "session_id" in people:
        people = people.assign(_wave=people.pop("session_id").str.extract(r"(\d+)$")[0].astype(int))
    sessions = _list_visits(records, root, people, reading)
    if sessions.empty:
        raise CohortError(f"{root} has no sub-*/ folder for anyone in participants.tsv.")
    records.frame = _join(people, sessions)
    _report_missing_images(records)


def _list_visits(
    records: Records, root: Path, people: pd.DataFrame, reading: Reading
) -> pd.DataFrame:
    named = people["participant_id"].dropna().unique()
    for folder in sorted(root.glob("sub-*/")):
        if folder.name not in set(named):
            records.problems.append(
                Problem(
                    f"no row for the folder {folder.name}; one is expected for each person",
                    participant_id=folder.name,
                    file="participants.tsv",
                )
            )
    rows = [row for person in named for row in _list_person(records, root, person, reading)]
    return pd.DataFrame(rows)


def _list_person(
    records: Records, root: Path, person: str, reading: Reading
) -> list[dict[str, Any]]:
    stated = _read_sessions_table(records, root, person, reading)
    names: list[str | None] = [*dict.fromkeys([*stated, *list_sessions(root, person)])]
    return [
        {
            **stated.get(name or "", {}),
            "participant_id": person,
            "session_id": name or _SINGLE_SESSION,
            **_find_files(records, root, person, name),
        }
        for name in names or [None]
    ]


def _read_sessions_table(
    records: Records, root: Path, person: str, reading: Reading
) -> dict[str, dict[str, Any]]:
    path = root / person / f"{person}_sessions.tsv"
    if not path.is_file():
        return {}
    used = reading.without(reading.list_absent(read_header(path)))
    table = read_table_records(path, reading=used, key="session_id")
    records.sources.append(path)
    records.column_names = {**table.column_names, **records.column_names}
    records.volume_factors |= table.volume_factors
    frame = table.frame.drop(columns=[VOLUME_SOURCE, PERSON_DIAGNOSIS])
    names = frame["session_id"].astype("str")
    names = names.where(names.str.startswith("ses-"), "ses-" + names)
    for row in frame[names.duplicated()].to_dict("records"):
        records.problems.append(
            Problem(
                f"the visit {row['session_id']} is in the data twice; once is expected",
                person,
                path.name,
                row[SOURCE_ROW],
            )
        )
    return {
        name: {str(key): value for key, value in row.items() if key != "session_id"}
        for name, row in zip(names, frame.to_dict("records"), strict=True)
    }


def _find_files(records: Records, root: Path, person: str, session: str | None) -> dict[str, Any]:
    images = find_t1w(root, person, session)
    maps = find_segmentation(root, person, session)
    found: dict[str, Any] = {
        "image_path": str(images[0]) if images else None,
        "segmentation_path": str(maps[0]) if maps else None,
    }
    visit = f"{person} {session or ''}".strip()
    if len(images) > 1:
        records.notes.append(f"{visit} has {len(images)} T1w images; {images[0].name} was read.")
    if len(maps) > 1:
        names = ", ".join(str(path.relative_to(root)) for path in maps)
        records.problems.append(
            Problem(f"{visit} has several segmentations ({names}); one is expected", person)
        )
    stats = find_aseg_stats(root, person, session)
    if stats is not None:
        volumes = read_aseg_stats(stats)
        found |= {name_volume_column(region): volume for region, volume in volumes.items()}
        found[VOLUME_SOURCE] = "aseg.stats"
        records.sources.append(stats)
    return found


def _join(people: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return one row a visit: the person's values, under the visit's own where it has them."""
    keys = ["participant_id"]
    if "_wave" in people:
        sessions = sessions.assign(
            _wave=sessions["session_id"].str.extract(r"(\d+)$")[0].astype(float)
        )
        keys.append("_wave")
    repeated = people.duplicated(keys)
    frame = sessions.merge(people[~repeated], on=keys, how="left", suffixes=("", "_person"))
    for name in [str(name) for name in frame if str(name).endswith("_person")]:
        own = name.removesuffix("_person")
        frame[own] = _combine(frame, own, name)
    if "diagnosis_person" in frame:
        frame[PERSON_DIAGNOSIS] = frame["diagnosis_person"]
    frame = frame.drop(columns=[name for name in frame if str(name).endswith("_person")])
    return frame.drop(columns="_wave", errors="ignore")


def _combine(frame: pd.DataFrame, own: str, of_person: str) -> pd.Series:
    absent = pd.Series(is_missing(frame[own]), index=frame.index)
    return frame[own].where(~absent, frame[of_person])


def _report_missing_images(records: Records) -> None:
    for column, what in (("image_path", "T1w image"), ("segmentation_path", "segmentation")):
        absent = records.frame[column].isna()
        if absent.all():
            records.notes.append(f"No visit has a {what}.")
            continue
        records.report(absent, None, f"no {what} for {{session_id}}; other visits have one")


_IMAGE_ENDINGS = ("_T1w.nii.gz", "_T1w.nii", "_T1w.mgz")
_MAP_ENDINGS = ("_dseg.nii.gz", "_dseg.nii", "_dseg.mgz")


def list_sessions(root: Path, person: str) -> list[str]:
    """Return the names of a person's session folders, in order."""
    return sorted(path.name for path in (root / person).glob("ses-*/"))


def find_t1w(root: Path, person: str, session: str | None) -> list[Path]:
    """Return the T1w images of a visit; the first is the one to use."""
    return _list_files(_visit_folder(root, person, session) / "anat", _IMAGE_ENDINGS)


def find_segmentation(root: Path, person: str, session: str | None) -> list[Path]:
    """Return the label maps of a visit in the space of its T1w image, over all pipelines.

    Where a pipeline also writes tissue classes (fMRIPrep's plain `_dseg`), its `desc-aseg` is
    the one with structures.
    """
    found = [
        path
        for pipeline in sorted((root / "derivatives").glob("*/"))
        for path in _list_files(_visit_folder(pipeline, person, session) / "anat", _MAP_ENDINGS)
    ]
    found += _list_files(
        _visit_folder(root / "derivatives", person, session) / "anat", _MAP_ENDINGS
    )
    native = [path for path in found if "_space-" not in path.name or "_space-T1w" in path.name]
    structures = [path for path in native if "_desc-aseg_" in path.name]
    return structures or [path for path in native if "_desc-aparc" not in path.name]


def find_aseg_stats(root: Path, person: str, session: str | None) -> Path | None:
    """Return FreeSurfer's volumes of a visit, if there are any."""
    subject = person if session is None else f"{person}_{session}"
    places = [
        pipeline / name / "stats" / "aseg.stats"
        for pipeline in sorted((root / "derivatives").glob("*/"))
        for name in (subject, f"{subject}.long.{person}")
    ]
    return next((path for path in places if path.is_file()), None)


def _visit_folder(root: Path, person: str, session: str | None) -> Path:
    return root / person / session if session else root / person


def _list_files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.name.endswith(endings))
