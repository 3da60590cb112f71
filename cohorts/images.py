"""Volume images from files: the header is judged before a voxel is read.

A gzip file of 4 MB can inflate to gigabytes, and a header can promise more voxels than any machine
holds, so nothing is read that the header does not account for, and no more than a stated bound.
"""

import gzip
import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import numpy as np
import numpy.typing as npt

from cohorts.errors import CohortError

IMAGE_SUFFIXES: Final = (".nii", ".nii.gz", ".mgz", ".mgh")
_GZIP: Final = b"\x1f\x8b"
_UNPACKED: Final = {".nii.gz": ".nii", ".mgz": ".mgh"}
"""Endings of images that gzip compressed -> those of the same images as they are."""
LARGEST_GB: Final = 2.0
LARGEST_VARIABLE: Final = "TRIALSIM_MAX_SCAN_GB"
"""The environment variable with another bound, so that worker processes have it too."""

_THICKEST_VOXEL_MM: Final = 1000.0
_SAME_PLACE_MM: Final = 5.0
_HEADER_BYTES: Final = 1 << 20
"""Room for a header with its extensions."""


class ImageError(CohortError):
    """An image cannot be read.

    Parameters
    ----------
    path
        Which.
    fault
        Why, and what would be right; without a full stop.
    """

    def __init__(self, path: Path | str, fault: str) -> None:
        super().__init__(f"{path}: {fault}.")
        self.fault = fault


@dataclass(frozen=True)
class VolumeImage:
    """One volume with its place in space.

    Parameters
    ----------
    voxels
        (x, y, z), real numbers or integers, in the file's order; a header's slope is applied.
    affine
        (4, 4), voxel indices to mm.
    is_oriented
        False where the header says nothing about the patient's left and right.
    has_one_orientation
        False where it says two things: a NIfTI's sform and qform differ in the directions of the
        axes, or, for one space, in place.
    """

    voxels: npt.NDArray[Any]
    affine: npt.NDArray[np.float64]
    is_oriented: bool = True
    has_one_orientation: bool = True


def read_image(path: Path) -> VolumeImage:
    """Read one volume from a NIfTI or MGH file; trailing axes of length 1 are dropped.

    Raises
    ------
    ImageError
        Where the file is missing, of another format, damaged, larger than `largest_gb`, or holds
        colors, complex numbers or several volumes.
    """
    with _open_image(path) as image:
        shape = _judge(image, path)
        voxels = np.asanyarray(image.dataobj).reshape(shape)
        affine = np.asarray(image.affine, dtype=float)
        return VolumeImage(voxels, affine, _is_oriented(image), _has_one_orientation(image, shape))


def read_grid(path: Path) -> tuple[tuple[int, int, int], npt.NDArray[np.float64]]:
    """Return the shape and the affine of an image, without its voxels.

    Raises
    ------
    ImageError
        As `read_image`.
    """
    with _open_image(path) as image:
        return _judge(image, path), np.asarray(image.affine, dtype=float)


def largest_gb() -> float:
    """Return how many GB (1e9 bytes) of voxels an image may hold; 2 unless told otherwise.

    Raises
    ------
    CohortError
        Where the environment variable is not a number above 0.
    """
    text = os.environ.get(LARGEST_VARIABLE, str(LARGEST_GB))
    try:
        bound = float(text)
    except ValueError:
        bound = math.nan
    if not bound > 0:
        raise CohortError(f"{LARGEST_VARIABLE} must be a number of GB above 0, got {text!r}.")
    return bound


@contextmanager
def _open_image(path: Path) -> Iterator[Any]:
    """Yield the image at `path`; whatever goes wrong in the block is an `ImageError`."""
    if path.is_dir():
        raise ImageError(path, f"{path} is a folder; name the file of one scan")
    if not path.is_file():
        raise ImageError(path, f"the file is missing; looked for {path}")
    name = path.name.lower()
    if not name.endswith(IMAGE_SUFFIXES):
        raise ImageError(
            path, f"it is not one of {', '.join(IMAGE_SUFFIXES)}; convert it to NIfTI first"
        )
    ending = next(one for one in IMAGE_SUFFIXES if name.endswith(one))
    _judge_packing(path, ending)
    import nibabel as nib

    bound = largest_gb()
    try:
        with path.open("rb") as file:
            stream = _Bounded(gzip.GzipFile(fileobj=file) if ending in _UNPACKED else file, bound)
            kind = nib.MGHImage if ending in (".mgz", ".mgh") else _nifti_kind(stream)
            yield kind.from_stream(stream)
    except CohortError:
        raise
    # nibabel, gzip and numpy raise a dozen kinds on damaged files
    except Exception as error:
        raise ImageError(
            path, f"the file cannot be read, it may be truncated ({_first_line(error)})"
        ) from error


