"""The scans of a cohort's visits on a model's grid."""

from collections.abc import Callable, Iterator
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
from cohorts.errors import StorageError, TrialsimError
from cohorts.visits import read_determinant


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


OnUnreadable = Callable[[str, str, str], None]
"""Told participant, session and problem of a scan that is left out."""


def iterate_people(
    model: BrlpModel,
    cohort: Cohort,
    cache: ScanCache,
    *,
    on_unreadable: OnUnreadable | None = None,
) -> Iterator[list[VisitImage]]:
    """Yield each person's visits that have an image, in time.

    Parameters
    ----------
    model, cache
        As in `predict_cohort`.
    cohort
        The people.
    on_unreadable
        Called for each scan that cannot be read or placed; who has no other is not yielded. Without
        it such a scan is an error.

    Raises
    ------
    ModelError
        Where a scan cannot be read, and nobody wants to be told.
    """
    visits = cohort.visits[cohort.visits["image_path"].notna()]
    for _, own in visits.sort_values("months_from_baseline").groupby("participant_id"):
        if loaded := [*_iterate_visits(model, own, cache, on_unreadable)]:
            yield loaded


def _iterate_visits(
    model: BrlpModel, own: pd.DataFrame, cache: ScanCache, on_unreadable: OnUnreadable | None
) -> Iterator[VisitImage]:
    grid, first = Grid.of_config(model.config), None
    for row in own.itertuples():
        person, session = str(row.participant_id), str(row.session_id)
        visit = VisitScan(
            Path(str(row.image_path)),
            _path(row.segmentation_path),
            determinant=read_determinant(getattr(row, "determinant", None)),
        )
        try:
            scan = load_onto_grid(model, [visit] if first is None else [first, visit], cache)
            labels = _load_labels(_path(row.segmentation_path), grid, scan.native_to_mni)
        except StorageError:
            raise
        except TrialsimError as error:
            if on_unreadable is None:
                raise
            on_unreadable(person, session, " ".join(error.problems))
            continue
        first = first or visit
        yield VisitImage(
            person,
            session,
            float(str(row.months_from_baseline)),
            torch.from_numpy(np.ascontiguousarray(scan.image)),
            scan.determinant,
            labels,
        )


def _path(value: object) -> Path | None:
    return None if value is None or pd.isna(value) else Path(str(value))  # type: ignore[call-overload]


def _load_labels(
    path: Path | None, grid: Grid, to_mni: npt.NDArray[np.float64]
) -> npt.NDArray[np.int32] | None:
    if path is None:
        return None
    labels, source = read_labels(path)
    return np.asarray(resample_labels(labels, source, grid, source_to_target=to_mni))
