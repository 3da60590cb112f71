"""The input check on a real head that is made unlike one, in contrast or in what its header says.

`docs/methods-brlp-inputs.md` has these verdicts with their numbers.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brlp_models.scans.check import check_scan
from brlp_models.scans.files import Scan, read_scan
from brlp_models.scans.grid import Grid
from brlp_models.scans.preprocessing import VisitScan, preprocess_visits

HEAD = Path(__file__).parents[3] / "shared/data/aomic_piop2_sub-0001/orig.mgz"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HEAD.exists(), reason=f"there is no {HEAD}"),
]

GRID = Grid(
    (60, 72, 60),
    np.array([[-3, 0, 0, 88.5], [0, 3, 0, -124.5], [0, 0, 3, -70.5], [0, 0, 0, 1]], dtype=float),
)


@pytest.fixture(scope="module")
def head() -> Scan:
    """A whole head of a person, averaged to 3 mm."""
    scan = read_scan(HEAD)
    cut = scan.data[:255, :255, :255].reshape(85, 3, 85, 3, 85, 3)
    to_fine = np.array([[3, 0, 0, 1], [0, 3, 0, 1], [0, 0, 3, 1], [0, 0, 0, 1]], dtype=float)
    return replace(scan, data=cut.mean((1, 3, 5)), grid=Grid((85,) * 3, scan.grid.affine @ to_fine))


def move(scan: Scan, matrix: np.ndarray) -> Scan:
    """Return a scan whose header puts it elsewhere."""
    return replace(scan, grid=Grid(scan.grid.shape, matrix @ scan.grid.affine))


def pitch(scan: Scan, degrees: float) -> Scan:
    angle = np.deg2rad(degrees)
    matrix = np.eye(4)
    matrix[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return move(scan, matrix)


def invert(scan: Scan) -> Scan:
    """Return a contrast like T2: fluid bright, white matter dark, air still dark."""
    return replace(scan, data=np.where(scan.data > 12, 255 - scan.data, scan.data))


def cut_below(scan: Scan) -> Scan:
    """Return the upper half of the field of view; the second voxel axis runs downwards."""
    half = scan.data.shape[1] // 2
    return replace(scan, data=scan.data[:, :half], grid=Grid((85, half, 85), scan.grid.affine))


THICK = "voxels are up to 3.0 mm long"
"""What is true of the head itself at 3 mm, which passes otherwise."""

PHANTOMS: dict[str, tuple[Callable[[Scan], Scan], str, tuple[str, ...]]] = {
    "contrast of a T2": (invert, "fail", ("does not resemble a T1w brain", "not T1-weighted")),
    "header upside down": (
        lambda scan: move(scan, np.diag([1.0, 1, -1, 1])),
        "fail",
        ("does not resemble a T1w brain", "registration to MNI152 did not succeed"),
    ),
    "half a field of view": (cut_below, "fail", ("the field of view holds",)),
    "nodding by 35 degrees": (lambda scan: pitch(scan, 35), "warn", ("turned by 4",)),
}


@pytest.mark.parametrize(
    ("make", "verdict", "words"),
    [pytest.param(*one, id=name) for name, one in PHANTOMS.items()],
)
def test_phantom_has_its_verdict(
    head: Scan, make: Callable[[Scan], Scan], verdict: str, words: tuple[str, ...]
) -> None:
    (found,) = preprocess_visits([VisitScan(make(head))], GRID)
    check = check_scan(found)
    assert check.verdict == verdict
    for part in words:
        assert part in check.reason_text


def test_swapped_left_and_right_cannot_be_noticed(head: Scan) -> None:
    """Nothing in one head tells its left from its right; the docs warn of it."""
    mirrored = move(head, np.diag([-1.0, 1, 1, 1]))
    (found,) = preprocess_visits([VisitScan(mirrored)], GRID)
    check = check_scan(found)
    assert check.verdict == "warn"
    assert len(check.reasons) == 1
    assert THICK in check.reason_text
