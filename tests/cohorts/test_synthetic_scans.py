"""Synthetic scans: intended volumes, smoothness, resampling."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from cohorts.errors import CohortError
from cohorts.synthetic.anatomy.base import BaseAnatomy, read_anatomy, simplify_codes
from cohorts.synthetic.anatomy.deformation import (
    deform_to_volumes,
    find_sources,
    prepare_anatomy,
    warp_share,
)
from cohorts.synthetic.anatomy.person import PersonAnatomy
from cohorts.synthetic.parameters import AppearanceParameters
from cohorts.synthetic.person_scans import (
    SyntheticScan,
    synthesize_first_scan,
    synthesize_scans,
)
from cohorts.synthetic.resampling import (
    average_by_area,
    compute_output_affine,
    interpolate_to_fine,
    validate_resolution,
    vote_by_majority,
)
from cohorts.volumes.volumetry import compute_label_volumes

MAPS = Path(__file__).parents[3] / "shared" / "data" / "synthseg_label_maps" / "full_1mm"
needs_maps = pytest.mark.skipif(not MAPS.exists(), reason="the shared label maps are not here")

BASELINE = {
    "left_hippocampus": 3300.0,
    "right_hippocampus": 3400.0,
    "amygdala": 3000.0,
    "thalamus": 13500.0,
    "lateral_ventricle": 30000.0,
    "cerebral_cortex": 460000.0,
}
FOLLOWUP = {
    region: volume * (1.1 if region == "lateral_ventricle" else 0.95)
    for region, volume in BASELINE.items()
}


@pytest.fixture(scope="module")
def base() -> BaseAnatomy:
    return read_anatomy(MAPS / "training_seg_03.nii.gz")


@pytest.fixture(scope="module")
def scans(base: BaseAnatomy) -> list[SyntheticScan]:
    return synthesize(base, 11)


def synthesize(base: BaseAnatomy, seed: int) -> list[SyntheticScan]:
    return synthesize_scans(
        base,
        [BASELINE, FOLLOWUP],
        rng=np.random.default_rng(seed),
        head_size_mm3=1.45e6,
        resolution_mm=2.0,
        with_noiseless=True,
    )


@needs_maps
def test_label_maps_have_the_intended_volumes(scans: list[SyntheticScan]) -> None:
    for scan, intended in zip(scans, (BASELINE, FOLLOWUP), strict=True):
        found = compute_label_volumes(scan.labels, 8.0)
        assert {r: found[r] for r in intended} == pytest.approx(intended, rel=0.03)
        assert found["head_size_mm3"] == pytest.approx(1.45e6, rel=0.01)


@needs_maps
def test_a_first_scan_alone_is_that_of_all_and_later_labels_are_the_same(
    base: BaseAnatomy, scans: list[SyntheticScan]
) -> None:
    options = {"rng": np.random.default_rng(11), "head_size_mm3": 1.45e6, "resolution_mm": 2.0}
    first, later = synthesize_first_scan(base, [BASELINE, FOLLOWUP], with_noiseless=True, **options)
    for name in ("t1w", "labels", "affine", "ideal", "noiseless"):
        assert np.array_equal(getattr(first, name), getattr(scans[0], name)), name
    (own,) = later
    assert np.array_equal(own.labels, scans[1].labels)
    assert np.array_equal(own.affine, scans[1].affine)


@needs_maps
def test_hippocampal_change_is_within_half_a_percent_of_baseline(
    scans: list[SyntheticScan],
) -> None:
    before, after = (compute_label_volumes(scan.labels, 8.0)["hippocampus"] for scan in scans)
    intended = 0.95 * 6700 - 6700
    assert after - before == pytest.approx(intended, abs=0.005 * 6700)


@needs_maps
def test_tissue_contrast_is_that_of_a_t1w_scan(scans: list[SyntheticScan]) -> None:
    t1w, labels = scans[0].t1w, scans[0].labels
    white, cortex, fluid = (np.median(t1w[np.isin(labels, c)]) for c in ((2, 41), (3, 42), (4, 43)))
    assert white > 1.2 * cortex > 1.2 * 1.5 * fluid
    assert (t1w[labels == 0] == 0).mean() > 0.97
    assert (t1w >= 0).all()


@needs_maps
def test_scans_without_noise_are_of_the_first_acquisition(scans: list[SyntheticScan]) -> None:
    first, later = (scan.noiseless for scan in scans)
    assert first is not None
    assert later is not None
    same = (scans[0].labels == scans[1].labels) & np.isin(scans[0].labels, (2, 41))
    inside = ndimage.binary_erosion(same)
    parameters = AppearanceParameters()
    noise = (scans[0].t1w - first)[inside] / parameters.white_matter_intensity
    # Rician noise of bright tissue is normal; 60,000 voxels give its sd within 1 %
    assert noise.std() == pytest.approx(parameters.noise_sd, rel=0.02)
    assert np.median(later[inside] / first[inside]) == pytest.approx(1, abs=1e-3)
    ratio = later[inside] / first[inside]
    assert ratio.std() < 0.01
    # an acquisition of its own has another bias field
    assert (scans[1].t1w[inside] / first[inside]).std() > ratio.std() + 0.02


@needs_maps
def test_anatomy_stays_the_same_over_time(scans: list[SyntheticScan]) -> None:
    first, second = (scan.labels for scan in scans)
    assert (first == second).mean() > 0.97
    assert np.array_equal(scans[0].affine, scans[1].affine)


@needs_maps
def test_share_that_is_not_sampled_again_is_what_sampling_gives(base: BaseAnatomy) -> None:
    anatomy = prepare_anatomy(PersonAnatomy(base.labels, base.affine))
    name, structure = "left_hippocampus", anatomy.structures["left_hippocampus"]
    volume = structure.fixed_mm3 + float(structure.share.ravel()[structure.band].sum())
    deformation = deform_to_volumes(anatomy, {name: 0.8 * volume})
    inner = tuple(
        slice(own.start - box.start, own.stop - box.start)
        for own, box in zip(structure.box, anatomy.box, strict=True)
    )
    points = np.stack([axis[inner] for axis in find_sources(anatomy, deformation)])
    points -= np.array([own.start for own in structure.box], np.float32)[:, None, None, None]
    sampled = ndimage.map_coordinates(structure.share, points, order=1, mode="nearest")
    found = warp_share(anatomy, name, deformation).ravel()[structure.band]
    assert found == pytest.approx(sampled.ravel()[structure.band], abs=1e-5)
    assert np.abs(found - structure.share.ravel()[structure.band]).max() > 0.3


@needs_maps
@pytest.mark.slow
def test_the_same_seed_gives_every_scan_again(
    base: BaseAnatomy, scans: list[SyntheticScan]
) -> None:
    again = synthesize(base, 11)
    assert all(np.array_equal(a.t1w, b.t1w) for a, b in zip(scans, again, strict=True))


@needs_maps
def test_seed_decides_the_person(base: BaseAnatomy, scans: list[SyntheticScan]) -> None:
    options = {"rng": np.random.default_rng(12), "head_size_mm3": 1.45e6, "resolution_mm": 2.0}
    (other,) = synthesize_scans(base, [BASELINE], **options)
    assert (other.labels != scans[0].labels).mean() > 0.05


@needs_maps
@pytest.mark.parametrize(
    ("volumes", "words"),
    [
        ({"lateral_ventricle": 400_000.0}, "lateral_ventricle cannot reach 400000 mm3"),
        ({"hippocampus": 7000.0}, "got hippocampus"),
    ],
)
def test_impossible_volumes_are_refused(
    base: BaseAnatomy, volumes: dict[str, float], words: str
) -> None:
    with pytest.raises(CohortError, match=words):
        synthesize_scans(base, [volumes], rng=np.random.default_rng(1), resolution_mm=2.0)


def test_anatomy_without_regions_is_refused() -> None:
    labels = np.full((12, 12, 12), 2, dtype=np.uint16)
    with pytest.raises(CohortError, match="no voxel of left_hippocampus"):
        BaseAnatomy(labels, np.eye(4), "a cube")


def test_finer_codes_become_those_of_synthseg() -> None:
    labels = np.array([[[1001, 2035, 77, 31, 507, 24]]])
    assert simplify_codes(labels, whole_head=False).ravel().tolist() == [3, 42, 41, 4, 0, 24]
    assert simplify_codes(labels, whole_head=True).ravel()[4] == 507


@pytest.mark.parametrize("resolution", [1.0, 1.5, 2.0])
def test_averaging_keeps_the_total(resolution: float) -> None:
    volume = np.random.default_rng(1).random((12, 18, 24), dtype=np.float32)
    coarse = average_by_area(volume, resolution)
    assert coarse.shape == tuple(round(n / resolution) for n in volume.shape)
    assert coarse.sum() * resolution**3 == pytest.approx(volume.sum(), rel=1e-5)


@pytest.mark.parametrize(("shape", "blocks"), [((12, 18, 24), (6, 9, 12)), ((7, 5, 9), (4, 2, 4))])
def test_2_mm_voxels_are_means_of_eight(
    shape: tuple[int, int, int], blocks: tuple[int, int, int]
) -> None:
    volume = np.random.default_rng(1).random(shape, dtype=np.float32)
    coarse = average_by_area(volume, 2.0)
    assert coarse.shape == blocks
    assert coarse[1, 1, 1] == pytest.approx(volume[2:4, 2:4, 2:4].mean(), rel=1e-6)


@pytest.mark.parametrize("resolution", [1.0, 1.5, 2.0])
def test_majority_keeps_a_large_cube(resolution: float) -> None:
    labels = np.zeros((24, 24, 24), dtype=np.uint16)
    labels[6:18, 6:18, 6:18] = 17
    voted = vote_by_majority(labels, resolution)
    assert (voted == 17).sum() * resolution**3 == pytest.approx(12**3)


def test_interpolating_a_linear_ramp_gives_the_ramp() -> None:
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None, None] * 2 + 0.5, (8, 4, 4))
    fine = interpolate_to_fine(np.ascontiguousarray(ramp))
    assert fine[1:-1, 2, 2] == pytest.approx(np.arange(1, 15))


def test_output_grid_covers_the_same_space() -> None:
    affine = compute_output_affine(np.eye(4), 2.0)
    assert affine @ [-0.5, -0.5, -0.5, 1] == pytest.approx([-0.5, -0.5, -0.5, 1])


def test_other_resolutions_are_refused() -> None:
    with pytest.raises(CohortError, match=r"one of 1, 1\.5, 2 mm, got 3"):
        validate_resolution(3.0)
