"""Preprocessing: known transforms are found, left stays left, one person has one affine."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter

from brlp_models.errors import ModelError, ScanError
from brlp_models.scans import preprocessing, registration
from brlp_models.scans.brain_mask import find_brain_mask
from brlp_models.scans.files import Scan, make_nifti, read_scan
from brlp_models.scans.grid import Grid, make_grid, resample
from brlp_models.scans.intensity import HEADROOM, scale_intensity, shift_to_positive
from brlp_models.scans.preprocessing import (
    PreprocessedScan,
    VisitScan,
    preprocess_visits,
    to_native_space,
)
from brlp_models.scans.registration import Registration, load_simpleitk
from brlp_models.scans.template import load_template

SHARED = Path(__file__).parents[3] / "shared"
AOMIC = SHARED / "data/aomic_piop2_sub-0001"
AFFINE = np.array(
    [[-3, 0, 0, 88.5], [0, 3, 0, -124.5], [0, 0, 3, -70.5], [0, 0, 0, 1]], dtype=float
)
MODEL_GRID = Grid((60, 72, 60), AFFINE)
SCALP = np.float32(700)


def turn(degrees: float, scale: float, shift: tuple[float, float, float]) -> np.ndarray:
    """Return native-to-MNI: a nod of the head, an equal scale, a shift."""
    angle = np.deg2rad(degrees)
    matrix = np.eye(4)
    matrix[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, :3] *= scale
    matrix[:3, 3] = shift
    return matrix


def make_template_person(native_to_mni: np.ndarray) -> Scan:
    """Return the template's brain as a 3 mm scan of a person whose true affine is known."""
    template = load_template()
    native = Grid(template.grid.shape, np.linalg.inv(native_to_mni) @ template.grid.affine)
    grid = make_grid(native, 3.0, margin_mm=(9, 9, 9))
    smooth = gaussian_filter(template.image, 1.2)
    return Scan(resample(smooth, native, grid) * 1000, grid, "template person")


@pytest.fixture(scope="module")
def person() -> list[PreprocessedScan]:
    """Two visits of one synthetic person, the second lying elsewhere in the scanner.

    At the first there are two more channels, dark where the T1w is bright: one on its voxels, one
    of a head that has moved.
    """
    baseline = make_template_person(turn(10, 1.1, (4, -6, 8)))
    moved = turn(6, 1.0, (-7, 5, 3))
    followup = make_template_person(turn(10, 1.1, (4, -6, 8)) @ moved)
    others = {"T2w": invert(baseline), "FLAIR": invert(followup)}
    return preprocess_visits([VisitScan(baseline, others=others), VisitScan(followup)], MODEL_GRID)


def invert(scan: Scan) -> Scan:
    return replace(scan, data=np.where(scan.data > 100, 1300 - scan.data, 0))


def displacement_mm(first: np.ndarray, second: np.ndarray) -> float:
    """Return the mean distance between where two affines put the points of a brain."""
    points = np.array(list(itertools.product((-50, 50), (-70, 40), (-40, 50))))
    ends = [points @ matrix[:3, :3].T + matrix[:3, 3] for matrix in (first, second)]
    return float(np.linalg.norm(ends[0] - ends[1], axis=1).mean())


@pytest.mark.slow
def test_known_affine_is_found(person: list[PreprocessedScan]) -> None:
    assert displacement_mm(person[0].native_to_mni, turn(10, 1.1, (4, -6, 8))) < 1.5
    assert person[0].determinant == pytest.approx(1.1**3, rel=0.03)


def test_channels_go_the_way_of_the_first(person: list[PreprocessedScan]) -> None:
    scan = person[0]
    assert scan.image.shape == (3, *MODEL_GRID.shape)
    assert scan.provenance["T2w"].endswith("on the voxels of the T1w")
    assert scan.provenance["FLAIR"].endswith("registered rigidly to the T1w")
    inner = binary_erosion(scan.mask, iterations=3)
    t1w, aligned, moved = (channel[inner] for channel in scan.image)
    assert np.corrcoef(t1w, aligned)[0, 1] < -0.8
    # a millimeter of error is left, which costs little of what both show
    assert np.corrcoef(aligned, moved)[0, 1] > 0.9
    assert [channel.max() for channel in scan.image] == pytest.approx([1, 1, 1], abs=0.01)


