"""T1w scans from files, checked on the way in."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brlp_models.errors import ScanError
from brlp_models.scans.grid import Grid
from cohorts.counting import tally
from cohorts.images import ImageError, VolumeImage, read_image

_LARGEST_LABEL = 2**31 - 1
_SMALLEST_SIDE_MM = 60.0
_LARGEST_SIDE_MM = 600.0


@dataclass(frozen=True)
class Scan:
    """A three-dimensional image in its own space.

    Parameters
    ----------
    data
        Intensities, float32, finite, in the file's voxel order.
    grid
        Its voxels and their place (RAS, mm).
    name
        How messages name it.
    has_orientation
        False where the file's header says nothing about the patient's left and right.
    has_one_orientation
        False where the header's sform and qform disagree about it.
    """

    data: NDArray[np.float32]
    grid: Grid
    name: str = "scan"
    has_orientation: bool = True
    has_one_orientation: bool = True


def read_scan(path: Path | str) -> Scan:
    """Read a scan (.nii, .nii.gz, .mgz) in any orientation and voxel size.

    Raises
    ------
    ScanError
        Where there is no such file, it is no image, has more than one volume, holds no contrast or
        values that are not finite, or its field of view cannot hold a head.
    """
    image = _read_image(path)
    scan = make_scan(image.voxels, image.affine, name=str(path), has_orientation=image.is_oriented)
    return replace(scan, has_one_orientation=image.has_one_orientation)


def make_scan(
    data: NDArray[Any], affine: NDArray[Any], *, name: str = "scan", has_orientation: bool = True
) -> Scan:
    """Return a checked scan from an array (3-D) and its voxel-to-world matrix.

    Raises
    ------
    ScanError
        As `read_scan`.
    """
    values = np.asarray(data, dtype=np.float32)
    problems = []
    if not np.isfinite(values).all():
        lost = tally((~np.isfinite(values)).sum(), "voxels have")
        problems.append(f"{name}: {lost} no finite value (NaN or infinite); every voxel needs one.")
    elif values.size == 0 or values.min() == values.max():
        problems.append(f"{name} is empty: every voxel has the same value.")
    elif abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        problems.append(f"{name} has an affine without volume; its header is damaged.")
    if not problems:
        problems = _side_problems(Grid(values.shape, affine), name)
    if problems:
        raise ScanError(*problems)
    return Scan(values, Grid(values.shape, affine), name, has_orientation)


def read_labels(path: Path | str) -> tuple[NDArray[np.int32], Grid]:
    """Read a segmentation or a mask (whole numbers, 3-D) and its grid.

    Raises
    ------
    ScanError
        Where it cannot be read or has more than one volume.
    """
    image = _read_image(path)
    if not np.isfinite(image.voxels).all() or np.abs(image.voxels).max() > _LARGEST_LABEL:
        raise ScanError(f"{path} is no segmentation: it holds values that are no label codes.")
    return np.rint(image.voxels).astype(np.int32), Grid(image.voxels.shape, image.affine)


def make_nifti(data: NDArray[Any], affine: NDArray[Any]) -> Any:
    """Return a NIfTI image of an array; masks become uint8."""
    import nibabel as nib

    kind = np.dtype(np.uint8) if data.dtype == bool else data.dtype
    return nib.Nifti1Image(data.astype(kind), affine)  # type: ignore[no-untyped-call]


def _read_image(path: Path | str) -> VolumeImage:
    try:
        return read_image(Path(path))
    except ImageError as error:
        raise ScanError(*error.problems) from error


def _side_problems(grid: Grid, name: str) -> list[str]:
    sides = grid.spacing_mm * np.asarray(grid.shape)
    if sides.min() < _SMALLEST_SIDE_MM or sides.max() > _LARGEST_SIDE_MM:
        return [
            f"{name} covers {' x '.join(f'{side:.0f}' for side in sides)} mm; a head scan covers "
            f"{_SMALLEST_SIDE_MM:.0f} to {_LARGEST_SIDE_MM:.0f} mm along every axis."
        ]
    return []
