"""Scans from files: every format is read, every unusable file is told."""

import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from brlp_models.errors import ScanError
from brlp_models.scans.files import make_nifti, make_scan, read_labels, read_scan

AFFINE = np.diag([-3.0, 3.0, 3.0, 1.0])


def ramp(shape: tuple[int, ...] = (40, 44, 40)) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 1000


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.mgz"])
def test_every_format_gives_the_same_scan(tmp_path: Path, name: str) -> None:
    kind = nib.MGHImage if name.endswith("mgz") else nib.Nifti1Image
    kind(ramp(), AFFINE).to_filename(tmp_path / name)
    scan = read_scan(tmp_path / name)
    np.testing.assert_array_equal(scan.data, ramp())
    np.testing.assert_allclose(scan.grid.affine, AFFINE, atol=1e-5)
    assert scan.has_orientation


def test_single_volume_with_a_fourth_axis_is_a_scan(tmp_path: Path) -> None:
    make_nifti(ramp()[..., None], AFFINE).to_filename(tmp_path / "scan.nii.gz")
    assert read_scan(tmp_path / "scan.nii.gz").data.shape == (40, 44, 40)


def test_header_without_orientation_is_noticed(tmp_path: Path) -> None:
    image = make_nifti(ramp(), AFFINE)
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    image.header.set_zooms((3, 3, 3))
    image.to_filename(tmp_path / "scan.nii.gz")
    assert not read_scan(tmp_path / "scan.nii.gz").has_orientation


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((40, 40, 40), np.float32), "is empty"),
        (ramp((40, 40, 40, 3)), r"shape \(40, 40, 40, 3\), such as a time series, a 3-D"),
        (np.full((40, 40, 40), np.nan, np.float32), "64,000 voxels have no finite value"),
        (ramp((10, 40, 40)), "covers 30 x 120 x 120 mm"),
        (ramp((400, 40, 40)), "covers 1200 x 120 x 120 mm"),
    ],
)
def test_unusable_scan_is_told(tmp_path: Path, data: np.ndarray, words: str) -> None:
    make_nifti(data, AFFINE).to_filename(tmp_path / "scan.nii.gz")
    with pytest.raises(ScanError, match=words):
        read_scan(tmp_path / "scan.nii.gz")


def write_truncated(path: Path) -> None:
    make_nifti(ramp(), AFFINE).to_filename(path)
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("absent.nii.gz", None, "the file is missing"),
        ("scan.dcm", lambda path: path.write_bytes(b"DICM"), "convert it to NIfTI"),
        ("scan.nii.gz", lambda path: path.write_bytes(gzip.compress(b"x" * 999)), "cannot be read"),
        ("scan.nii", lambda path: path.write_bytes(b"nothing"), "cannot be read"),
        ("cut.nii", write_truncated, "cannot be read"),
        ("cut.nii.gz", write_truncated, "cannot be read"),
    ],
)
def test_unreadable_file_is_told(tmp_path: Path, name: str, write: Any, words: str) -> None:
    if write:
        write(tmp_path / name)
    with pytest.raises(ScanError, match=words):
        read_scan(tmp_path / name)


def test_flat_affine_is_told() -> None:
    with pytest.raises(ScanError, match="header is damaged"):
        make_scan(ramp(), np.diag([3.0, 3.0, 0.0, 1.0]))


def test_labels_are_whole_numbers(tmp_path: Path) -> None:
    labels = np.zeros((40, 40, 40), np.float32)
    labels[10:20] = 17
    make_nifti(labels, AFFINE).to_filename(tmp_path / "labels.nii.gz")
    found, grid = read_labels(tmp_path / "labels.nii.gz")
    assert found.dtype == np.int32
    assert np.unique(found).tolist() == [0, 17]
    assert grid.shape == (40, 40, 40)
