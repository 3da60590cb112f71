"""Region volumes: known answers, invariances, refusals."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohorts.errors import CohortError
from cohorts.volumes.volumetry import compute_label_volumes, compute_volumes

DATA = Path(__file__).parents[3] / "shared" / "data"
MAPS = DATA / "synthseg_label_maps"
AOMIC = DATA / "aomic_piop2_sub-0001"
REFERENCE_NAMES = {
    "csf_24": "csf",
    "brain_excl_csf24": "brain",
    "left_inf_lat_ventricle": "left_inferior_lateral_ventricle",
    "right_inf_lat_ventricle": "right_inferior_lateral_ventricle",
    "left_cerebral_wm": "left_cerebral_white_matter",
    "right_cerebral_wm": "right_cerebral_white_matter",
}

needs_maps = pytest.mark.skipif(not MAPS.exists(), reason="the shared label maps are not here")
needs_aomic = pytest.mark.skipif(not AOMIC.exists(), reason="the shared AOMIC subject is not here")


def make_cube(dtype: type = np.uint8) -> np.ndarray:
    labels = np.zeros((12, 13, 14), dtype=dtype)
    labels[1:4, 1:5, 1:6] = 17
    labels[6:8, 1:5, 1:6] = 53
    labels[9, 9, 9] = 24
    return labels


def read_reference(name: str, grid: str) -> dict[str, float]:
    table = pd.read_csv(MAPS / "volumes_mm3.csv").set_index(["map", "grid"])
    return table.loc[(name, grid)].rename(REFERENCE_NAMES).to_dict()


def test_cube_has_its_known_volume() -> None:
    volumes = compute_label_volumes(make_cube(), 1.5)
    assert volumes["left_hippocampus"] == 60 * 1.5
    assert volumes["right_hippocampus"] == 40 * 1.5
    assert volumes["hippocampus"] == volumes["brain"] == 100 * 1.5
    assert volumes["head_size_mm3"] == 101 * 1.5


def test_region_with_one_side_missing_has_no_volume_of_both() -> None:
    labels = make_cube()
    labels[labels == 53] = 0
    assert "hippocampus" not in compute_label_volumes(labels, 1.0)


def test_extracerebral_labels_count_nowhere() -> None:
    labels = make_cube(np.int32)
    labels[labels == 0] = 530
    assert compute_label_volumes(labels, 1.0) == compute_label_volumes(make_cube(), 1.0)


@needs_maps
@pytest.mark.parametrize("number", [1, 4, 7])
def test_synthseg_map_at_1_mm_is_exact(number: int) -> None:
    name = f"training_seg_{number:02d}"
    found = compute_volumes(MAPS / "full_1mm" / f"{name}.nii.gz").set_index("region").volume_mm3
    expected = read_reference(name, "1.0mm")
    assert {region: found[region] for region in expected} == expected


@needs_maps
@pytest.mark.parametrize("number", [2, 10])
def test_synthseg_map_at_1_point_5_mm_agrees_to_a_tenth_of_a_mm3(number: int) -> None:
    name = f"training_seg_{number:02d}"
    path = MAPS / "crop_1p5mm" / f"{name}_1p5mm.nii.gz"
    found = compute_volumes(path).set_index("region").volume_mm3
    for region, volume in read_reference(name, "1.5mm").items():
        assert found[region] == pytest.approx(volume, abs=0.06)


@needs_aomic
@pytest.mark.parametrize("segmentation", ["aseg.mgz", "aparc.DKTatlas+aseg.mgz"])
def test_freesurfer_segmentation_gives_the_counts_of_aseg_stats(segmentation: str) -> None:
    found = compute_volumes(AOMIC / segmentation).set_index("region").volume_mm3
    assert found["left_hippocampus"] == pytest.approx(4418, rel=1e-5)
    assert found["right_hippocampus"] == pytest.approx(4247, rel=1e-5)
    assert found["cerebral_cortex"] == pytest.approx(527_098, rel=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    axes=st.permutations([0, 1, 2]),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    zooms=st.tuples(*[st.floats(0.5, 3)] * 3),
    dtype=st.sampled_from([np.uint8, np.int16, np.int32, np.float32, np.float64]),
    order=st.sampled_from("CF"),
)
def test_volumes_ignore_orientation_dtype_and_voxel_order(
    axes: list[int], flips: tuple[bool, ...], zooms: tuple[float, ...], dtype: type, order: str
) -> None:
    labels = make_cube()
    straight = compute_label_volumes(labels, float(np.prod(zooms)))
    turned = np.transpose(labels, axes)[tuple(slice(None, None, -1 if f else 1) for f in flips)]
    affine = np.zeros((4, 4))
    for column, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        affine[axis, column] = zooms[axis] * (-1 if flip else 1)
    affine[3, 3] = 1
    image = nib.Nifti1Image(np.array(turned, dtype=dtype, order=order), affine)
    found = compute_volumes(image).set_index("region").volume_mm3.to_dict()
    assert found == pytest.approx(straight)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.full((4, 4, 4), 0.5), "whole label codes"),
        (np.full((4, 4, 4), -1, dtype=np.int16), "got -1"),
        (np.full((4, 4, 4), np.nan), "got nan"),
        (np.zeros((4, 4)), "must be 3-D"),
        (np.zeros((4, 4, 4, 2)), r"\(4, 4, 4, 2\)"),
    ],
)
def test_what_is_no_label_map_is_refused(labels: np.ndarray, words: str) -> None:
    with pytest.raises(CohortError, match=words):
        compute_label_volumes(labels, 1.0)


def test_singular_affine_is_refused() -> None:
    image = nib.spatialimages.SpatialImage(make_cube(), np.diag([1.0, 1, 0, 1]))
    with pytest.raises(CohortError, match="invertible affine"):
        compute_volumes(image)


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.nii.gz", tmp_path / "cut.nii.gz"
    random_codes = np.random.default_rng(1).integers(0, 60, (30, 30, 30)).astype(np.uint8)
    nib.save(nib.Nifti1Image(random_codes, np.eye(4)), whole)
    cut.write_bytes(whole.read_bytes()[:5000])
    with pytest.raises(CohortError, match="cannot be read"):
        compute_volumes(cut)