def test_scans_are_aligned_by_one_thread() -> None:
    # several add up in the order in which they end: other last bits in every run
    process = load_simpleitk().ProcessObject
    assert process.GetGlobalDefaultNumberOfThreads() == 1


def test_search_ends_where_two_of_its_best_starts_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(shift_mm: float) -> object:
        transform = load_simpleitk().Similarity3DTransform()
        transform.SetTranslation((shift_mm, 0, 0))
        return transform

    # two wrong ends lie together as well, but a better one was found before
    ends = [(end(0), -0.2), (end(40), -0.4), (end(1), -0.21), (end(42), -0.41), (end(80), -0.9)]
    monkeypatch.setattr(registration, "_run_similarity", lambda *_: ends.pop(0))
    monkeypatch.setattr(registration, "_run_affine", lambda _fixed, _moving, start, _center: start)
    scan = make_template_person(np.eye(4))
    found = registration.register_to_template(scan.data, scan.grid)
    assert found.GetTranslation() == (42, 0, 0)  # type: ignore[attr-defined]
    assert len(ends) == 1


def test_visits_share_one_affine(person: list[PreprocessedScan]) -> None:
    assert person[1].determinant == pytest.approx(person[0].determinant, rel=1e-6)
    truth = turn(10, 1.1, (4, -6, 8)) @ turn(6, 1.0, (-7, 5, 3))
    assert displacement_mm(person[1].native_to_mni, truth) < 2


def test_stripped_scan_is_recognized(person: list[PreprocessedScan]) -> None:
    assert person[0].provenance["mask"] == "stripped scan"


def test_background_is_exactly_zero(person: list[PreprocessedScan]) -> None:
    scan = person[0]
    assert (scan.image[:, ~scan.mask] == 0).all()
    assert scan.image.max() == pytest.approx(1.0, abs=1e-6)
    assert scan.image.dtype == np.float32


def test_saved_scan_loads_unchanged(person: list[PreprocessedScan], tmp_path: Path) -> None:
    person[0].save(tmp_path / "sub-01.npz")
    loaded = PreprocessedScan.load(tmp_path / "sub-01.npz")
    np.testing.assert_array_equal(loaded.image, person[0].image)
    np.testing.assert_array_equal(loaded.mask, person[0].mask)
    np.testing.assert_array_equal(loaded.native_to_mni, person[0].native_to_mni)
    np.testing.assert_array_equal(loaded.native_grid.affine, person[0].native_grid.affine)
    assert (loaded.metrics, loaded.provenance) == (person[0].metrics, person[0].provenance)
    assert loaded.grid == person[0].grid
    with pytest.raises(ModelError, match="no complete preprocessed scan"):
        PreprocessedScan.load(tmp_path / "sub-02.npz")


