"""Training volumes from a cohort of one's own."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brlp_models.errors import ModelError, ScanError
from brlp_models.scans.files import read_labels
from brlp_models.scans.grid import Grid, resample
from brlp_models.scans.placing import (
    add_channels,
    are_preprocessed,
    refuse_determinant,
    take_as_they_are,
)
from brlp_models.scans.preprocessing import (
    PreprocessedScan,
    VisitScan,
    preprocess_visits,
    read_channels,
)
from brlp_models.training.banks.scan_bank import BankWriter
from brlp_models.training.tissues import TISSUES
from cohorts.cohort import Cohort
from cohorts.visits import order_visits, read_determinant


def write_cohort_bank(
    cohort: Cohort,
    folder: Path,
    grid: Grid,
    *,
    channels: Sequence[str] = ("T1w",),
    report: Callable[[int], None] = lambda _: None,
) -> pd.DataFrame:
    """Preprocess every scan of a cohort onto a model's grid, for training.

    Scans that lie on the grid as a prediction wants them are taken as they are.

    Parameters
    ----------
    cohort
        Its visits have images with segmentations.
    folder
        The bank; people whose scans it holds already are not preprocessed again.
    grid
        The model's.
    channels
        The model's; those beside the T1w lie in its folder.
    report
        Called with each finished person's number.

    Raises
    ------
    ModelError
        Where a visit lacks an image, a channel or its segmentation, or the folder's bank is of
        other visits, channels or tables.
    """
    visits = order_visits(cohort.visits)
    scans_of = _find_scans(visits, channels)
    table = cohort.baseline()
    volumes = cohort.visit_volumes().set_index(["participant_id", "session_id"])
    volumes = volumes.drop(columns=["months_from_baseline", "age_years"])
    people = [str(person) for person in visits["participant_id"].unique()]
    names = (visits["participant_id"] + " " + visits["session_id"]).tolist()
    description: dict[str, Any] = {
        "cohort": cohort.name,
        "visits": names,
        "channels": list(channels),
    }
    stated = [scan.determinant for scan in scans_of]
    if any(stated):
        description["determinants"] = stated
    writer = BankWriter(folder, len(visits), grid.shape, description, n_channels=len(channels))
    finished: dict[str, list[dict[str, Any]]] = {}
    for row in writer.read_rows():
        finished.setdefault(row["participant_id"], []).append(row)
    start = 0
    for number, person in enumerate(people):
        own = visits[visits["participant_id"] == person]
        who = table.loc[[person]].iloc[0]
        if person in finished:
            for k, row in enumerate(finished[person]):
                told = _describe(start + k, own.iloc[k], who, volumes, row["determinant"])
                _refuse_other_tables(row, told, folder)
        else:
            scans = _preprocess(scans_of[start : start + len(own)], grid)
            rows = [
                _describe(start + k, own.iloc[k], who, volumes, scan.determinant)
                for k, scan in enumerate(scans)
            ]
            placed = [
                (scan.image, _place_labels(Path(path), scan, grid))
                for scan, path in zip(scans, own["segmentation_path"], strict=True)
            ]
            writer.add(placed, rows)
        start += len(own)
        report(number)
    return writer.finish()


def _find_scans(visits: pd.DataFrame, channels: Sequence[str]) -> list[VisitScan]:
    """Return the files of every visit; all that is missing is told at once."""
    found, problems = [], []
    has_files = visits[["image_path", "segmentation_path"]].notna().all(axis=1)
    for visit, is_whole in zip(visits.itertuples(), has_files, strict=True):
        who = f"{visit.participant_id}, {visit.session_id}"
        if not is_whole:
            problems.append(f"{who}: training needs an image with its segmentation.")
            continue
        try:
            scan = VisitScan(
                str(visit.image_path),
                str(visit.segmentation_path),
                determinant=read_determinant(getattr(visit, "determinant", None)),
            )
            found.append(add_channels(scan, channels))
        except ScanError as error:
            problems += [f"{who}: {problem}" for problem in error.problems]
    if problems:
        raise ModelError(*problems)
    return found


def _preprocess(visits: Sequence[VisitScan], grid: Grid) -> list[PreprocessedScan]:
    scans = [read_channels(visit) for visit in visits]
    if all(are_preprocessed(one, grid) for one in scans):
        return [
            take_as_they_are(one, None, determinant=visit.determinant)
            for visit, one in zip(visits, scans, strict=True)
        ]
    for visit, one in zip(visits, scans, strict=True):
        refuse_determinant(visit, one[0])
    return preprocess_visits(visits, grid)


def _place_labels(path: Path, scan: PreprocessedScan, grid: Grid) -> npt.NDArray[np.uint8]:
    labels, source = read_labels(path)
    tissues = TISSUES.encode(np.asarray(labels).astype(np.int32))
    placed = resample(tissues, source, grid, source_to_target=scan.native_to_mni, order=0)
    return np.where(scan.mask, placed, 0).astype(np.uint8)


def _describe(
    row: int,
    visit: "pd.Series[Any]",
    person: "pd.Series[Any]",
    volumes: pd.DataFrame,
    determinant: float,
) -> dict[str, Any]:
    baseline = {
        str(name): value.item() if isinstance(value, np.generic) else value
        for name, value in person.items()
        if not str(name).endswith("_mm3") and pd.notna(value)
    }
    native = volumes.loc[(visit["participant_id"], visit["session_id"])].dropna()
    return {
        **baseline,
        "row": row,
        "participant_id": str(visit["participant_id"]),
        "session_id": str(visit["session_id"]),
        "age_years": float(visit["age_years"]),
        "months_from_baseline": float(visit["months_from_baseline"]),
        "determinant": determinant,
        **{f"{region}_mm3": float(v) * determinant for region, v in native.items()},
    }


def _refuse_other_tables(known: dict[str, Any], told: dict[str, Any], folder: Path) -> None:
    """Refuse a bank of the same visits of which the tables told something else."""
    # as they are read back
    told = json.loads(json.dumps(told))
    names = dict.fromkeys([*known, *told])
    if others := [name for name in names if known.get(name) != told.get(name)]:
        raise ModelError(
            f"{folder} was made with other tables of these people: of {known['participant_id']}, "
            f"{known['session_id']}, {', '.join(others)} changed; give the tables as they were, "
            "choose another folder or delete it."
        )
