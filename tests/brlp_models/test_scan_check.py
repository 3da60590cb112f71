"""The input check: what is no T1w head is refused, what is unusual is flagged."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from brlp_models.scans.check import check_scan
from brlp_models.scans.files import Scan, make_scan
from brlp_models.scans.grid import Grid
from brlp_models.scans.metrics import compute_scan_metrics, measure_noise
from brlp_models.scans.picture import plot_preprocessed_scan
from brlp_models.scans.preprocessing import PreprocessedScan, VisitScan, preprocess_visits
from brlp_models.scans.registration import Registration
from brlp_models.scans.template import load_template

GRID = Grid((60, 72, 60), np.diag([3.0, 3.0, 3.0, 1.0]))
AFFINE = np.diag([-3.0, -3.0, 3.0, 1.0])

TYPICAL = {
    "coarse_correlation": 0.73,
    "offset_mm": 1.0,
    "mutual_information": 0.25,
    "correlation": 0.58,
    "mask_dice": 0.96,
    "white_over_gray": 1.4,
    "coverage": 1.0,
    "determinant": 1.3,
    "rotation_degrees": 9.0,
    "slice_thickness_mm": 1.0,
    "brain_volume_ml": 1450.0,
    "noise_share": 0.03,
    "brightness_cut_share": 0.0,
    "brightness_95": 0.8,
}


def make_preprocessed(**changes: float) -> PreprocessedScan:
    image = np.zeros(GRID.shape, np.float32)
    image[20:40, 20:40, 20:40] = 0.5
    metrics = {**TYPICAL, **changes}
    return PreprocessedScan(image[None], image > 0, GRID, GRID, np.eye(4), metrics, {})


def draw_knee() -> np.ndarray:
    """Return two bones with marrow, cartilage between them, muscle and a fat skin."""
    rng = np.random.default_rng(1)
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, 64)] * 3, indexing="ij")
    knee = np.zeros(x.shape)
    radius = np.hypot(x, y)
    knee[radius < 0.75] = 0.45
    knee[(radius < 0.75) & (radius > 0.68)] = 0.9
    shaft = np.hypot(x, y + 0.05)
    knee[(shaft < 0.3 + 0.12 * np.exp(-np.abs(z) / 0.15)) & (np.abs(z) > 0.05)] = 0.95
    knee[(shaft < 0.45) & (np.abs(z) <= 0.05)] = 0.25
    noisy = gaussian_filter(knee, 0.7) + rng.normal(0, 0.03, knee.shape)
    return np.asarray(1000 * noisy.clip(0))


def draw_noise() -> np.ndarray:
    return np.random.default_rng(2).uniform(0, 1000, (56, 64, 56))


@pytest.mark.parametrize("draw", [pytest.param(draw_knee, marks=pytest.mark.slow), draw_noise])
def test_what_is_no_head_is_refused(draw: object) -> None:
    affine = AFFINE.copy()
    affine[:3, 3] = [95, 95, -95]
    scan = make_scan(draw(), affine)  # type: ignore[operator]
    (found,) = preprocess_visits([VisitScan(scan)], GRID)
    check = check_scan(found)
    assert check.verdict == "fail"
    assert "does not resemble a T1w brain" in check.reason_text


def test_typical_scan_passes_without_reasons() -> None:
    check = check_scan(make_preprocessed())
    assert check.verdict == "pass"
    assert check.reason_text == ""


@pytest.mark.parametrize(
    ("metric", "value", "verdict", "words"),
    [
        ("correlation", 0.35, "warn", "correlation with the MNI152 template is 0.35"),
        ("correlation", 0.05, "fail", "does not resemble"),
        ("coarse_correlation", 0.33, "warn", "does not resemble a T1w brain the right way up"),
        ("coarse_correlation", 0.2, "fail", "smoothed MNI152 template is 0.20"),
        ("offset_mm", 8.0, "warn", "lies 8 mm from where it is"),
        ("offset_mm", 14.0, "fail", "lies 14 mm"),
        ("contrast_exponent", 2.2, "warn", "raised to the power 2.20"),
        ("contrast_lacking", 1.4, "warn", "taken as they are"),
        ("contrast_spread", 0.06, "warn", "differs by 6% between versions"),
        ("mutual_information", 0.02, "fail", "registration to MNI152 did not succeed"),
        ("mask_dice", 0.85, "warn", "overlaps"),
        ("mask_dice", 0.5, "fail", "overlaps"),
        ("white_over_gray", 0.7, "fail", "not T1-weighted"),
        # a brain mask, or a scan that was cut at the brightness of gray matter
        ("white_over_gray", 1.0, "fail", "not T1-weighted"),
        ("white_over_gray", 1.03, "warn", "not T1-weighted"),
        ("coverage", 0.95, "warn", "holds 95% of the brain"),
        ("coverage", 0.5, "fail", "holds 50% of the brain"),
        ("determinant", 3.0, "fail", "scaled by 3.00"),
        ("rotation_degrees", 50.0, "warn", "turned by 50 degrees"),
        ("rotation_degrees", 90.0, "fail", "orientation may be wrong"),
        ("slice_thickness_mm", 3.0, "warn", "voxels are up to 3.0 mm long"),
        ("slice_thickness_mm", 4.1, "fail", "voxels are up to 4.1 mm long"),
        ("brain_volume_ml", 300.0, "fail", "300 ml"),
        ("noise_share", 0.09, "warn", "the sd of its noise is 9% of white matter's brightness"),
        ("brightness_95", 0.5, "warn", "vessels or scalp outshine the brain"),
        ("brightness_cut_share", 0.02, "warn", "2.0% of the brain is far brighter"),
    ],
)
def test_every_metric_has_its_verdict(metric: str, value: float, verdict: str, words: str) -> None:
    check = check_scan(make_preprocessed(**{metric: value}))
    assert check.verdict == verdict
    assert words in check.reason_text


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        ("noise_share", 0.0604, "6.04% of white matter's brightness, at most 6% is"),
        ("noise_share", 0.064, "6.4% of white matter's brightness, at most 6% is"),
        ("slice_thickness_mm", 1.6000001, "up to 1.6000001 mm long, at most 1.6 mm is"),
        ("correlation", 0.4199, "template is 0.4199, at least 0.42 is"),
        ("rotation_degrees", 35.2, "turned by 35.2 degrees"),
        ("brain_volume_ml", 2000.3, "holds 2000.3 ml, 800 to 2000 ml is"),
    ],
)
def test_a_value_just_beyond_its_limit_is_shown_beyond_it(
    metric: str, value: float, words: str
) -> None:
    check = check_scan(make_preprocessed(**{metric: value}))
    assert check.verdict == "warn"
    assert words in check.reason_text


def test_the_share_of_the_brain_in_the_field_of_view_is_measured() -> None:
    template, every_third = load_template(), (slice(None, None, 3),) * 3
    affine = template.grid.affine @ np.diag([3.0, 3, 3, 1])
    image, mask = template.image[every_third], template.mask[every_third]
    for top in (mask.shape[2], int(np.median(np.argwhere(mask)[:, 2]))):
        seen = mask[..., :top]
        scan = Scan(image[..., :top], Grid(seen.shape, affine))
        metrics = compute_scan_metrics(scan, seen, Registration(np.eye(4), 0.3))
        assert metrics["coverage"] == pytest.approx(seen.sum() / mask.sum(), abs=0.03)


def test_the_share_of_noise_is_measured_in_spite_of_edges() -> None:
    tissue = np.where(np.indices((40, 40, 40)).sum(axis=0) % 20 < 10, 500.0, 1000.0)
    noisy = tissue + np.random.default_rng(1).normal(0, 80, tissue.shape)
    mask = np.zeros(tissue.shape, bool)
    mask[0:36, 2:38, 4:36] = True
    # a fifth of the voxels lie at an edge; the 90th percentile of the noisy scan is 1,064

    def measure(data: np.ndarray, mask: np.ndarray = mask, mm: tuple = (1, 1, 1)) -> float | None:
        scan = Scan(data.astype(np.float32), Grid(data.shape, np.diag([*mm, 1])))
        return measure_noise(scan, mask)

    assert measure(noisy) == pytest.approx(80 / 1064, rel=0.3)
    assert measure(noisy, mm=(1, 1, 4)) == pytest.approx(80 / 1064, rel=0.3)
    assert measure(noisy, mm=(3, 3, 3)) is None
    assert measure(tissue) == pytest.approx(0, abs=0.01)
    assert measure(noisy, np.zeros(mask.shape, bool)) == 0


def test_worst_finding_decides_and_all_are_told() -> None:
    check = check_scan(make_preprocessed(coverage=0.95, determinant=3.0))
    assert check.verdict == "fail"
    # why it is refused comes before what it is warned of
    refused, warned = check.reasons
    assert refused.startswith("the head would be scaled")
    assert warned.startswith("the field of view")


def test_covariate_outside_of_training_warns() -> None:
    check = check_scan(
        make_preprocessed(),
        training_ranges={"age_years": (55, 95), "apoe4": (0, 2)},
        covariates={"age_years": 25.5, "apoe4": 1, "site": "A"},
    )
    assert check.verdict == "warn"
    assert check.reasons == ("age_years is 25.5, outside of the model's training range 55 to 95",)


@pytest.mark.parametrize(("error", "verdict"), [(0.01, "pass"), (0.05, "warn"), (0.2, "fail")])
def test_reconstruction_error_is_held_against_training(error: float, verdict: str) -> None:
    check = check_scan(
        make_preprocessed(),
        training_ranges={"reconstruction_error": (0.005, 0.02)},
        reconstruct=lambda image: image + np.float32(error),
    )
    assert check.verdict == verdict
    assert check.metrics["reconstruction_error"] == pytest.approx(error, rel=1e-3)


def test_flipped_segmentation_is_refused() -> None:
    scan = make_preprocessed()
    scan.provenance["sides"] = "the segmentation's left structures lie on the right of the head"
    assert check_scan(scan).verdict == "fail"


def test_spread_between_contrasts_is_judged_and_kept_for_the_sd() -> None:
    scan = make_preprocessed()
    moved = replace(scan, native_to_mni=np.diag([1.1, 1, 1, 1]))
    check = check_scan(moved, measure_spread=lambda _: {"hippocampus": 0.02, "amygdala": 0.07})
    assert check.contrast_spread["hippocampus"] == 0.02
    assert check.reasons[0].startswith("volumes hang on the scan's contrast: one differs by 7%")
    # what brain is found in other contrasts of the head counts as well
    found = replace(moved, mask_spread={"hippocampus": 0.12, "thalamus": 0.9})
    check = check_scan(found, measure_spread=lambda _: {"hippocampus": 0.05, "amygdala": 0.03})
    assert check.contrast_spread == {"hippocampus": pytest.approx(0.13), "amygdala": 0.03}
    assert check.metrics["contrast_spread"] == pytest.approx(0.13)
    # taken as it is, so its contrast is judged instead
    assert check_scan(scan, measure_spread=lambda _: {"hippocampus": 0.5}).verdict == "pass"


def test_unknown_side_warns() -> None:
    scan = make_preprocessed()
    scan.provenance["orientation"] = "the file's header does not say which side is left"
    check = check_scan(scan)
    assert check.verdict == "warn"
    assert "which side is left" in check.reason_text


def test_picture_shows_nine_slices() -> None:
    figure = plot_preprocessed_scan(make_preprocessed(), title="a scan")
    assert len(figure.axes) == 9


def test_import_of_the_models_is_light() -> None:
    code = (
        "import sys, brlp_models, brlp_models.scans.preprocessing, brlp_models.scans.check\n"
        "found = {'SimpleITK', 'nilearn', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported {found}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
