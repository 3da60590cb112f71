"""Scans on a model's grid: what is wrong with them is seen, and one way leads there."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from brlp_models.scans import placing
from brlp_models.scans.check import check_scan
from brlp_models.scans.contrast import measure_white_over_gray, standardize_contrast
from brlp_models.scans.files import make_scan
from brlp_models.scans.grid import Grid, resample
from brlp_models.scans.placing import judge_sides, take_as_they_are
from brlp_models.scans.template import load_template

AFFINE = np.array([[2.0, 0, 0, -79], [0, 2, 0, -111], [0, 0, 2, -71], [0, 0, 0, 1]])
GRID = Grid((80, 96, 80), AFFINE)
CONTRAST = 1.5
RNG = np.random.default_rng


@pytest.fixture(scope="module")
def brain() -> np.ndarray:
    """Return the template with the contrast of training and gyri of its own."""
    template = load_template()
    mask = resample(template.mask, template.grid, GRID)
    image = resample(template.image, template.grid, GRID)
    image = np.where(mask, np.clip(image / image.max(), 0.01, 1), 0).astype(np.float32)
    return standardize_contrast(image, GRID, CONTRAST)[0]


def within(change: Any) -> Any:
    """Return a change of the brain's voxels alone."""
    return lambda x: np.where(x > 0, np.clip(change(x), 0.001, 1), 0)


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        (lambda x: x, "pass", ""),
        (within(lambda x: x + RNG(1).normal(0, 0.03, x.shape)), "pass", ""),
        (lambda x: np.roll(x, 2, axis=1), "pass", ""),
        (within(lambda x: x.max() - x), "fail", "does not resemble a T1w brain"),
        (lambda x: np.roll(x, 8, axis=2), "fail", "mm from where it is in MNI152"),
        (lambda x: np.roll(x, 4, axis=0), "warn", "mm from where it is in MNI152"),
        (lambda x: x[:, :, ::-1], "fail", "the right way up"),
        (within(lambda x: RNG(2).uniform(0, 1, x.shape)), "fail", "does not resemble a T1w brain"),
        (within(lambda x: x**0.7), "warn", "contrast of white and gray matter"),
        (within(lambda x: x**1.4), "warn", "contrast of white and gray matter"),
        (within(lambda x: x**1.21), "warn", "contrast of white and gray matter"),
    ],
    ids=[
        "own",
        "noisy",
        "4 mm",
        "inverted",
        "16 mm",
        "8 mm",
        "upside down",
        "noise",
        "0.7",
        "1.4",
        "1.21",
    ],
)
def test_scan_on_the_grid_is_judged(
    brain: np.ndarray, change: Any, verdict: str, words: str
) -> None:
    changed = np.ascontiguousarray(change(brain), dtype=np.float32)
    check = check_scan(take_as_they_are([make_scan(changed, AFFINE)], CONTRAST))
    assert check.verdict == verdict, check.render()
    assert words in check.reason_text


@pytest.mark.parametrize("gamma", [0.7, 1.4])
def test_contrast_is_brought_back_to_that_of_training(brain: np.ndarray, gamma: float) -> None:
    changed = np.asarray(brain**gamma, dtype=np.float32)
    assert measure_white_over_gray(changed, GRID) == pytest.approx(CONTRAST**gamma, rel=0.02)
    found, exponent = standardize_contrast(changed, GRID, CONTRAST)
    assert exponent == pytest.approx(1 / gamma, rel=0.02)
    assert measure_white_over_gray(found, GRID) == pytest.approx(CONTRAST, rel=0.01)
    white = brain > 0.9 * brain.max()
    ratio = np.median(found[white]) / np.median(changed[white])
    assert ratio == pytest.approx(1, rel=0.05)


def test_scan_without_contrast_is_left_as_it_is() -> None:
    flat = np.full(GRID.shape, 0.5, dtype=np.float32)
    found, exponent = standardize_contrast(flat, GRID, CONTRAST)
    assert exponent == 1
    assert found is flat


def test_a_scan_is_measured_once_for_all_who_judge_it(
    brain: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def measure(image: np.ndarray, *_: Any) -> dict[str, float]:
        asked.append(float(image.max()))
        return {"coarse_correlation": asked[-1]}

    monkeypatch.setattr(placing, "compute_placement_metrics", measure)
    monkeypatch.setattr(placing, "_MEASURED", {})
    own, other = (make_scan(brightness * brain, AFFINE) for brightness in (0.9, 0.8))
    told, judged = take_as_they_are([own], None), take_as_they_are([own], CONTRAST)
    assert len(asked) == 1
    assert judged.metrics.items() > told.metrics.items()
    assert judged.metrics.keys() - told.metrics.keys() == {"contrast_lacking"}
    assert take_as_they_are([other], None).metrics["coarse_correlation"] == asked[1] < asked[0]
    # as where several ways of predicting go over the same people
    assert take_as_they_are([own], None).metrics == told.metrics
    assert len(asked) == 2


@pytest.mark.parametrize(("flipped", "words"), [(False, ""), (True, "lie on the right")])
def test_sides_of_a_segmentation_are_compared_with_its_header(
    tmp_path: Path, flipped: bool, words: str
) -> None:
    labels = np.zeros((20, 20, 20), dtype=np.int16)
    labels[2:6, 8:12, 8:12], labels[14:18, 8:12, 8:12] = 17, 53
    path = tmp_path / "dseg.nii.gz"
    nib.save(nib.Nifti1Image(labels[::-1] if flipped else labels, np.eye(4)), path)
    found = judge_sides(path)
    assert words in found
    assert bool(found) is flipped
