"""Later visits without noise: how they are made, where they lie, what is held against them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch

from brlp_models.evaluation.evaluated_people import EvaluatedCohort
from brlp_models.evaluation.images.accuracy import measure_images
from brlp_models.evaluation.images.predicted_scans import PredictedScan, PredictedScans
from brlp_models.evaluation.images.scans_on_grid import VisitImage
from brlp_models.evaluation.measures.uncertainty import summarize_voxels
from brlp_models.evaluation.methods import MODEL
from brlp_models.evaluation.results_text import render_results
from brlp_models.evaluation.truth import compute_brain_volumes, find_volumes_at
from brlp_models.model.model import BrlpModel
from brlp_models.scans.grid import Grid
from brlp_models.training.banks.evaluation_cohort import write_evaluation_cohort
from brlp_models.training.banks.scan_bank import BankWriter
from brlp_models.training.banks.synthetic_people import place_on_grid
from cohorts.cohort import Cohort
from cohorts.sources.loading import load_cohort
from cohorts.synthetic.person_scans import SyntheticScan
from cohorts.synthetic.truth import find_noiseless_scan

RNG = np.random.default_rng


def make_scan(bright: float) -> SyntheticScan:
    labels = np.full((6, 6, 6), 2, np.uint16)
    t1w = np.full(labels.shape, bright, np.float32)
    without_noise = np.full(labels.shape, 500, np.float32)
    return SyntheticScan(t1w, labels, np.eye(4), t1w, noiseless=without_noise)


def test_a_scan_without_noise_has_the_scale_of_the_first() -> None:
    grid, first, later = Grid((6, 6, 6), np.eye(4)), make_scan(1250), make_scan(2000)
    image, _ = place_on_grid(later, np.eye(4), grid, first=first)
    assert image[0] == pytest.approx(1)
    assert image[1] == pytest.approx(0.4)


def test_scans_without_noise_and_anatomies_lie_beside_the_truth(
    tiny_model: BrlpModel, tmp_path: Path
) -> None:
    config = tiny_model.config
    images = RNG(1).uniform(0, 1, (2, *config.shape)).astype(np.float32)
    writer = BankWriter(tmp_path / "bank", 1, config.shape, {"with_noiseless": True}, n_channels=2)
    row = {
        "row": 0, "participant_id": "sub-1", "session_id": "ses-0", "base_anatomy": "map_9",
        "age_years": 70.0, "months_from_baseline": 0.0, "sex": "F", "diagnosis": "CN", "apoe4": 0,
        "determinant": 1.25, "hippocampus_mm3": 7500.0, "education_years": 16.0, "mmse": 29.0,
        "measured_hippocampus": 6100.0, "measured_head_size_mm3": 1.5e6,
    }  # fmt: skip
    writer.add([(images, np.ones(config.shape, np.uint8))], [row])
    writer.finish()
    cohort = write_evaluation_cohort(tmp_path / "bank", tmp_path / "people", config)
    people = EvaluatedCohort(cohort, tmp_path / "people")
    grid = Grid.of_config(config)
    found = people.find_noiseless("sub-1", "ses-0", grid)
    assert found is not None
    assert found.numpy() == pytest.approx(images[1:], abs=0.51 / 255)
    assert people.find_noiseless("sub-1", "ses-1", grid) is None
    other = Grid(grid.shape, grid.affine + np.eye(4, k=3))
    assert people.find_noiseless("sub-1", "ses-0", other) is None
    assert find_noiseless_scan(tmp_path, "sub-1", "ses-0").parent.parent.name == "truth"
    anatomies = people.find_anatomies()
    assert anatomies is not None
    assert anatomies.to_dict() == {"sub-1": "map_9"}
    assert EvaluatedCohort(cohort).find_anatomies() is None
    # the scan is in MNI space; all that is said of the person is native
    assert load_cohort(tmp_path / "people").visits["determinant"].tolist() == [1.25]
    table = cohort.baseline().loc["sub-1"]
    assert (table["hippocampus_mm3"], table["head_size_mm3"], table["mmse"]) == (6100, 1.5e6, 29)
    truth, _ = people.load_truth()
    known = truth.baseline().loc["sub-1"]
    assert known["hippocampus_mm3"] == 6000
    voxel_mm3 = abs(np.linalg.det(np.asarray(config.affine)[:3, :3]))
    assert known["brain_mm3"] == pytest.approx(np.prod(config.shape) * voxel_mm3 / 1.25)


def test_later_visits_without_scans_have_the_same_volumes(
    tiny_model: BrlpModel, tmp_path: Path
) -> None:
    config = tiny_model.config
    images = RNG(1).uniform(0, 1, (3, 2, *config.shape)).astype(np.float32)
    tissues = np.ones(config.shape, np.uint8)
    rows = [
        {
            "row": k, "participant_id": "sub-1", "session_id": f"ses-{k}", "base_anatomy": "map_9",
            "age_years": 70.0 + k, "months_from_baseline": 12.0 * k, "sex": "F", "diagnosis": "CN",
            "apoe4": 0, "determinant": 1.25, "hippocampus_mm3": 7000.0 - k, "csf_mm3": 9e5 + k,
            "education_years": 16.0, "mmse": 29.0, "measured_hippocampus": 5600.0 - k,
        }
        for k in range(3)
    ]  # fmt: skip
    found = {}
    for only in (False, True):
        folder = tmp_path / str(only)
        writer = BankWriter(
            folder / "bank", 3, config.shape, {"with_noiseless": True}, n_channels=2
        )
        scans = [(image, tissues) for image in images]
        writer.add([scans[0], None, None] if only else scans, rows)
        writer.finish()
        found[only] = write_evaluation_cohort(
            folder / "bank", folder, config, baseline_scans_only=only
        )
    full, few = found[False], found[True]
    pd.testing.assert_frame_equal(full.volumes, few.volumes)
    assert full.visits["image_path"].notna().all()
    assert few.visits["image_path"].notna().to_list() == [True, False, False]
    assert few.visits["segmentation_path"].notna().to_list() == [True, False, False]
    assert few.visits["determinant"].notna().to_list() == [True, False, False]
    pd.testing.assert_frame_equal(Cohort.read(tmp_path / "True").volumes, few.volumes)
    files = sorted(path.name for path in (tmp_path / "True").rglob("*.nii.gz"))
    assert len(files) == 3
    assert all("ses-0" in name for name in files)
    for name in files:
        one, other = (next((tmp_path / str(k)).rglob(name)).read_bytes() for k in (False, True))
        assert one == other
    truths = {k: EvaluatedCohort(found[k], tmp_path / str(k)).load_truth()[0] for k in found}
    at = {k: find_volumes_at(truth, [12.0, 24.0]) for k, truth in truths.items()}
    regions = at[False]["region"] != "brain"
    assert set(at[True]["region"]) == {"hippocampus", "csf"}
    pd.testing.assert_frame_equal(at[False][regions].reset_index(drop=True), at[True])
    brains = [compute_brain_volumes(truth).to_dict() for truth in truths.values()]
    assert brains[0] == brains[1]
    assert brains[0]["sub-1"] > 0


class OnePredictedScan(PredictedScans):
    """Stands for a folder with one predicted scan."""

    def __init__(self, scan: PredictedScan) -> None:
        self.scan = scan

    def find(self, participant_id: str, horizon_months: float) -> PredictedScan | None:
        return self.scan


def test_uncertainty_is_told_against_both_later_scans() -> None:
    shape = (1, 12, 12, 12)
    truth = torch.full(shape, 0.5)
    error = torch.from_numpy(RNG(1).uniform(0, 0.02, shape)).float()
    noise = torch.from_numpy(RNG(2).normal(0, 0.2, shape)).float()
    nothing: npt.NDArray[np.float32] = np.zeros(1, np.float32)
    scan = PredictedScan(truth + error, error, nothing, nothing, 0.1, 1.0)
    visits = [
        VisitImage("sub-1", f"ses-{months:g}", months, image, 1.0, None)
        for months, image in ((0.0, truth), (24.0, (truth + noise).clamp(0.01)))
    ]
    sessions = {("sub-1", 24.0): "ses-24"}
    asked = []

    def find_noiseless(participant_id: str, session_id: str) -> torch.Tensor:
        asked.append((participant_id, session_id))
        return truth

    rows = [
        list(measure_images(visits, OnePredictedScan(scan), sessions, **known))
        for known in ({}, {"find_noiseless": find_noiseless})
    ]
    assert asked == [("sub-1", "ses-24"), ("sub-1", "ses-0")]
    tables = [summarize_voxels(pd.DataFrame(own)) for own in rows]
    assert tables[0]["later_scan"].unique().tolist() == ["as it was acquired"]
    means = tables[1].set_index(["later_scan", "maps"])["mean"]
    assert means["without noise, as acquired at baseline", "as they are"] == pytest.approx(1)
    assert means["without noise, as acquired at baseline"].min() > 0.8
    assert abs(means["as it was acquired", "as they are"]) < 0.2
    # the uncertainty is the error here, so that both are as large
    sizes = tables[1].set_index(["later_scan", "maps"])[["rms_sd", "rms_error"]]
    size = float(error.square().mean().sqrt())
    told = sizes.loc[("without noise, as acquired at baseline", "as they are")]
    assert told.tolist() == pytest.approx([size, size], rel=1e-4)
    assert sizes.loc[("with the noise of the baseline scan", "as they are")].tolist() == (
        pytest.approx([size, size], rel=1e-4)
    )
    assert sizes.drop(index=told.name).loc["as it was acquired"].isna().all(axis=None)
    assert tables[0][["rms_sd", "rms_error"]].isna().all(axis=None)
    assert rows[1][1]["method"] == MODEL
    assert "without noise, as acquired at baseline" in render_results(
        {"voxel_uncertainty": tables[1]}
    )


@pytest.mark.parametrize("n_channels", [1, 2])
def test_noise_that_a_prediction_keeps_is_told_apart(n_channels: int) -> None:
    shape = (n_channels, 12, 12, 12)
    first, later = torch.full((1, *shape[1:]), 0.6), torch.full((1, *shape[1:]), 0.5)
    noise, error = (
        torch.from_numpy(RNG(seed).uniform(0, size, shape)).float()
        for seed, size in ((1, 0.2), (2, 0.02))
    )
    nothing: npt.NDArray[np.float32] = np.zeros(1, np.float32)
    predicted = PredictedScan(later + noise + error, error, nothing, nothing, 0.1, 1.0)
    visits = [
        VisitImage("sub-1", f"ses-{months:g}", months, image, 1.0, None)
        for months, image in ((0.0, first + noise), (24.0, later.expand(shape)))
    ]
    known = {"ses-0": first, "ses-24": later}
    rows = measure_images(
        visits,
        OnePredictedScan(predicted),
        {("sub-1", 24.0): "ses-24"},
        find_noiseless=lambda _, session: known[session],
    )
    table = summarize_voxels(pd.DataFrame(rows)).set_index(["later_scan", "maps"])["mean"]
    assert table["with the noise of the baseline scan", "as they are"] == pytest.approx(1)
    assert table["with the noise of the baseline scan"].min() > 0.8
    assert abs(table["without noise, as acquired at baseline", "as they are"]) < 0.3
