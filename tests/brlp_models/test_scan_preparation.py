"""Baseline scans before anything is predicted: each is preprocessed and measured once."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch

from brlp_models.errors import ScanError
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.preparation import PreparedScans, preprocess_cohort, segment_cohort
from brlp_models.scans import placing
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.grid import Grid
from brlp_models.scans.preprocessing import PreprocessedScan, VisitScan
from brlp_models.scans.segmentation import NetworkSegmenter
from cohorts.cohort import Cohort
from cohorts.errors import StorageError
from tests.brlp_models.brain_drawing import draw_brain

KEY = {"participant_id": str, "session_id": str, "region": str, "volume_mm3": float, "source": str}


def write_scan(model: BrlpModel, path: Path, seed: int, brightness: float = 1.0) -> str:
    scan = draw_brain(np.random.default_rng(seed))
    image = nib.Nifti1Image(brightness * scan, np.asarray(model.config.affine))
    nib.save(image, path)
    return str(path)


@pytest.fixture
def cohort(tiny_model: BrlpModel, tmp_path: Path) -> Cohort:
    """Return three people with a scan on the model's grid, and one without a scan at baseline."""
    people = ["sub-1", "sub-2", "sub-3", "sub-later"]
    paths = [write_scan(tiny_model, tmp_path / f"{p}.nii.gz", k) for k, p in enumerate(people)]
    participants = pd.DataFrame(
        {"participant_id": people, "sex": "F", "age_years": 70.0, "diagnosis": "CN"}
    )
    visits = participants.drop(columns="sex").assign(
        session_id="ses-0",
        months_from_baseline=[0.0, 0.0, 0.0, 12.0],
        image_path=paths,
        segmentation_path=None,
    )
    none = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in KEY.items()})
    return Cohort(participants, visits, none)


class Preprocessing:
    """Stands in for registration, which takes seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        monkeypatch.setattr(placing, "preprocess_visits", self)

    def __call__(self, visits: list[VisitScan], grid: Grid, **_: Any) -> list[PreprocessedScan]:
        path = Path(str(visits[-1].scan))
        self.asked.append(path.name.removesuffix(".nii.gz"))
        if path.name == "sub-2.nii.gz":
            raise ScanError(f"{path} shows no brain.")
        image = np.zeros(grid.shape, dtype=np.float32)
        moved = np.diag([1.1, 1, 1, 1])
        return [PreprocessedScan(image[None], image > 0, grid, grid, moved, {}, {})]


def test_only_scans_that_are_elsewhere_are_preprocessed_and_every_failure_is_told(
    tiny_model: BrlpModel, cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, person in enumerate(("sub-2", "sub-3")):
        write_scan(tiny_model, tmp_path / f"{person}.nii.gz", seed, brightness=400)
    preprocessing, done = Preprocessing(monkeypatch), []
    found = preprocess_cohort(
        tiny_model, cohort, ScanCache(tmp_path / "cache"), on_scan=lambda: done.append(1)
    )
    assert preprocessing.asked == ["sub-2", "sub-3"]
    assert (found.n_on_grid, found.n_preprocessed, len(done)) == (1, 1, 3)
    assert found.failures["participant_id"].tolist() == ["sub-2"]
    assert "sub-2.nii.gz shows no brain." in found.failures["problem"].item()
    assert isinstance(found, PreparedScans)


def test_a_disk_that_keeps_nothing_is_no_fault_of_a_person(
    tiny_model: BrlpModel, cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scan(tiny_model, tmp_path / "sub-3.nii.gz", 3, brightness=400)
    Preprocessing(monkeypatch)
    # a folder cannot be made where a file lies
    (tmp_path / "cache").touch()
    with pytest.raises(StorageError, match="could not be written"):
        preprocess_cohort(tiny_model, cohort, ScanCache(tmp_path / "cache"), on_scan=lambda: None)
    with pytest.raises(StorageError, match="could not be written"):
        segment(tiny_model, cohort, tmp_path)


def segment(model: BrlpModel, cohort: Cohort, folder: Path) -> pd.DataFrame:
    segmenter, cache = NetworkSegmenter(model), ScanCache(folder / "cache")
    return segment_cohort(model, segmenter, cohort, cache, out=folder / "out", on_scan=lambda: None)


def test_scans_that_come_without_volumes_are_measured(
    tiny_model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    known = pd.DataFrame(
        [("sub-1", "ses-0", "hippocampus", 7000.0, "FreeSurfer")], columns=list(KEY)
    )
    measured = segment(tiny_model, Cohort(cohort.participants, cohort.visits, known), tmp_path)
    assert set(measured["participant_id"]) == {"sub-2", "sub-3"}
    assert set(measured["source"]) == {NetworkSegmenter(tiny_model).name}
    image = nib.load(tmp_path / "sub-3.nii.gz").get_fdata()
    (expected,) = NetworkSegmenter(tiny_model).measure(
        torch.from_numpy(image[None, None].astype(np.float32)), [""]
    )
    own = measured[measured["participant_id"] == "sub-3"].set_index("region")["volume_mm3"]
    assert own.to_dict() == pytest.approx(dict(expected), rel=1e-5)


def test_an_interrupted_segmentation_goes_on_where_it_stopped(
    tiny_model: BrlpModel, cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = segment(tiny_model, cohort, tmp_path / "whole")
    measure, asked = NetworkSegmenter.measure, []

    def stop_at_the_third(self: NetworkSegmenter, images: Any, names: Any) -> Any:
        asked.append(names)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return measure(self, images, names)

    monkeypatch.setattr(NetworkSegmenter, "measure", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        segment(tiny_model, cohort, tmp_path / "stopped")
    pd.testing.assert_frame_equal(segment(tiny_model, cohort, tmp_path / "stopped"), whole)
    assert len(asked) == 4


def test_a_scan_that_is_refused_has_no_volumes(
    tiny_model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    (tmp_path / "sub-2.nii.gz").write_bytes(b"no scan")
    assert set(segment(tiny_model, cohort, tmp_path)["participant_id"]) == {"sub-1", "sub-3"}
