"""The scans of a cohort's visits on a model's grid."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from brlp_models.model.model import BrlpModel
from brlp_models.prediction.start import is_preprocessed
from brlp_models.scans.brain_mask import BrainSegmenter
from brlp_models.scans.brain_network import choose_brain_segmenter
from brlp_models.scans.cache import ScanCache, compute_key
from brlp_models.scans.files import read_labels, read_scan
from brlp_models.scans.grid import Grid, resample_labels
from brlp_models.scans.preprocessing import PreprocessedScan, VisitScan, preprocess_visits
from cohorts.cohort import Cohort


@dataclass(frozen=True)
class VisitImage:
    """One visit on the model's grid.

    Parameters
    ----------
    participant_id, session_id, months
        Which visit, and when.
    image
        (1, *shape), 0 to 1.
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
    """Return one person's visits; scans on the grid already are taken as they are.

    Others are preprocessed as for a prediction that starts from them.
    """
    grid = Grid.of_config(model.config)
    first = read_scan(own["image_path"].iloc[0])
    if is_preprocessed(first, model.config):
        images = [read_scan(path).data for path in own["image_path"]]
        to_mni = [np.eye(4)] * len(images)
    else:
        done = list(_preprocess(model, own, cache))
        images, to_mni = [scan.image for scan in done], [scan.native_to_mni for scan in done]
    return [
        VisitImage(
            str(row.participant_id),
            str(row.session_id),
            float(str(row.months_from_baseline)),
            torch.from_numpy(np.ascontiguousarray(image))[None],
            float(np.linalg.det(affine[:3, :3])),
            _load_labels(_path(row.segmentation_path), grid, affine),
        )
        for row, image, affine in zip(own.itertuples(), images, to_mni, strict=True)
    ]


def _preprocess(
    model: BrlpModel, own: pd.DataFrame, cache: ScanCache
) -> Iterator[PreprocessedScan]:
    grid, segmenter = Grid.of_config(model.config), choose_brain_segmenter(model)
    first, *later = (
        VisitScan(Path(str(row.image_path)), _path(row.segmentation_path))
        for row in own.itertuples()
    )
    for visits in ([first], *([first, visit] for visit in later)):
        key = compute_key(visits, grid, segmenter=segmenter)
        yield cache.fetch(key, partial(_preprocess_last, visits, grid, segmenter))


def _preprocess_last(
    visits: Sequence[VisitScan], grid: Grid, segmenter: BrainSegmenter | None
) -> PreprocessedScan:
    return preprocess_visits(visits, grid, segmenter=segmenter)[-1]


def _path(value: object) -> Path | None:
    return None if value is None or pd.isna(value) else Path(str(value))  # type: ignore[call-overload]


def _load_labels(
    path: Path | None, grid: Grid, to_mni: npt.NDArray[np.float64]
) -> npt.NDArray[np.int32] | None:
    if path is None:
        return None
    labels, source = read_labels(path)
    return np.asarray(resample_labels(labels, source, grid, source_to_target=to_mni))
