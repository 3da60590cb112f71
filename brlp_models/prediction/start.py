"""The scan that a prediction starts from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from brlp_models.errors import ModelError
from brlp_models.model.model import BrlpModel
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.check import check_against_model
from brlp_models.scans.grid import Affine
from brlp_models.scans.placing import PREPROCESSED_BEFORE, load_onto_grid
from brlp_models.scans.preprocessing import PreprocessedScan, VisitScan, to_native_space
from brlp_models.scans.segmentation import Segmenter
from cohorts.cohort import Cohort
from cohorts.files.bids_output import format_label
from cohorts.visits import order_visits, read_determinant
from cohorts.volumes.volumetry import compute_volumes


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
        Its files, of the T1w where the model reads more.
    determinant
        What the visit states of the way of its files to MNI152, where it states any.
    """

    participant_id: str
    session_id: str
    age_years: float
    months: float
    image_path: Path
    segmentation_path: Path | None
    determinant: float | None = None

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
        (channels, *shape), intensities 0 to 1.
    native_to_mni
        Matrix from the scan's world to MNI152 (RAS, mm); None where the scan is there already.
    restore
        Takes an array (*shape) on the model's grid back to the person's own space.
    warnings
        What the input check says of a scan that is outside of training; empty for a pass.
    brain_mask
        Where the brain mask came from (`brlp_models.scans.brain_mask.BrainMask`), or that the scan
        was preprocessed before it was read.
    contrast_spread
        By region, the sd of its volume between contrasts of the scan, as a share of it; see
        `ScanCheck`.
    determinant
        MNI-space volume over native volume.
    """

    image: Tensor
    native_to_mni: Affine | None
    restore: Callable[[np.ndarray], Any]
    warnings: str = ""
    brain_mask: str = PREPROCESSED_BEFORE
    contrast_spread: Mapping[str, float] = field(default_factory=dict)
    determinant: float = 1.0


def find_start_visit(cohort: Cohort, participant_id: str, *, until_months: float) -> StartVisit:
    """Return the latest visit with an image up to `until_months` after baseline.

    Raises
    ------
    ModelError
        Where the person has none.
    """
    own = cohort.visits["participant_id"] == participant_id
    known = cohort.visits["months_from_baseline"] <= until_months
    visits = order_visits(cohort.visits[(own & known).to_numpy()])
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
        read_determinant(row.get("determinant")),
    )


def load_start_scan(
    model: BrlpModel, cohort: Cohort, visit: StartVisit, cache: ScanCache
) -> StartScan:
    """Read the starting scan of one person's cohort onto the model's grid, and judge it.

    A scan that is there already is taken as it is. Any other is preprocessed, through the affine
    of the person's first scan, and kept in `cache`.

    Raises
    ------
    ModelError
        Where the file cannot be read, or the input check refuses it.
    """
    scan = place_start(model, cohort, visit, cache)
    check = check_against_model(model, scan)
    if check.verdict == "fail":
        raise ModelError(f"{visit.image_path} was refused: {check.reason_text}.")
    return StartScan(
        torch.from_numpy(scan.image),
        None if scan.is_in_place else scan.native_to_mni,
        lambda array: to_native_space(array, scan),
        check.reason_text,
        check.brain_mask,
        check.contrast_spread,
        scan.determinant,
    )


def place_start(
    model: BrlpModel, cohort: Cohort, visit: StartVisit, cache: ScanCache
) -> PreprocessedScan:
    """Return the scan of a visit on the model's grid; see `load_onto_grid`.

    Raises
    ------
    ScanError
        Where a file cannot be read, or no brain is found in it.
    """
    return load_onto_grid(model, list_start_scans(cohort, visit), cache)


def list_start_scans(cohort: Cohort, visit: StartVisit) -> list[VisitScan]:
    """Return the scans of one person that a prediction from a visit reads, the first one first."""
    first = find_start_visit(cohort, visit.participant_id, until_months=0.0)
    starts = [first] if first.session_id == visit.session_id else [first, visit]
    return [
        VisitScan(start.image_path, start.segmentation_path, determinant=start.determinant)
        for start in starts
    ]


def measure_start(
    cohort: Cohort, visit: StartVisit, scan: StartScan, segmenter: Segmenter | None
) -> tuple[dict[str, float], str]:
    """Return the native volumes (mm3) of one person's starting scan, and what measured them.

    The cohort's own volumes come first, then the given segmentation, then the segmenter. The given
    segmentation lies where the scan's file lies.
    """
    mine = cohort.volumes_of(visit.participant_id, visit.session_id)
    if not mine.empty:
        return as_mapping(mine), str(mine["source"].iloc[0])
    if visit.segmentation_path is not None:
        given = as_mapping(compute_volumes(visit.segmentation_path))
        scale = visit.determinant or 1.0
        return {region: volume / scale for region, volume in given.items()}, "segmentation"
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
        self.tables = [cohort.participants, cohort.visits, cohort.volumes]
        self.rows = [table.groupby("participant_id", sort=False).indices for table in self.tables]

    def select(self, participant_id: str) -> Cohort:
        """Return the cohort of one person."""
        nobody = np.empty(0, dtype=np.intp)
        return self.cohort.keep(
            *(
                table.take(np.asarray(rows.get(participant_id, nobody)))
                for table, rows in zip(self.tables, self.rows, strict=True)
            )
        )
