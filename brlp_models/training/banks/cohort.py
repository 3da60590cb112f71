"""Training volumes from a cohort of one's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brlp_models.errors import ModelError
from brlp_models.scans.files import read_labels, read_scan
from brlp_models.scans.grid import Grid, resample
from brlp_models.scans.placing import is_preprocessed, take_as_it_is
from brlp_models.scans.preprocessing import PreprocessedScan, VisitScan, preprocess_visits
from brlp_models.training.banks.scan_bank import BankWriter
from brlp_models.training.tissues import TISSUES
from cohorts.cohort import Cohort
from cohorts.visits import order_visits


def write_cohort_bank(
    cohort: Cohort, folder: Path, grid: Grid, *, report: Callable[[int], None] = lambda _: None
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
    report
        Called with each finished person's number.

    Raises
    ------
    ModelError
        Where a visit has no image or no segmentation, or the folder's bank is of other visits.
    """
    visits = order_visits(cohort.visits)
    _check_files(visits)
    table = cohort.baseline()
    volumes = cohort.visit_volumes().set_index(["participant_id", "session_id"])
    volumes = volumes.drop(columns=["months_from_baseline", "age_years"])
    people = [str(person) for person in visits["participant_id"].unique()]
    names = (visits["participant_id"] + " " + visits["session_id"]).tolist()
    writer = BankWriter(folder, len(visits), grid.shape, {"cohort": cohort.name, "visits": names})
    finished = {row["participant_id"] for row in writer.read_rows()}
    start = 0
    for number, person in enumerate(people):
        own = visits[visits["participant_id"] == person]
        if person not in finished:
            scans = _preprocess(own, grid)
            rows = [
                _describe(start + k, own.iloc[k], table.loc[[person]].iloc[0], volumes, scan)
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


def _check_files(visits: pd.DataFrame) -> None:
    problems = [
        f"{row.participant_id}, {row.session_id}: training needs an image with its segmentation."
        for row in visits[
            visits[["image_path", "segmentation_path"]].isna().any(axis=1)
        ].itertuples()
    ]
    if problems:
        raise ModelError(*problems)


def _preprocess(own: pd.DataFrame, grid: Grid) -> list[PreprocessedScan]:
    scans = [read_scan(path) for path in own["image_path"]]
    if all(is_preprocessed(scan, grid) for scan in scans):
        return [take_as_it_is(scan, None) for scan in scans]
    return preprocess_visits(
        [
            VisitScan(scan, segmentation)
            for scan, segmentation in zip(scans, own["segmentation_path"], strict=True)
        ],
        grid,
    )


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
    scan: PreprocessedScan,
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
        "determinant": scan.determinant,
        **{f"{region}_mm3": float(v) * scan.determinant for region, v in native.items()},
    }
