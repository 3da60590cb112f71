"""The scan that a prediction starts from."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch

from brlp_models.errors import ModelError, ScanError
from brlp_models.evaluation.images.scans_on_grid import iterate_people
from brlp_models.model.model import BrlpModel
from brlp_models.prediction import start as prediction_start
from brlp_models.prediction.start import find_start_visit, load_start_scan, measure_start
from brlp_models.scans import placing
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.check import ScanCheck
from brlp_models.scans.files import make_scan
from brlp_models.scans.grid import Grid
from brlp_models.scans.placing import is_preprocessed
from brlp_models.scans.preprocessing import PreprocessedScan, VisitScan
from cohorts.cohort import Cohort
from tests.brlp_models.brain_drawing import draw_brain


def make_cohort(images: dict[float, str | None]) -> Cohort:
    months = list(images)
    visits = pd.DataFrame(
        {
            "participant_id": "sub-1",
            "session_id": [f"ses-{m:g}" for m in months],
            "age_years": [70 + m / 12 for m in months],
            "months_from_baseline": months,
            "diagnosis": "CN",
            "image_path": list(images.values()),
            "segmentation_path": None,
        }
    )
    person = {"participant_id": ["sub-1"], "sex": "F", "age_years": 70.0, "diagnosis": "CN"}
    volumes = {"participant_id": [], "session_id": [], "region": [], "volume_mm3": [], "source": []}
    return Cohort(pd.DataFrame(person), visits, pd.DataFrame(volumes))


def ball(model: BrlpModel) -> np.ndarray:
    distance = np.indices(model.config.shape) - np.array([10, 12, 10])[:, None, None, None]
    return np.where(np.linalg.norm(distance, axis=0) < 7, 1.0, 0.0).astype(np.float32)


def test_start_is_the_latest_visit_that_may_be_seen() -> None:
    cohort = make_cohort({0.0: "a.nii.gz", 12.0: "b.nii.gz", 24.0: "c.nii.gz"})
    assert find_start_visit(cohort, "sub-1", until_months=0).session_id == "ses-0"
    start = find_start_visit(cohort, "sub-1", until_months=13)
    assert (start.session_id, start.months, start.age_years) == ("ses-12", 12, 71)


def test_person_without_an_image_is_named() -> None:
    cohort = make_cohort({0.0: None, 12.0: "b.nii.gz"})
    with pytest.raises(ModelError, match="sub-1 has no visit with an image up to month 0"):
        find_start_visit(cohort, "sub-1", until_months=0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda x: x, True),
        (lambda x: 400 * x, False),
        (lambda x: x - 0.04, False),
        (lambda x: x + 0.1, False),
        (lambda x: x[:, :, :-1], False),
    ],
)
def test_preprocessed_scan_is_recognized(
    tiny_model: BrlpModel, change: Any, expected: bool
) -> None:
    scan = make_scan(change(ball(tiny_model)), np.asarray(tiny_model.config.affine))
    assert is_preprocessed(scan, Grid.of_config(tiny_model.config)) is expected


def test_preprocessed_scan_is_taken_as_it_is(tiny_model: BrlpModel, tmp_path: Path) -> None:
    path, brain = tmp_path / "scan.nii.gz", draw_brain(np.random.default_rng(0))
    nib.save(nib.Nifti1Image(brain, np.asarray(tiny_model.config.affine)), path)
    cohort = make_cohort({0.0: str(path)})
    visit = find_start_visit(cohort, "sub-1", until_months=0)
    start = load_start_scan(tiny_model, cohort, visit, ScanCache(tmp_path / "kept"))
    assert np.array_equal(start.image[0].numpy(), brain)
    assert (start.determinant, start.warnings) == (1, "")
    assert start.brain_mask == "preprocessed before"
    assert np.array_equal(start.restore(brain).get_fdata(), brain)
    assert not (tmp_path / "kept").exists()


def test_scan_on_the_grid_has_the_determinant_of_its_visit(
    tiny_model: BrlpModel, tmp_path: Path
) -> None:
    affine = np.asarray(tiny_model.config.affine)
    path, labels = tmp_path / "scan.nii.gz", tmp_path / "labels.nii.gz"
    nib.save(nib.Nifti1Image(draw_brain(np.random.default_rng(0)), affine), path)
    shown = np.zeros(tiny_model.config.shape, np.int16)
    shown[:4, :5, :6] = 17
    nib.save(nib.Nifti1Image(shown, affine), labels)
    cohort = make_cohort({0.0: str(path)})
    cohort = replace(
        cohort, visits=cohort.visits.assign(determinant=1.25, segmentation_path=str(labels))
    )
    cache = ScanCache(tmp_path / "kept")
    visit = find_start_visit(cohort, "sub-1", until_months=0)
    start = load_start_scan(tiny_model, cohort, visit, cache)
    assert start.determinant == 1.25
    assert start.native_to_mni is None
    volumes, _ = measure_start(cohort, visit, start, None)
    voxel_mm3 = abs(np.linalg.det(affine[:3, :3]))
    assert volumes["left_hippocampus"] == pytest.approx(120 * voxel_mm3 / 1.25)
    [[seen]] = iterate_people(tiny_model, cohort, cache)
    assert seen.determinant == 1.25
    cohort = replace(cohort, visits=cohort.visits.assign(determinant=None))
    [[unsaid]] = iterate_people(tiny_model, cohort, cache)
    assert unsaid.determinant == 1


def test_determinant_of_a_scan_elsewhere_is_refused(
    tiny_model: BrlpModel, raw: Callable[[str], tuple[Cohort, list[str]]], tmp_path: Path
) -> None:
    cohort, _ = raw("pass")
    stated = replace(cohort, visits=cohort.visits.assign(determinant=[1.25, 1.0]))
    cache = ScanCache(tmp_path / "kept")
    visit = find_start_visit(stated, "sub-1", until_months=0)
    with pytest.raises(ScanError, match=r"0\.nii\.gz: the visit states a determinant of 1\.25"):
        load_start_scan(tiny_model, stated, visit, cache)
    # 1 says no more than a table without the column
    later = find_start_visit(stated, "sub-1", until_months=12)
    assert load_start_scan(tiny_model, stated, later, cache).determinant == pytest.approx(1.1)


def test_scan_on_the_grid_is_judged_too(tiny_model: BrlpModel, tmp_path: Path) -> None:
    path = tmp_path / "scan.nii.gz"
    brain = draw_brain(np.random.default_rng(0))
    inverted = np.where(brain > 0, 1.01 - brain, 0)
    nib.save(nib.Nifti1Image(inverted, np.asarray(tiny_model.config.affine)), path)
    cohort = make_cohort({0.0: str(path)})
    visit = find_start_visit(cohort, "sub-1", until_months=0)
    with pytest.raises(
        ModelError, match=r"scan\.nii\.gz was refused: .*does not resemble a T1w brain"
    ):
        load_start_scan(tiny_model, cohort, visit, ScanCache(tmp_path / "kept"))


@pytest.fixture
def raw(
    tiny_model: BrlpModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[Cohort, list[str]]]:
    """Replace the registration, which takes seconds, and give the input check's verdict."""
    grid, native = Grid.of_config(tiny_model.config), Grid((30,) * 3, np.diag([6.0, 6, 6, 1]))
    image, asked = ball(tiny_model), []
    scan = PreprocessedScan(image[None], image > 0, grid, native, np.diag([1.1, 1, 1, 1]), {}, {})

    def preprocess(visits: Sequence[VisitScan], _: Grid, **__: Any) -> list[PreprocessedScan]:
        asked.extend(Path(str(visit.scan)).name for visit in visits)
        return [scan] * len(visits)

    def prepare(verdict: str) -> tuple[Cohort, list[str]]:
        reasons = () if verdict == "pass" else ("thick slices",)
        check = ScanCheck(verdict, reasons, {}, "segmenter")
        monkeypatch.setattr(placing, "preprocess_visits", preprocess)
        monkeypatch.setattr(prediction_start, "check_against_model", lambda *_, **__: check)
        paths = {month: tmp_path / f"{month:g}.nii.gz" for month in (0.0, 12.0)}
        noise = np.random.default_rng(0).random(native.shape)
        for path in paths.values():
            nib.save(nib.Nifti1Image(noise, native.affine), path)
        return make_cohort({month: str(path) for month, path in paths.items()}), asked

    return prepare