def _judge_packing(path: Path, ending: str) -> None:
    """Refuse a file without content, and one whose name and content differ about gzip."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_GZIP))
    except OSError as error:
        raise ImageError(path, f"the file cannot be read: {error.strerror}") from error
    is_packed = start == _GZIP
    if not start:
        raise ImageError(path, "the file cannot be read: it is empty; copy it again")
    if is_packed != (ending in _UNPACKED):
        right = _UNPACKED | {plain: packed for packed, plain in _UNPACKED.items()}
        raise ImageError(
            path,
            f"the file cannot be read: its name ends in {ending}, and it is "
            f"{'' if is_packed else 'not '}compressed by gzip; if it is an image all the same, "
            f"let its name end in {right[ending]}",
        )


class _Bounded(io.RawIOBase):
    """A stream for nibabel that gives at most `largest_gb` and a header's worth of bytes."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, bound_gb: float) -> None:
        self._stream = stream
        self._end = int(bound_gb * 1e9) + _HEADER_BYTES
        self._bound_gb = bound_gb

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(self._allow(size))

    def readinto(self, buffer: Any) -> int:
        self._allow(len(buffer))
        return cast(io.BufferedReader, self._stream).readinto(buffer)

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0:
            self._allow(max(0, offset - self._stream.tell()))
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def _allow(self, size: int) -> int:
        if size < 0 or self._stream.tell() + size > self._end:
            raise ValueError(f"more than {self._bound_gb:g} GB would be read")
        return size


def _nifti_kind(stream: _Bounded) -> Any:
    import nibabel as nib

    size = stream.read(4)
    stream.seek(0)
    second = (540).to_bytes(4, "little"), (540).to_bytes(4, "big")
    return nib.Nifti2Image if size in second else nib.Nifti1Image


def _judge(image: Any, path: Path) -> tuple[int, int, int]:
    """Return the image's shape without trailing axes of length 1, if the header is acceptable."""
    shape = tuple(int(side) for side in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    kind = np.dtype(image.get_data_dtype())
    if kind.kind not in "iufb":
        found = "colors (RGB)" if kind.names else f"numbers of the kind {kind}"
        raise ImageError(path, f"it holds {found}; one gray value a voxel is expected")
    if len(shape) != 3 or min(shape) < 1:
        series = ", such as a time series" if len(shape) > 3 else ""
        raise ImageError(path, f"got an array of shape {shape}{series}, a 3-D image is expected")
    affine = np.asarray(image.affine, dtype=float)
    if not np.isfinite(affine).all() or np.abs(affine[:3, :3]).max() > _THICKEST_VOXEL_MM:
        raise ImageError(path, "its header is damaged: voxel sizes or positions that no scan has")
    is_scaled = getattr(image.dataobj, "slope", 1) != 1 or getattr(image.dataobj, "inter", 0) != 0
    size_gb = math.prod(shape) * (8 if is_scaled else kind.itemsize) / 1e9
    if size_gb > largest_gb():
        raise ImageError(
            path,
            f"its header tells of {size_gb:.3g} GB of voxels, at most {largest_gb():g} GB are "
            f"read; raise the bound with `trialsim --max-scan-gb {math.ceil(size_gb)} ...`",
        )
    return shape[0], shape[1], shape[2]


def _is_oriented(image: Any) -> bool:
    header = image.header
    if "sform_code" in header:
        return bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    return True


def _has_one_orientation(image: Any, shape: tuple[int, int, int]) -> bool:
    import nibabel as nib

    header = image.header
    if "sform_code" not in header or not (header["sform_code"] > 0 and header["qform_code"] > 0):
        return True
    sform, qform = header.get_sform(), header.get_qform()
    if nib.aff2axcodes(sform) != nib.aff2axcodes(qform):  # type: ignore[no-untyped-call]
        return False
    if header["sform_code"] != header["qform_code"]:
        return True
    middle = np.array([*(side / 2 for side in shape), 1.0])
    return bool(np.linalg.norm((sform - qform) @ middle) <= _SAME_PLACE_MM)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120] or type(error).__name__
