"""Preprocessed scans on disk: the same scan is found, anything else is not."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brlp_models.errors import ScanError
from brlp_models.scans import cache as scan_cache
from brlp_models.scans.cache import ScanCache, compute_key
from brlp_models.scans.files import Scan, make_scan
from brlp_models.scans.grid import Affine, Grid
from brlp_models.scans.preprocessing import PreprocessedScan, VisitScan
from cohorts.errors import StorageError

GRID = Grid((20, 24, 20), np.diag([9.0, 9.0, 9.0, 1.0]))


@dataclass(frozen=True)
class NamedSegmenter:
    """A segmenter of which only the name is asked."""

    name: str

    def find_brain(self, scan: Scan, native_to_mni: Affine) -> Any:
        raise NotImplementedError


def make_preprocessed() -> PreprocessedScan:
    image = np.random.default_rng(0).random(GRID.shape, dtype=np.float32)
    found, origin = {"a": 0.1}, {"mask": "mask"}
    return PreprocessedScan(image[None], image > 0.5, GRID, GRID, np.eye(4), found, origin)


@pytest.fixture
def visit(tmp_path: Path) -> VisitScan:
    for name in ("scan", "segmentation"):
        (tmp_path / name).write_bytes(name.encode())
    return VisitScan(tmp_path / "scan", segmentation=tmp_path / "segmentation")


def test_renamed_scan_is_known(visit: VisitScan, tmp_path: Path) -> None:
    key = compute_key([visit], GRID)
    (tmp_path / "scan").rename(tmp_path / "other")
    assert compute_key([VisitScan(tmp_path / "other", visit.segmentation)], GRID) == key


CHANGES: dict[str, Callable[[VisitScan], str]] = {
    "grid": lambda visit: compute_key([visit], Grid((20, 24, 24), GRID.affine)),
    "place of the grid": lambda visit: compute_key(
        [visit], Grid(GRID.shape, np.diag([9.0, 9.0, 8.9999, 1.0]))
    ),
    "segmentation is a mask": lambda visit: compute_key(
        [VisitScan(visit.scan, mask=visit.segmentation)], GRID
    ),
    "no segmentation": lambda visit: compute_key([VisitScan(visit.scan)], GRID),
    "a further channel": lambda visit: compute_key(
        [replace(visit, others={"FLAIR": visit.scan})], GRID
    ),
    "an earlier visit": lambda visit: compute_key([visit, visit], GRID),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_other_origin_has_another_key(visit: VisitScan, change: Callable[[VisitScan], str]) -> None:
    assert change(visit) != compute_key([visit], GRID)


@pytest.mark.parametrize("name", ["scan", "segmentation"])
def test_other_content_has_another_key(visit: VisitScan, tmp_path: Path, name: str) -> None:
    key = compute_key([visit], GRID)
    (tmp_path / name).write_bytes(b"changed")
    assert compute_key([visit], GRID) != key


def test_other_version_of_the_method_has_another_key(
    visit: VisitScan, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = compute_key([visit], GRID)
    monkeypatch.setattr(scan_cache, "PREPROCESSING_VERSION", -1)
    assert compute_key([visit], GRID) != key


def test_segmenter_counts_where_it_is_asked(visit: VisitScan) -> None:
    a, b = NamedSegmenter("a"), NamedSegmenter("b")
    assert compute_key([visit], GRID, segmenter=a) == compute_key([visit], GRID, segmenter=b)
    bare = [VisitScan(visit.scan)]
    assert compute_key(bare, GRID, segmenter=a) != compute_key(bare, GRID, segmenter=b)
    assert compute_key(bare, GRID, segmenter=a) != compute_key(bare, GRID)


def test_scan_in_memory_is_known_by_its_voxels() -> None:
    data = np.random.default_rng(1).random((20, 20, 20))
    scans = [make_scan(values, np.diag([5.0, 5, 5, 1])) for values in (data, data, 2 * data)]
    first, same, other = (compute_key([VisitScan(scan)], GRID) for scan in scans)
    assert first == same != other


def test_absent_scan_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"absent.nii cannot be read: No such file"):
        compute_key([VisitScan(tmp_path / "absent.nii")], GRID)


def test_scan_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> PreprocessedScan:
        made.append(1)
        return make_preprocessed()

    cache = ScanCache(tmp_path / "kept")
    first, second = cache.fetch("key", make), cache.fetch("key", make)
    assert len(made) == 1
    np.testing.assert_array_equal(first.image, second.image)
    assert [path.name for path in cache.folder.iterdir()] == ["key.npz"]


@pytest.mark.parametrize("inside", ["participants.tsv", "sub-01/anat/x", "sub-01/ses-1/anat/x"])
def test_nothing_is_kept_among_the_scans_of_a_dataset(inside: str, tmp_path: Path) -> None:
    (tmp_path / inside).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / inside).touch()
    with pytest.raises(StorageError, match=r"holds a BIDS dataset, .* lie in another folder"):
        ScanCache(tmp_path)


def flip_a_byte(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-100], lambda _: b"", lambda _: b"text", flip_a_byte]
)
def test_damaged_scan_is_made_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    cache = ScanCache(tmp_path)
    cache.fetch("key", make_preprocessed)
    path = tmp_path / "key.npz"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    found = cache.fetch("key", make_preprocessed)
    np.testing.assert_array_equal(found.image, make_preprocessed().image)
    assert PreprocessedScan.load(path).metrics == {"a": 0.1}
