"""What a prediction does not depend on, with a tiny random model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from brlp_models.model.model import BrlpModel
from brlp_models.model.threads import limited_threads
from brlp_models.prediction import job as prediction_job
from brlp_models.prediction.job import CohortPrediction
from brlp_models.prediction.settings import Part
from cohorts.cohort import Cohort
from tests.brlp_models.predicted_people import (
    PEOPLE,
    ROUNDING,
    Predict,
    batch_as_on_a_gpu,
    only,
    volumes_of,
)
from trialsim.study.steps.elsewhere import ModelOfWorker, Predicting
from trialsim.workers.processes import Processes


# a batch of three draws holds more than one person
@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 3},
        {"memory_gb": 0.001},
        pytest.param({"batch_size": 1}, marks=pytest.mark.slow),
    ],
)
def test_numbers_do_not_depend_on_the_batches(
    predict: Predict, reference: CohortPrediction, change: dict[str, Any]
) -> None:
    found = predict(**change).predictions
    pd.testing.assert_frame_equal(reference.predictions, found, check_exact=True)


def test_batches_of_a_gpu_give_the_same_numbers_but_for_rounding(
    predict: Predict, reference: CohortPrediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_as_on_a_gpu(3, monkeypatch)
    pd.testing.assert_frame_equal(reference.predictions, predict().predictions, **ROUNDING)


def test_numbers_do_not_depend_on_who_else_is_there(
    predict: Predict, reference: CohortPrediction, cohort: Cohort, tmp_path: Path
) -> None:
    alone = predict(only(cohort, ["sub-2"]), out=tmp_path / "alone")
    two = predict(only(cohort, ["sub-1", "sub-2"]), out=tmp_path / "two")
    for found in (alone, two):
        assert volumes_of(reference, "sub-2").equals(volumes_of(found, "sub-2"))


def test_numbers_do_not_depend_on_the_threads_that_pytorch_has_elsewhere(
    predict: Predict, reference: CohortPrediction
) -> None:
    with limited_threads(2):
        found = predict().predictions
        assert torch.get_num_threads() == 2
    pd.testing.assert_frame_equal(reference.predictions, found, check_exact=True)


def test_numbers_do_not_depend_on_the_processes(
    predict: Predict, reference: CohortPrediction, model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    options = {"horizons_months": [24.0], "samples": 2, "num_inference_steps": 1}
    folder = {"out": tmp_path / "out", "scan_cache": tmp_path / "cache"}
    worker = ModelOfWorker(str(model.folder), "cpu", "full")
    work = Predicting(worker, cohort, {**options, **folder})
    # the other person is left to this process: a second one would load everything once more
    assert list(Processes(2).map(work, [Part(0, len(PEOPLE))])) == [1]
    (kept,) = (tmp_path / "out" / "people").iterdir()
    moment = kept.stat().st_mtime_ns
    pd.testing.assert_frame_equal(reference.predictions, predict().predictions, check_exact=True)
    assert kept.stat().st_mtime_ns == moment


def test_volumes_do_not_depend_on_whether_anybody_looks_at_the_scans(
    predict: Predict, reference: CohortPrediction
) -> None:
    shown = predict(on_person=lambda *_: None).predictions
    pd.testing.assert_frame_equal(reference.predictions, shown, check_exact=True)


def test_numbers_do_not_depend_on_the_other_horizons(
    predict: Predict, reference: CohortPrediction
) -> None:
    both = volumes_of(predict(horizons_months=[12.0, 24.0]), "sub-1").loc[24.0]
    assert np.allclose(both, volumes_of(reference, "sub-1").loc[24.0], rtol=1e-4)


def test_another_seed_gives_other_numbers(predict: Predict, reference: CohortPrediction) -> None:
    found = predict(seed=1).predictions
    assert not np.allclose(found["volume_mm3"], reference.predictions["volume_mm3"])


def test_later_diagnoses_change_nothing(
    predict: Predict, reference: CohortPrediction, cohort: Cohort
) -> None:
    visits = cohort.visits.copy()
    visits.loc[visits["months_from_baseline"] > 0, "diagnosis"] = "AD"
    changed = predict(replace(cohort, visits=visits))
    pd.testing.assert_frame_equal(reference.predictions, changed.predictions)


# a batch of two draws is one person; of four, both, who are then drawn together once more
@pytest.mark.parametrize(
    ("batch", "wanted"),
    [
        (2, {"sub-2"}),
        pytest.param(4, {"sub-1", "sub-2"}, marks=pytest.mark.slow),
    ],
)
def test_what_is_missing_is_predicted_to_the_last_bit(
    batch: int,
    wanted: set[str],
    predict: Predict,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch_as_on_a_gpu(batch, monkeypatch)
    first = predict()
    (tmp_path / "out" / "people" / "sub-2.json").unlink()
    asked: list[str] = []
    find = prediction_job.find_start_visit
    monkeypatch.setattr(
        prediction_job,
        "find_start_visit",
        lambda cohort, name, **k: asked.append(name) or find(cohort, name, **k),
    )
    again = predict()
    assert set(asked) == wanted
    pd.testing.assert_frame_equal(first.predictions, again.predictions, check_exact=True)


def test_what_is_shown_changes_no_volume(
    predict: Predict, model: BrlpModel, reference: CohortPrediction, tmp_path: Path
) -> None:
    config = model.config.model_copy(update={"decoding": "difference"})
    shown: list[torch.Tensor] = []
    table = predict(
        model=replace(model, config=config),
        out=tmp_path / "shown",
        on_person=lambda _targets, scans, _sds: shown.extend(scans),
    ).predictions
    np.testing.assert_allclose(table["volume_mm3"], reference.predictions["volume_mm3"], **ROUNDING)
    assert len(shown) == len(PEOPLE)