def orient_scan(order: tuple[int, ...], signs: tuple[int, ...]) -> PreprocessedScan:
    """Return a preprocessed scan whose file had its axes permuted and flipped."""
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = 2.5 * sign
    shape = (80, 88, 84)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    empty = np.zeros(MODEL_GRID.shape, np.float32)
    return PreprocessedScan(
        empty[None], empty > 0, MODEL_GRID, Grid(shape, affine), turn(12, 1.1, (3, -15, 10)), {}, {}
    )


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (-1, 1, -1)])
def test_left_comes_back_left(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    scan = orient_scan(order, signs)
    predicted = np.zeros(MODEL_GRID.shape, np.float32)
    predicted[36:44, 46:52, 30:36] = 1
    mni = MODEL_GRID.affine @ [39.5, 48.5, 32.5, 1]
    image = to_native_space(predicted, scan)
    voxel = np.argwhere(image.get_fdata() > 0.5).mean(0)
    world = image.affine @ [*voxel, 1]
    expected = np.linalg.inv(scan.native_to_mni) @ mni
    assert expected[0] < 0
    np.testing.assert_allclose(world[:3], expected[:3], atol=1.0)
    assert image.shape == scan.native_grid.shape


def test_labels_come_back_as_labels() -> None:
    scan = orient_scan((2, 0, 1), (1, -1, 1))
    labels = np.zeros(MODEL_GRID.shape, np.int32)
    labels[36:44, 46:52, 30:36] = 17
    image = to_native_space(labels, scan, order=0)
    assert set(np.unique(np.asarray(image.dataobj))) == {0, 17}


def test_native_space_needs_the_models_grid() -> None:
    with pytest.raises(ScanError, match="the model's grid has"):
        to_native_space(np.zeros((4, 4, 4)), orient_scan((0, 1, 2), (1, 1, 1)))


def test_intensities_span_zero_to_one() -> None:
    data = np.random.default_rng(1).uniform(-5, 100, (20, 20, 20)).astype(np.float32)
    mask = np.zeros(data.shape, bool)
    mask[5:15, 5:15, 5:15] = True
    scaled, cut = scale_intensity(data, mask)
    assert scaled.min() == 0
    assert scaled.max() == 1
    assert (scaled[~mask] == 0).all()
    assert cut == 0


def test_few_bright_voxels_do_not_take_the_contrast() -> None:
    data = np.random.default_rng(2).uniform(50, 100, (30, 30, 30)).astype(np.float32)
    mask = np.ones(data.shape, bool)
    spoiled = data.copy()
    spoiled[0, 0, :5] = 10_000
    scaled, cut = scale_intensity(spoiled, mask)
    assert cut == pytest.approx(5 / data.size)
    assert np.median(scaled) == pytest.approx(75 / (100 * HEADROOM), rel=0.02)


def test_standardized_scan_is_moved_above_zero() -> None:
    data = np.zeros((20, 20, 20), np.float32)
    data[5:15, 5:15, 5:15] = np.random.default_rng(3).normal(0, 1, (10, 10, 10))
    moved = shift_to_positive(data)
    inside, outside = data != 0, data == 0
    assert moved.min() >= 0
    assert (moved[outside] == 0).all()
    assert np.corrcoef(moved[inside], data[inside])[0, 1] > 0.999


def test_overshoot_below_zero_is_cut() -> None:
    data = np.full((20, 20, 20), 50, np.float32)
    data[:10] = 0
    data[10, 0, 0] = -3
    moved = shift_to_positive(data)
    assert moved.min() == 0
    assert moved.max() == 50


@pytest.fixture(scope="module")
def whole_head() -> Scan:
    """The template in a shell of scalp, 3 mm."""
    scan = make_template_person(np.eye(4))
    brain = scan.data > 50
    skull = binary_dilation(brain, iterations=5)
    data = np.where(binary_dilation(skull, iterations=3) & ~skull, SCALP, scan.data)
    return replace(scan, data=data)


def test_whole_head_gets_the_templates_mask(whole_head: Scan) -> None:
    mask = find_brain_mask(whole_head, np.eye(4))
    assert mask.source == "template"
    assert mask.voxels.sum() * 27 == pytest.approx(load_template().mask.sum(), rel=0.02)


def test_segmenter_comes_before_the_template(whole_head: Scan) -> None:
    def segment() -> np.ndarray:
        return (whole_head.data > 50) & (whole_head.data != SCALP)

    mask = find_brain_mask(whole_head, np.eye(4), segment=segment)
    assert (mask.source, mask.doubt) == ("segmenter", "")
    np.testing.assert_array_equal(mask.voxels, segment())


class ContrastSegmenter:
    """Misses the rim of a brain whose gray matter is dark; counts the voxels of a brain."""

    name = "by contrast"

    def find_brain(
        self, scan: Scan, _native_to_mni: np.ndarray, exponent: float = 1.0
    ) -> np.ndarray:
        brain = (scan.data > 50) & (scan.data != SCALP)
        # two voxels less at the higher power, none at the lower
        return binary_erosion(brain, iterations=2) if exponent > 1 else brain

    def measure(self, brain: np.ndarray) -> dict[str, float]:
        return {"brain": float((brain > 0).sum()), "nothing": 0.0}


def test_brains_of_other_contrasts_tell_how_sure_a_volume_is(
    whole_head: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocessing, "correct_bias_field", lambda scan: scan.data)
    # which lies there already
    in_place = Registration(np.eye(4), 1.0)
    monkeypatch.setattr(preprocessing, "register_to_template", lambda *_: in_place)
    head, network = VisitScan(whole_head), ContrastSegmenter()
    (found,) = preprocess_visits([head], MODEL_GRID, segmenter=network)
    assert found.provenance["mask"] == "segmenter"
    # all of what the own mask holds, and what is left without two voxels at its rim
    own = network.find_brain(whole_head, np.eye(4))
    less = network.find_brain(whole_head, np.eye(4), 1.25)
    assert (found.image > 0).sum() == pytest.approx(own.sum(), rel=0.1)
    share = less.sum() / own.sum()
    wanted = (1 - share) / np.sqrt(2) / ((1 + share) / 2)
    assert found.mask_spread == {"brain": pytest.approx(wanted, rel=0.1)}
    assert wanted > 0.1
    # kept with the scan
    found.save(tmp_path / "scan.npz")
    assert PreprocessedScan.load(tmp_path / "scan.npz").mask_spread == found.mask_spread
    # whose brain was given, or is all there is, hangs on no contrast of a head
    stripped = replace(whole_head, data=np.where(own, whole_head.data, 0))
    (given,) = preprocess_visits([VisitScan(stripped)], MODEL_GRID, segmenter=network)
    (bare,) = preprocess_visits([head], MODEL_GRID)
    assert (given.mask_spread, bare.mask_spread) == ({}, {})


def test_segmenter_that_misses_the_brain_is_not_believed(whole_head: Scan) -> None:
    mask = find_brain_mask(whole_head, np.eye(4), segment=lambda: whole_head.data == SCALP)
    assert mask.source == "template"
    assert "overlaps with it by a Dice of 0." in mask.doubt
    np.testing.assert_array_equal(mask.voxels, find_brain_mask(whole_head, np.eye(4)).voxels)


def test_given_files_come_first(whole_head: Scan, tmp_path: Path) -> None:
    brain = find_brain_mask(whole_head, np.eye(4)).voxels
    labels = np.where(brain, 2, 24).astype(np.int32)
    path = tmp_path / "labels.nii.gz"
    make_nifti(labels, whole_head.grid.affine).to_filename(path)
    mask = find_brain_mask(whole_head, np.eye(4), segmentation=path)
    assert mask.source == "segmentation"
    assert (mask.voxels & brain).sum() / mask.voxels.sum() > 0.99
    make_nifti(brain, whole_head.grid.affine).to_filename(path)
    assert find_brain_mask(whole_head, np.eye(4), mask=path).source == "mask"


def test_mask_of_another_place_is_refused(whole_head: Scan, tmp_path: Path) -> None:
    far = whole_head.grid.affine.copy()
    far[:3, 3] += 500
    make_nifti(np.ones((40, 40, 40), np.uint8), far).to_filename(tmp_path / "mask.nii.gz")
    with pytest.raises(ScanError, match="lies in another space"):
        find_brain_mask(whole_head, np.eye(4), mask=tmp_path / "mask.nii.gz")


@pytest.mark.slow
@pytest.mark.skipif(not AOMIC.exists(), reason="the AOMIC scan is not beside the checkout")
def test_real_head_lands_in_mni_space() -> None:
    head, stripped = (read_scan(AOMIC / name) for name in ("orig.mgz", "brainmask.mgz"))
    grid = make_grid(head.grid, 3.0)
    small = replace(
        head, data=resample(gaussian_filter(head.data, 1.2), head.grid, grid), grid=grid
    )
    (found,) = preprocess_visits([VisitScan(small)], MODEL_GRID)
    brain = resample(stripped.data > 0, head.grid, grid)
    template = load_template()
    back = np.linalg.inv(found.native_to_mni)
    warped = resample(template.mask, template.grid, grid, source_to_target=back)
    dice = 2 * (brain & warped).sum() / (brain.sum() + warped.sum())
    assert dice > 0.92
    assert 1.2 < found.determinant < 1.4
