"""The scans of a cohort's visits on a model's grid."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from brlp_models.model.model import BrlpModel
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.files import read_labels
from brlp_models.scans.grid import Grid, resample_labels
from brlp_models.scans.placing import load_onto_grid
from brlp_models.scans.preprocessing import VisitScan
from cohorts.cohort import Cohort


@dataclass(frozen=True)
class VisitImage:
    """One visit on the model's grid.

    Parameters
    ----------
    participant_id, session_id, months
        Which visit, and when.
    image
        (channels, *shape), 0 to 1.
    determinant
        MNI-space over native volume.
    labels
        Codes on the grid, where the visit has a segmentation.
    """

    participant_id: str
    session_id: str
    months: float
    image: Tensor
    determinant: float
    labels: npt.NDArray[np.int32] | None


def iterate_people(
    model: BrlpModel, cohort: Cohort, cache: ScanCache
) -> Iterator[list[VisitImage]]:
    """Yield each person's visits that have an image, in time."""
    visits = cohort.visits[cohort.visits["image_path"].notna()]
    for _, own in visits.sort_values("months_from_baseline").groupby("participant_id"):
        yield load_visits(model, own, cache)


def load_visits(model: BrlpModel, own: pd.DataFrame, cache: ScanCache) -> list[VisitImage]:
    """Return one person's visits, read as a prediction that starts from them reads its scan."""
    grid = Grid.of_config(model.config)
    first, *later = (
        VisitScan(Path(str(row.image_path)), _path(row.segmentation_path))
        for row in own.itertuples()
    )
    scans = [
        load_onto_grid(model, visits, cache)
        for visits in ([first], *([first, visit] for visit in later))
    ]
    return [
        VisitImage(
            str(row.participant_id),
            str(row.session_id),
            float(str(row.months_from_baseline)),
            torch.from_numpy(np.ascontiguousarray(scan.image)),
            scan.determinant,
            _load_labels(_path(row.segmentation_path), grid, scan.native_to_mni),
        )
        for row, scan in zip(own.itertuples(), scans, strict=True)
    ]


def _path(value: object) -> Path | None:
    return None if value is None or pd.isna(value) else Path(str(value))  # type: ignore[call-overload]


def _load_labels(
    path: Path | None, grid: Grid, to_mni: npt.NDArray[np.float64]
) -> npt.NDArray[np.int32] | None:
    if path is None:
        return None
    labels, source = read_labels(path)
    return np.asarray(resample_labels(labels, source, grid, source_to_target=to_mni))
