"""What an evaluation says of a few people, and what of them reaches it."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from brlp_models.evaluation.baselines import carry_context_forward, predict_from_table
from brlp_models.evaluation.comparisons import read_diagnosis_as
from brlp_models.evaluation.evaluated_people import (
    EvaluatedCohort,
)
from brlp_models.evaluation.evaluation import evaluate_model
from brlp_models.evaluation.images.real_scan import segment_on
from brlp_models.evaluation.joined_methods import find_determinants
from brlp_models.evaluation.measures.accuracy import CHANGE_ERROR, VOLUME_ERROR
from brlp_models.evaluation.methods import AUXILIARY, CARRY_FORWARD, MODEL, REFERENCE
from brlp_models.evaluation.people_predictions import predict_people
from brlp_models.model.model import BrlpModel
from brlp_models.prediction import start as prediction_start
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.grid import Grid
from cohorts.cohort import Cohort
from tests.brlp_models.brain_drawing import draw_brain
from tests.brlp_models.evaluation.asked import SETTINGS, assert_carried

RNG = np.random.default_rng


@dataclass(frozen=True)
class SmallEvaluation:
    """What `evaluate_model` made of three people, one of whom has a scan that cannot be read."""

    tables: dict[str, pd.DataFrame]
    people: Cohort
    told: list[str]


@pytest.fixture(scope="module")
def small(
    model: BrlpModel, cohort: Cohort, tmp_path_factory: pytest.TempPathFactory
) -> SmallEvaluation:
    folder = tmp_path_factory.mktemp("small")
    visits = cohort.visits.copy()
    is_bad = (visits["participant_id"] == "sub-3") & (visits["months_from_baseline"] == 24)
    (folder / "empty.nii.gz").write_bytes(b"no scan")
    visits.loc[is_bad, "image_path"] = str(folder / "empty.nii.gz")
    people = replace(cohort, visits=visits).select(["sub-0", "sub-3", "sub-4"])
    fewest = {"compared_samples": (1,), "compared_steps": (("ddim", 1),), "n_compared": 1}
    settings = replace(SETTINGS, samples=1, n_conditions=0, **fewest)
    told: list[str] = []
    tables = evaluate_model(
        model, EvaluatedCohort(people), folder / "out", settings, report=told.append
    )
    return SmallEvaluation(tables, people, told)


def test_evaluation_goes_on_without_a_later_scan_that_cannot_be_read(
    small: SmallEvaluation,
) -> None:
    tables = small.tables
    (left_out,) = tables["unreadable_scans"].to_dict("records")
    assert (left_out["participant_id"], left_out["session_id"]) == ("sub-3", "ses-24")
    assert any("left out: the scan of sub-3, ses-24" in line for line in small.told)
    assert tables["failures"].empty
    images = tables["images"].groupby("horizon_months")["participant_id"].nunique()
    assert images.to_dict() == {24: 2, 48: 3}
    # volumes are compared with those in the table, whether the scan can be read or not
    assert tables["predicted"]["participant_id"].nunique() == 3
    assert_carried(tables["predicted"], small.people)
    accuracy = tables["accuracy"]
    assert set(accuracy["method"]) == {MODEL, CARRY_FORWARD, AUXILIARY, REFERENCE}
    assert {VOLUME_ERROR, CHANGE_ERROR, "MSE", "SSIM"} == set(accuracy["measure"])
    variants = tables["variants"].groupby("comparison")["variant"].nunique()
    assert variants.to_dict() == {"ablation": 4, "draws": 1, "sampler": 2}


def test_only_the_scan_that_a_prediction_starts_from_tells_a_determinant(
    model: BrlpModel, cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def place(_model: object, visits: Any, _cache: object) -> Any:
        (visit,) = visits
        assert visit.scan.name.endswith("_ses-0.nii.gz")
        return SimpleNamespace(determinant=1 + int(visit.scan.name[4]) / 10)

    monkeypatch.setattr(prediction_start, "load_onto_grid", place)
    few = cohort.select(["sub-1", "sub-4"])
    found = find_determinants(model, few, ScanCache(tmp_path))
    assert found == {"sub-1": pytest.approx(1.1), "sub-4": pytest.approx(1.4)}


def test_the_floor_of_the_change_is_told_by_month(small: SmallEvaluation) -> None:
    floor = small.tables["floor"]
    own = floor[floor["region"] == "hippocampus"]
    first = own[own["months"] == 0].set_index("participant_id")
    later = own[own["months"] == 24].set_index("participant_id")
    error = later["input_mm3"] / first["input_mm3"] - later["true_mm3"] / first["true_mm3"]
    table = small.tables["floor_summary"].set_index(["region", "measure"])["value"]
    found = table["hippocampus", "sd of paired change error, input, 24 months (%)"]
    assert found == pytest.approx(100 * error.std(ddof=1))


def test_no_later_visit_enters_a_prediction(
    model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    def predict(people: Cohort, folder: str) -> pd.DataFrame:
        options = {"seed": 1, "scan_cache": tmp_path / "scans"}
        return predict_people(model, people, tmp_path / folder, [48.0], 1, **options).table

    late_visit = cohort.visits["months_from_baseline"] > 0
    late = ~cohort.volumes["session_id"].eq("ses-0")
    changed = replace(
        cohort,
        visits=cohort.visits.assign(
            diagnosis=cohort.visits["diagnosis"].mask(late_visit, "AD"),
            image_path=cohort.visits["image_path"].mask(late_visit, "absent.nii.gz"),
        ),
        volumes=cohort.volumes.assign(
            volume_mm3=cohort.volumes["volume_mm3"].mask(late, 2 * cohort.volumes["volume_mm3"])
        ),
    )
    few = ["sub-0", "sub-2"]
    as_it_is, other = predict(cohort.select(few), "as-it-is"), predict(changed.select(few), "other")
    pd.testing.assert_frame_equal(as_it_is, other)


def test_the_tabular_reference_does_not_see_the_true_baseline(cohort: Cohort) -> None:
    people = cohort.participants[["participant_id"]]
    at_horizon = people.assign(
        horizon_months=24.0, region="hippocampus", true_mm3=900.0, baseline_mm3=1000.0
    )
    start = people.assign(region="hippocampus", start_mm3=500.0)
    found = predict_from_table(cohort, at_horizon, start, training=None)
    assert found["predicted_mm3"].to_list() == pytest.approx([450.0] * 6)


def test_a_context_carried_forward_predicts_no_change(model: BrlpModel, cohort: Cohort) -> None:
    table = cohort.baseline()
    found = carry_context_forward(model).choose(1).predict_volumes(table, horizons_months=[48.0])
    wide = found.pivot_table(index="participant_id", columns="region", values="volume_mm3")
    assert np.allclose(wide["hippocampus"], table["hippocampus_mm3"])


def test_a_wrong_diagnosis_is_coded_as_the_one_told(model: BrlpModel) -> None:
    told = read_diagnosis_as(model, "AD")
    (entry,) = (entry for entry in told.config.context if entry.name == "diagnosis")
    assert entry.categories == {"CN": 1, "MCI": 1, "AD": 1}


def test_a_segmentation_on_its_own_grid_is_the_most_likely_label(model: BrlpModel) -> None:
    image = torch.from_numpy(draw_brain(RNG(0)))[None, None]
    grid = Grid.of_config(model.config)
    found = segment_on(model, image, grid, mni_to_native=np.eye(4))
    with torch.inference_mode():
        expected = model.network("segmenter")(image).argmax(dim=1)[0].numpy()
    assert np.mean(found == expected) > 0.999
