"""The scan that a prediction starts from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.model.model import BrlpModel
from brlp_models.scans.brain_network import choose_brain_segmenter
from brlp_models.scans.cache import ScanCache, compute_key
from brlp_models.scans.check import check_scan, reconstruct_image
from brlp_models.scans.files import Scan, read_scan
from brlp_models.scans.grid import Affine, Grid
from brlp_models.scans.preprocessing import (
    PreprocessedScan,
    VisitScan,
    preprocess_visits,
    to_native_space,
)
from brlp_models.scans.segmentation import Segmenter, make_image
from cohorts.bids_output import format_label
from cohorts.cohort import Cohort
from cohorts.visits import order_visits
from cohorts.volumetry import compute_volumes

_LEAST_BACKGROUND = 0.05
"""The share of voxels that are exactly 0 in a scan that is preprocessed already."""


@dataclass(frozen=True)
class StartVisit:
    """The latest visit that a prediction may see.

    Parameters
    ----------
    participant_id, session_id
        Whose, and which.
    age_years, months
        At the visit; months since the baseline visit.
    image_path, segmentation_path
        Its files.
    """

    participant_id: str
    session_id: str
    age_years: float
    months: float
    image_path: Path
    segmentation_path: Path | None

    @property
    def prefix(self) -> str:
        """What begins the names of all files of the visit, as BIDS has it."""
        return f"sub-{format_label(self.participant_id)}_ses-{format_label(self.session_id)}"

    @property
    def anat_folder(self) -> Path:
        """Where the visit's images lie in a BIDS dataset."""
        return Path(*self.prefix.split("_"), "anat")

    @property
    def reconstruction_name(self) -> str:
        """What the decoded starting scan is called, without the ending of the file."""
        return f"{self.prefix}_desc-reconstructed_T1w"


@dataclass(frozen=True)
class StartScan:
    """A scan on the model's grid.

    Parameters
    ----------
    image
        (1, *shape), intensities 0 to 1.
    native_to_mni
        Matrix from the scan's world to MNI152 (RAS, mm); None where the scan is there already.
    restore
        Takes an array on the model's grid back to the person's own space.
    warnings
        What the input check says of a scan that is outside of training; empty for a pass.
    brain_mask
        Where the brain mask came from (`brlp_models.scans.brain_mask.BrainMask`), or that the scan
        was preprocessed before it was read.
    """

    image: Tensor
    native_to_mni: Affine | None
    restore: Callable[[np.ndarray], Any]
    warnings: str = ""
    brain_mask: str = "preprocessed before"

    @property
    def determinant(self) -> float:
        """MNI-space volume over native volume."""
        if self.native_to_mni is None:
            return 1.0
        return float(np.linalg.det(self.native_to_mni[:3, :3]))


def find_start_visit(cohort: Cohort, participant_id: str, *, until_months: float) -> StartVisit:
    """Return the latest visit with an image up to `until_months` after baseline.

    Raises
    ------
    ModelError
        Where the person has none.
    """
    visits = order_visits(cohort.select([participant_id]).until(until_months).visits)
    mine = visits[visits["image_path"].notna()]
    if mine.empty:
        raise ModelError(
            f"{participant_id} has no visit with an image up to month {until_months:g}."
        )
    row = mine.iloc[-1]
    segmentation = row["segmentation_path"]
    return StartVisit(
        participant_id,
        str(row["session_id"]),
        float(row["age_years"]),
        float(row["months_from_baseline"]),
        Path(row["image_path"]),
        Path(segmentation) if pd.notna(segmentation) else None,
    )


def load_start_scan(
    model: BrlpModel, cohort: Cohort, visit: StartVisit, cache: ScanCache
) -> StartScan:
    """Read the starting scan of one person's cohort onto the model's grid.

    A scan that is there already, with intensities 0 to 1 around a background of 0, is taken as it
    is. Any other is preprocessed, through the affine of the person's first scan, kept in `cache`,
    and checked.

    Raises
    ------
    ModelError
        Where the file cannot be read, or the input check refuses it.
    """
    scan = read_scan(visit.image_path)
    if is_preprocessed(scan, model.config):
        image = torch.from_numpy(scan.data)[None]
        return StartScan(image, None, lambda array: make_image(array, model.config))
    return _check(model, visit, preprocess_start(model, cohort, visit, cache))


