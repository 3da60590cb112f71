"""One reader judges an image by its header, and any failure is a sentence about that file."""

import gzip
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from cohorts.errors import CohortError
from cohorts.images import LARGEST_VARIABLE, ImageError, largest_gb, read_grid, read_image

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
VOXELS = np.arange(6 * 7 * 8, dtype=np.int16).reshape(6, 7, 8)


def save(path: Path, voxels: np.ndarray = VOXELS, kind: type = nib.Nifti1Image) -> Path:
    kind(voxels, AFFINE).to_filename(path)
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.nii", nib.Nifti1Image),
        ("a.nii.gz", nib.Nifti1Image),
        ("b.nii.gz", nib.Nifti2Image),
        ("a.mgz", nib.MGHImage),
    ],
)
def test_every_format_is_read_as_nibabel_reads_it(name: str, kind: type, tmp_path: Path) -> None:
    path = save(tmp_path / name, VOXELS.astype(np.float32), kind)
    found, expected = read_image(path), nib.load(path)
    np.testing.assert_array_equal(found.voxels, expected.get_fdata())
    np.testing.assert_allclose(found.affine, expected.affine)
    assert read_grid(path)[0] == VOXELS.shape


def test_the_slope_of_a_header_is_applied(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.linspace(0, 1, 336).reshape(6, 7, 8), AFFINE)
    image.set_data_dtype(np.uint8)
    image.to_filename(tmp_path / "a.nii.gz")
    expected = nib.load(tmp_path / "a.nii.gz").get_fdata()
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii.gz").voxels, expected)


def test_a_single_volume_with_a_fourth_axis_is_one_volume(tmp_path: Path) -> None:
    assert read_image(save(tmp_path / "a.nii", VOXELS[..., None])).voxels.shape == VOXELS.shape


def patch(path: Path, offset: int, content: bytes) -> None:
    is_packed = path.name.endswith(".gz")
    data = bytearray(gzip.decompress(path.read_bytes()) if is_packed else path.read_bytes())
    data[offset : offset + len(content)] = content
    path.write_bytes(gzip.compress(bytes(data), 1) if is_packed else bytes(data))


def save_colors(path: Path) -> None:
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    save(path, np.zeros((6, 7, 8), kind))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "colors": (save_colors, "colors"),
    "complex": (lambda path: save(path, VOXELS.astype(np.complex64)), "complex"),
    "several volumes": (lambda path: save(path, np.stack([VOXELS, VOXELS], -1)), "3-D"),
    "an unknown type": (lambda path: patch(save(path), 70, struct.pack("<h", 999)), "cannot be"),
    "negative sides": (lambda path: patch(save(path), 42, struct.pack("<h", -6)), "array of shape"),
    "sides of 32767": (
        lambda path: patch(save(path), 42, struct.pack("<hhh", 32767, 32767, 32767)),
        "GB of voxels",
    ),
    "an offset far beyond the end": (
        lambda path: patch(save(path), 108, struct.pack("<f", 3e18)),
        "cannot be read",
    ),
    "no numbers in the affine": (
        lambda path: patch(save(path), 280, struct.pack("<f", np.nan)),
        "damaged",
    ),
    "voxels of kilometers": (
        lambda path: patch(save(path), 280, struct.pack("<f", 1e6)),
        "damaged",
    ),
    "nothing": (lambda path: path.write_bytes(b""), "cannot be read"),
    "text": (lambda path: path.write_bytes(b"hello" * 99), "cannot be read"),
    "a cut": (lambda path: path.write_bytes(save(path).read_bytes()[:360]), "cannot be read"),
}


@pytest.mark.parametrize(
    ("ending", "right"),
    [(".nii", ".nii.gz"), (".nii.gz", ".nii"), (".mgh", ".mgz"), (".mgz", ".mgh")],
)
def test_an_image_whose_name_hides_how_it_is_packed_is_named(
    ending: str, right: str, tmp_path: Path
) -> None:
    kind = nib.MGHImage if ".mg" in ending else nib.Nifti1Image
    path = save(tmp_path / f"a{right}", VOXELS.astype(np.float32), kind)
    wrong = path.rename(tmp_path / f"a{ending}")
    said = "it is compressed" if right in (".nii.gz", ".mgz") else "it is not compressed"
    with pytest.raises(ImageError, match=f"ends in {ending}, and {said} .* end in {right}."):
        read_image(wrong)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mgz", ".mgh"])
def test_an_empty_file_is_called_empty(ending: str, tmp_path: Path) -> None:
    (tmp_path / f"a{ending}").write_bytes(b"")
    with pytest.raises(ImageError, match="cannot be read: it is empty; copy it again"):
        read_image(tmp_path / f"a{ending}")


def test_a_folder_is_told_from_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is a folder; name the file of one scan"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="the file is missing"):
        read_image(tmp_path / "none.nii.gz")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_image_is_one_sentence(damage: str, ending: str, tmp_path: Path) -> None:
    make, words = DAMAGES[damage]
    path = tmp_path / f"a{ending}"
    make(path)
    with pytest.raises(ImageError, match=words):
        read_image(path)


def test_no_flipped_byte_is_more_than_a_sentence(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii")
    whole, rng = path.read_bytes(), np.random.default_rng(4)
    for position in range(348):
        data = bytearray(whole)
        data[position] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(data))
        with suppress(ImageError):
            read_image(path)


@pytest.mark.parametrize("name", ["scan.mnc", "scan.img", "scan.dcm", "scan.png", "scan"])
def test_another_format_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"content")
    with pytest.raises(ImageError, match="convert it to NIfTI"):
        read_image(tmp_path / name)


def write_bomb(path: Path, size: int) -> None:
    """Write a small file of zeros that inflates to `size` bytes."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape((1000, 1000, size // 10**6))
    header["vox_offset"] = 352
    with gzip.open(path, "wb", compresslevel=9) as stream:
        stream.write(header.binaryblock + b"\0" * 4)
        for _ in range(size // 10**6):
            stream.write(b"\0" * 10**6)


def test_a_file_that_inflates_beyond_the_bound_is_not_inflated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.nii.gz"
    write_bomb(path, 100 * 10**6)
    assert path.stat().st_size < 200_000
    monkeypatch.setenv(LARGEST_VARIABLE, "0.05")
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"0.1 GB of voxels, at most 0.05 GB"):
        read_image(path)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    monkeypatch.setenv(LARGEST_VARIABLE, "0.2")
    assert read_image(path).voxels.size == 100 * 10**6


def test_an_extension_beyond_the_bound_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.nii.gz")
    patch(path, 108, struct.pack("<f", 6e7))  # voxels begin after 60 MB of extensions
    patch(path, 348, bytes([1, 0, 0, 0]) + struct.pack("<ii", 59_999_008, 6))
    monkeypatch.setenv(LARGEST_VARIABLE, "0.05")
    with pytest.raises(ImageError, match=r"more than 0\.05 GB"):
        read_image(path)


def test_the_bound_must_be_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("much", "-1", "nan"):
        monkeypatch.setenv(LARGEST_VARIABLE, text)
        with pytest.raises(CohortError, match="number of GB"):
            largest_gb()