def test_raw_follow_up_goes_through_the_first_scans_affine(
    tiny_model: BrlpModel, raw: Callable[[str], tuple[Cohort, list[str]]], tmp_path: Path
) -> None:
    cohort, asked = raw("pass")
    visit = find_start_visit(cohort, "sub-1", until_months=12)
    start = load_start_scan(tiny_model, cohort, visit, ScanCache(tmp_path / "kept"))
    assert asked == ["0.nii.gz", "12.nii.gz"]
    assert start.determinant == pytest.approx(1.1)
    assert (start.warnings, start.brain_mask) == ("", "segmenter")
    assert start.restore(ball(tiny_model)).shape == (30, 30, 30)


def test_verdict_of_the_input_check_is_heeded(
    tiny_model: BrlpModel, raw: Callable[[str], tuple[Cohort, list[str]]], tmp_path: Path
) -> None:
    cohort, _ = raw("warn")
    visit, cache = find_start_visit(cohort, "sub-1", until_months=0), ScanCache(tmp_path / "kept")
    assert load_start_scan(tiny_model, cohort, visit, cache).warnings == "thick slices"
    raw("fail")
    with pytest.raises(ModelError, match=r"0\.nii\.gz was refused: thick slices"):
        load_start_scan(tiny_model, cohort, visit, cache)


def test_known_scan_is_not_preprocessed_again(
    tiny_model: BrlpModel, raw: Callable[[str], tuple[Cohort, list[str]]], tmp_path: Path
) -> None:
    cohort, asked = raw("pass")
    visit, cache = find_start_visit(cohort, "sub-1", until_months=0), ScanCache(tmp_path / "kept")
    first, second = (load_start_scan(tiny_model, cohort, visit, cache) for _ in range(2))
    assert asked == ["0.nii.gz"]
    assert torch.equal(first.image, second.image)
    assert first.determinant == second.determinant