def preprocess_start(
    model: BrlpModel, cohort: Cohort, visit: StartVisit, cache: ScanCache
) -> PreprocessedScan:
    """Return a scan that is not on the model's grid there, through the person's first scan.

    Raises
    ------
    ScanError
        Where a file cannot be read, or no brain is found in it.
    """
    first = find_start_visit(cohort, visit.participant_id, until_months=0.0)
    starts = [first] if first.session_id == visit.session_id else [first, visit]
    visits = [VisitScan(start.image_path, start.segmentation_path) for start in starts]
    grid, segmenter = Grid.of_config(model.config), choose_brain_segmenter(model)
    return cache.fetch(
        compute_key(visits, grid, segmenter=segmenter),
        lambda: preprocess_visits(visits, grid, segmenter=segmenter)[-1],
    )


def is_preprocessed(scan: Scan, config: ModelConfig) -> bool:
    """Say whether a scan lies on the model's grid with the model's intensities."""
    if scan.grid != Grid.of_config(config):
        return False
    low, high = float(scan.data.min()), float(scan.data.max())
    background = float(np.mean(scan.data == 0))
    return low == 0 and 0.5 < high <= 1.001 and background >= _LEAST_BACKGROUND


def measure_start(
    cohort: Cohort, visit: StartVisit, scan: StartScan, segmenter: Segmenter | None
) -> tuple[dict[str, float], str]:
    """Return the native volumes (mm3) of one person's starting scan, and what measured them.

    The cohort's own volumes come first, then the given segmentation, then the segmenter.
    """
    mine = cohort.volumes_of(visit.participant_id, visit.session_id)
    if not mine.empty:
        return as_mapping(mine), str(mine["source"].iloc[0])
    if visit.segmentation_path is not None:
        return as_mapping(compute_volumes(visit.segmentation_path)), "segmentation"
    if segmenter is None:
        raise ModelError(
            f"{visit.participant_id} has neither volumes nor a segmentation at {visit.session_id}."
        )
    (found,) = segmenter.measure(scan.image[None], [f"{visit.prefix}_T1w"])
    return {region: volume / scan.determinant for region, volume in found.items()}, segmenter.name


def as_mapping(volumes: pd.DataFrame) -> dict[str, float]:
    """Return the volumes (mm3) of one visit by region."""
    rows = zip(volumes["region"], volumes["volume_mm3"], strict=True)
    return {str(region): float(volume) for region, volume in rows}


def add_missing_volumes(
    cohort: Cohort, visit: StartVisit, volumes: Mapping[str, float], source: str
) -> Cohort:
    """Return one person's cohort with the visit's volumes, where it has none of that visit."""
    if not cohort.volumes_of(visit.participant_id, visit.session_id).empty:
        return cohort
    rows = pd.DataFrame({"region": list(volumes), "volume_mm3": list(volumes.values())}).assign(
        participant_id=visit.participant_id, session_id=visit.session_id, source=source
    )
    return replace(cohort, volumes=pd.concat([cohort.volumes, rows], ignore_index=True))


class People:
    """The people of a cohort, each as a cohort of one, found without a search through its tables.

    Parameters
    ----------
    cohort
        Everyone.
    """

    def __init__(self, cohort: Cohort) -> None:
        self.cohort = cohort
        self.rows = {
            table: getattr(cohort, table).groupby("participant_id", sort=False).indices
            for table in ("participants", "visits", "volumes")
        }

    def select(self, participant_id: str) -> Cohort:
        """Return the cohort of one person."""
        nobody = np.empty(0, dtype=np.intp)
        tables = {
            table: getattr(self.cohort, table).take(rows.get(participant_id, nobody))
            for table, rows in self.rows.items()
        }
        return replace(self.cohort, **tables)


def _check(model: BrlpModel, visit: StartVisit, scan: PreprocessedScan) -> StartScan:
    check = check_scan(
        scan,
        training_ranges=model.config.training_ranges,
        reconstruct=lambda image: reconstruct_image(model, image),
    )
    if check.verdict == "fail":
        raise ModelError(f"{visit.image_path} was refused: {check.reason_text}.")
    return StartScan(
        torch.from_numpy(scan.image)[None],
        scan.native_to_mni,
        lambda array: to_native_space(array, scan),
        check.reason_text,
        check.brain_mask,
    )
