"""Reading the images of a cohort once: their faults, and the volumes of their segmentations."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.errors import CohortError
from cohorts.images import ImageError, VolumeImage, read_image
from cohorts.labels import get_codes
from cohorts.sources.columns import list_volume_columns, name_volume_column
from cohorts.sources.records import (
    SOURCE_FILE,
    SOURCE_ROW,
    VOLUME_SOURCE,
    Problem,
    Records,
    as_row_number,
    join_names,
)
from cohorts.volumes.volumetry import compute_label_volumes, compute_voxel_volume

Progress = Callable[[int, int], None]

THICKEST_MM: Final = 4.0
OVERLAP_LEAST: Final = 0.5
SAMPLED_VOXELS: Final = 100_000

_PIPELINE: Final = r".*[/\\]derivatives[/\\]([^/\\]+)[/\\]"
"""The folder that the files of a BIDS pipeline are in."""


@dataclass
class ScanPair:
    """What was found in the T1w image and the segmentation of one visit.

    Parameters
    ----------
    image_faults, segmentation_faults
        One message a fault.
    volumes_mm3
        Region -> volume; empty without a readable segmentation.
    warnings
        What is doubtful though it can be used.
    """

    image_faults: list[str] = field(default_factory=list)
    segmentation_faults: list[str] = field(default_factory=list)
    volumes_mm3: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def inspect_pair(image_path: Path | None, segmentation_path: Path | None) -> ScanPair:
    """Read a visit's images once, look for every fault, measure the segmentation.

    Parameters
    ----------
    image_path, segmentation_path
        The T1w image, its label map; None where the visit has none.
    """
    found = ScanPair()
    image = _read(image_path, found.image_faults)
    segmentation = _read(segmentation_path, found.segmentation_faults)
    for path, volume in ((image_path, image), (segmentation_path, segmentation)):
        if path is None or volume is None:
            continue
        if not volume.is_oriented:
            found.warnings.append(
                f"{path.name}: its header does not say which side is the patient's left."
            )
        if not volume.has_one_orientation:
            found.warnings.append(
                f"{path.name}: its header's sform and qform disagree about the patient's left or "
                "place; the sform was taken."
            )
    if image is not None:
        found.image_faults += _find_intensity_faults(image)
    if segmentation is not None and not found.segmentation_faults:
        _measure(segmentation, found)
    if image is not None and segmentation is not None and not found.image_faults:
        found.segmentation_faults += _find_pair_faults(image, segmentation)
    return found


def measure_scans(records: Records, *, progress: Progress | None = None) -> None:
    """Inspect the images of every visit; add their problems and the volumes to `records`.

    Volumes that the source itself gives are kept; the segmentation fills the other regions of
    visits without any.
    """
    frame = records.frame
    jobs = _list_jobs(frame)
    if not jobs:
        return
    found: dict[int, ScanPair] = {}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        pairs = pool.map(lambda job: inspect_pair(*job[1]), jobs)
        for (row, _), pair in zip(jobs, pairs, strict=True):
            found[row] = pair
            if progress is not None:
                progress(len(found), len(jobs))
    for row, pair in found.items():
        _report(records, row, pair)
        records.notes += pair.warnings
    _fill_volumes(records, found)


def _list_jobs(frame: pd.DataFrame) -> list[tuple[int, tuple[Path | None, Path | None]]]:
    absent = pd.Series(None, index=frame.index, dtype="object")
    if frame.reindex(columns=["image_path", "segmentation_path"]).isna().all(axis=None):
        return []
    images, maps = (frame.get(name, absent) for name in ("image_path", "segmentation_path"))
    paths = [
        (row, tuple(Path(path) if isinstance(path, str) else None for path in pair))
        for row, pair in enumerate(zip(images, maps, strict=True))
    ]
    return [(row, (image, labels)) for row, (image, labels) in paths if image or labels]


def _report(records: Records, row: int, pair: ScanPair) -> None:
    visit = records.frame.iloc[row]
    for column, faults in (
        ("image_path", pair.image_faults),
        ("segmentation_path", pair.segmentation_faults),
    ):
        # where no table names the file, it is the place itself
        is_named = column in records.column_names
        records.problems += [
            Problem(
                f"{Path(visit[column]).name}: {fault}" if is_named else fault,
                participant_id=visit["participant_id"],
                file=visit[SOURCE_FILE] if is_named else Path(visit[column]).name,
                row=as_row_number(visit[SOURCE_ROW]) if is_named else None,
                column=records.get_source_name(column) if is_named else None,
            )
            for fault in faults
        ]


def _fill_volumes(records: Records, found: dict[int, ScanPair]) -> None:
    """Add the volumes of label maps where the source gives none; one source for each person."""
    frame = records.frame
    measured = pd.DataFrame.from_dict(
        {row: pair.volumes_mm3 for row, pair in found.items() if pair.volumes_mm3}, orient="index"
    )
    if measured.empty:
        return
    measured.columns = [name_volume_column(str(region)) for region in measured]
    if "determinant" in frame:
        # a label map lies where its scan lies, and volumes are the person's own
        measured = measured.div(frame["determinant"].fillna(1.0).reindex(measured.index), axis=0)
    given = list_volume_columns(frame)
    has_own = frame[given].notna().any(axis=1)
    is_measured = pd.Series(frame.index.isin(measured.index), index=frame.index)
    # Where the source lacks a visit that has a map, all of the person's visits are measured alike.
    people = frame["participant_id"]
    can_be = (is_measured | ~has_own).groupby(people).transform("all")
    must_be = (is_measured & ~has_own).groupby(people).transform("any")
    is_taken = is_measured & (~has_own | (can_be & must_be))
    told = people[is_taken & has_own].unique()
    if len(told):
        records.notes.append(
            f"Label maps were measured at all visits of {', '.join(join_names(told))}, because "
            "the other volumes lack a visit."
        )
    rows = frame.index[is_taken]
    frame.loc[rows, [name for name in given if name not in measured]] = np.nan
    for column in measured:
        own = frame[column] if column in frame else pd.Series(np.nan, index=frame.index)
        frame[column] = own.where(~is_taken, measured[column])
    frame.loc[rows, VOLUME_SOURCE] = _name_maps(frame.loc[rows, "segmentation_path"])


def _name_maps(paths: pd.Series) -> pd.Series:
    """Return what measured the volumes of label maps: with the pipeline that made them, if known.

    Maps of two pipelines give one brain different volumes.
    """
    pipeline = paths.astype("str").str.extract(_PIPELINE)[0]
    return ("label map (" + pipeline + ")").fillna("label map")


def _read(path: Path | None, faults: list[str]) -> VolumeImage | None:
    if path is None:
        return None
    try:
        image = read_image(path)
    except ImageError as error:
        faults.append(error.fault)
        return None
    faults += _find_grid_faults(image)
    return None if faults else image


def _find_grid_faults(image: VolumeImage) -> list[str]:
    if min(image.voxels.shape) < 2:
        return [f"got an array of shape {image.voxels.shape}, a 3-D image is expected"]
    try:
        compute_voxel_volume(image.affine)
    except CohortError:
        return ["the affine is singular, so no voxel has a size; an invertible one is expected"]
    thickest = float(np.linalg.norm(image.affine[:3, :3], axis=0).max())
    if thickest > THICKEST_MM:
        return [f"got voxels of {thickest:.3g} mm, at most {THICKEST_MM:g} mm are expected"]
    return []


def _find_intensity_faults(image: VolumeImage) -> list[str]:
    low, high = float(image.voxels.min()), float(image.voxels.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        count = int((~np.isfinite(image.voxels)).sum())
        return [f"got {count} voxels that are NaN or infinite, finite intensities are expected"]
    return [f"every voxel is {low:g}, a scan is expected"] if low == high else []


def _measure(segmentation: VolumeImage, found: ScanPair) -> None:
    try:
        volumes = compute_label_volumes(
            segmentation.voxels, compute_voxel_volume(segmentation.affine), name="the segmentation"
        )
    except CohortError as error:
        found.segmentation_faults += [problem.rstrip(".") for problem in error.problems]
        return
    sides = [side for side in ("left", "right") if f"{side}_hippocampus" not in volumes]
    if sides:
        found.segmentation_faults.append(
            f"got no voxel of the {' or '.join(sides)} hippocampus (codes 17 and 53 are expected)"
        )
        return
    found.segmentation_faults += _find_flip(segmentation)
    found.volumes_mm3 = volumes


def _find_flip(segmentation: VolumeImage) -> list[str]:
    left, right = (
        _mean_position(segmentation, f"{side}_hippocampus")[0] for side in ("left", "right")
    )
    if left < right:
        return []
    return [
        "the left hippocampus lies to the right of the right one; the map or its affine is flipped"
    ]


def _mean_position(segmentation: VolumeImage, region: str) -> npt.NDArray[np.float64]:
    voxels = np.argwhere(np.isin(_round(segmentation), get_codes(region)))
    return _to_world(segmentation.affine, voxels.mean(axis=0))


def _round(segmentation: VolumeImage) -> npt.NDArray[Any]:
    """Return codes without what scale factors in the file add to them."""
    voxels = segmentation.voxels
    return voxels if voxels.dtype.kind in "iub" else np.rint(voxels)


def _to_world(
    affine: npt.NDArray[np.float64], voxels: npt.NDArray[np.floating | np.integer]
) -> npt.NDArray[np.float64]:
    world: npt.NDArray[np.float64] = voxels @ affine[:3, :3].T + affine[:3, 3]
    return world


def _find_pair_faults(image: VolumeImage, segmentation: VolumeImage) -> list[str]:
    """Compare the two in space, whatever their grids, order of axes and voxel sizes."""
    low, high = _bounds(image)
    other_low, other_high = _bounds(segmentation)
    if (other_high < low).any() or (other_low > high).any():
        return [
            "it does not overlap the T1w image in space; a segmentation of this image is expected"
        ]
    inside = np.argwhere(_round(segmentation) > 0)
    if not len(inside):
        return []
    sampled = _to_world(segmentation.affine, inside[:: 1 + len(inside) // SAMPLED_VOXELS])
    share = float(_is_on_tissue(image, sampled).mean())
    if share < OVERLAP_LEAST:
        return [
            f"only {share:.0%} of it lies on tissue of the T1w image; the two do not overlap, "
            "a segmentation of this image is expected"
        ]
    return []


def _is_on_tissue(image: VolumeImage, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return which points in space have a bright voxel of the image; none lie outside of it."""
    to_voxel = np.asarray(np.linalg.inv(image.affine), dtype=np.float64)
    voxels = np.rint(_to_world(to_voxel, points_mm)).astype(int)
    is_within = ((voxels >= 0) & (voxels < image.voxels.shape)).all(axis=1)
    step = tuple(slice(None, None, 2) for _ in range(3))
    darkest = 0.1 * np.percentile(image.voxels[step], 99)
    found = np.zeros(len(points_mm), dtype=bool)
    found[is_within] = image.voxels[tuple(voxels[is_within].T)] > darkest
    return found


def _bounds(image: VolumeImage) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    ends = [(0, size - 1) for size in image.voxels.shape]
    corners = np.array(np.meshgrid(*ends)).reshape(3, -1)
    world = _to_world(image.affine, corners.T)
    return world.min(axis=0), world.max(axis=0)
