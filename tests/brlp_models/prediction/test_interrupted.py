"""A prediction that is interrupted, fails for somebody, or is short of memory."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from brlp_models.errors import ModelError, OutOfMemoryError
from brlp_models.model.model import BrlpModel
from brlp_models.prediction import draws as prediction_draws
from brlp_models.prediction.job import CohortPrediction
from brlp_models.prediction.person_basis import find_basis
from brlp_models.scans.segmentation import NetworkSegmenter
from cohorts.cohort import Cohort
from tests.brlp_models.predicted_people import (
    ROUNDING,
    Predict,
    batch_as_on_a_gpu,
)


def test_interrupted_run_keeps_who_is_finished(predict: Predict, tmp_path: Path) -> None:
    told: list[float] = []

    def stop(advance: float) -> None:
        told.append(advance)
        if sum(told) > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(on_progress=stop)
    kept = sorted(path.name for path in (tmp_path / "out" / "people").iterdir())
    assert kept == ["sub-1.json"]
    assert len(predict().predictions) == 2 * 3


def test_progress_adds_up_to_all_predictions(predict: Predict, cohort: Cohort) -> None:
    told: list[float] = []
    lost = cohort.visits["image_path"].where(cohort.visits["participant_id"] != "sub-1")
    predict(replace(cohort, visits=cohort.visits.assign(image_path=lost)), on_progress=told.append)
    assert sum(told) == pytest.approx(2)


def test_other_settings_need_another_folder(predict: Predict) -> None:
    predict()
    with pytest.raises(ModelError, match=r"predictions with samples 2, not 4"):
        predict(samples=4)


def rename(cohort: Cohort, name: str) -> Cohort:
    tables = ("participants", "visits", "volumes")
    own = {table: getattr(cohort, table).assign(participant_id=name) for table in tables}
    return replace(cohort, **own)


def test_another_person_of_the_same_name_is_predicted_anew(
    predict: Predict, cohort: Cohort
) -> None:
    predict(cohort.select(["sub-1"]))
    found = predict(rename(cohort.select(["sub-2"]), "sub-1")).predictions.set_index("region")
    first = cohort.visits.set_index("participant_id").loc["sub-2", "session_id"].iloc[0]
    volumes = cohort.volumes_of("sub-2", str(first)).set_index("region")["volume_mm3"]
    pd.testing.assert_series_equal(
        found["baseline_volume_mm3"], volumes.loc[found.index], check_names=False
    )


def test_results_stand_on_what_was_known_at_the_start_wherever_it_lies(
    model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    one = cohort.select(["sub-1"])
    kept = find_basis(model, one, until_months=0.0).describe()
    assert set(kept) == {"scans", "tables"}

    def fits(people: Cohort) -> bool:
        return find_basis(model, people, until_months=0.0).fits(kept)

    def show(path: Path) -> Cohort:
        return replace(one, visits=one.visits.assign(image_path=str(path)))

    first, other = (
        cohort.visits.query("participant_id == @name")["image_path"].iloc[0]
        for name in ("sub-1", "sub-2")
    )
    moved = tmp_path / "moved.nii.gz"
    moved.write_bytes(Path(first).read_bytes())
    assert fits(show(moved))
    # neither what came later, nor a scan that nobody can read any more, tells of another person
    assert fits(one.until(0))
    assert fits(show(tmp_path / "gone.nii.gz"))
    assert not fits(show(Path(other)))
    assert not fits(replace(one, participants=one.participants.assign(diagnosis="LBD")))
    assert not fits(replace(one, volumes=one.volumes.assign(volume_mm3=1.0)))


def test_a_scan_that_changes_while_it_is_predicted_is_not_what_results_stand_on(
    model: BrlpModel, cohort: Cohort, predict: Predict, tmp_path: Path
) -> None:
    one, path = cohort.select(["sub-1"]).until(0), tmp_path / "scan.nii.gz"
    path.write_bytes(Path(one.visits["image_path"].iloc[0]).read_bytes())
    people = replace(one, visits=one.visits.assign(image_path=str(path)))
    other = Path(cohort.select(["sub-2"]).until(0).visits["image_path"].iloc[0])
    predict(people, on_progress=lambda _: path.write_bytes(other.read_bytes()))
    kept = json.loads((tmp_path / "out" / "people" / "sub-1.json").read_text("utf-8"))
    assert not find_basis(model, people, until_months=0.0).fits(kept)


def test_another_calibration_needs_another_folder(
    predict: Predict, model: BrlpModel, cohort: Cohort
) -> None:
    one, gained = cohort.select(["sub-1"]), {"volume_gain": {"hippocampus": 2.0}}
    predict(one)
    calibrated = replace(model, config=model.config.model_copy(update=gained))
    with pytest.raises(ModelError, match=r"with calibration None, not \w{12}; choose another"):
        predict(one, model=calibrated)


def test_one_persons_failure_leaves_the_rest(predict: Predict, cohort: Cohort) -> None:
    visits = cohort.visits.copy()
    visits.loc[visits["participant_id"] == "sub-1", "image_path"] = "absent.nii.gz"
    found = predict(replace(cohort, visits=visits))
    assert found.failures["participant_id"].tolist() == ["sub-1"]
    assert "absent.nii.gz" in found.failures["problem"].iloc[0]
    assert sorted(found.scan_checks["verdict"]) == ["fail", "pass"]
    assert set(found.predictions["participant_id"]) == {"sub-2"}


def test_failure_of_a_draws_segmentation_leaves_the_rest(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = prediction_draws.Drawing.measure

    def fail(self: Any, scans: torch.Tensor, names: Sequence[str]) -> Any:
        if names[0].startswith("sub-1_") and "predicted" in names[0]:
            raise ModelError("no segmentation of sub-1")
        return measure(self, scans, names)

    monkeypatch.setattr(prediction_draws.Drawing, "measure", fail)
    found = predict()
    assert found.failures["participant_id"].tolist() == ["sub-1"]
    assert len(found.predictions) == 3


def test_shortage_of_memory_makes_batches_smaller(
    predict: Predict, reference: CohortPrediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = prediction_draws.sample_latents
    sizes: list[int] = []

    def limited(model: BrlpModel, latents: torch.Tensor, *rest: Any) -> torch.Tensor:
        sizes.append(len(latents))
        if len(latents) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return sample(model, latents, *rest)

    batch_as_on_a_gpu(4, monkeypatch)
    monkeypatch.setattr(prediction_draws, "sample_latents", limited)
    found = predict().predictions
    assert sizes[:3] == [4, 2, 1]
    pd.testing.assert_frame_equal(reference.predictions, found, **ROUNDING)


def test_shortage_of_memory_for_one_draw_is_a_sentence(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    monkeypatch.setattr(prediction_draws, "sample_latents", never)
    with pytest.raises(OutOfMemoryError, match="one draw at a time"):
        predict()


def test_shortage_of_memory_for_one_scan_is_a_sentence(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    monkeypatch.setattr(BrlpModel, "encode", never)
    with pytest.raises(OutOfMemoryError, match="one scan at a time"):
        predict()


def test_shortage_of_memory_for_segmenting_makes_batches_smaller(
    predict: Predict, reference: CohortPrediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = NetworkSegmenter.measure

    def limited(self: Any, scans: torch.Tensor, names: Sequence[str]) -> Any:
        if len(scans) > 1:
            raise MemoryError
        return measure(self, scans, names)

    monkeypatch.setattr(NetworkSegmenter, "measure", limited)
    found = predict().predictions
    pd.testing.assert_frame_equal(reference.predictions, found, **ROUNDING)
