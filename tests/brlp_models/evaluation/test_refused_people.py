"""Whom an evaluation refuses: people who are known, too few, or without scans."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brlp_models.baselines.loading import load_baseline
from brlp_models.errors import ModelError
from brlp_models.evaluation.baselines import predict_from_table
from brlp_models.evaluation.calibration.volume_error import predict_calibration_people
from brlp_models.evaluation.evaluated_people import (
    EvaluatedCohort,
    refuse_shared_people,
)
from brlp_models.evaluation.evaluation import evaluate_model
from brlp_models.evaluation.people_predictions import predict_people
from brlp_models.model.folder import copy_model_folder, load_model
from brlp_models.model.model import BrlpModel
from brlp_models.model.training_people import (
    CALIBRATION_PEOPLE,
    TRAINING_PEOPLE,
    describe_calibration_people,
    describe_training_people,
    refuse_people_known,
)
from cohorts.cohort import Cohort
from tests.brlp_models.evaluation.asked import SETTINGS
from tests.brlp_models.scanned_people import make_people


def test_calibration_on_the_evaluated_people_is_refused(
    model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    people = EvaluatedCohort(cohort)
    with pytest.raises(ModelError, match="other people"):
        evaluate_model(model, people, tmp_path, SETTINGS, calibration=people)


def test_what_needs_scans_is_refused_beside_volumes_only(
    model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="compare 0 people, got 2"):
        replace(SETTINGS, volumes_only=True)
    settings = replace(SETTINGS, volumes_only=True, n_compared=0)
    maker = load_baseline(Path("mrextrap"))
    with pytest.raises(ModelError, match="mrextrap makes an image of the later visit, and an"):
        evaluate_model(model, EvaluatedCohort(cohort), tmp_path, settings, baselines=[maker])
    first = cohort.visits["months_from_baseline"] == 0
    paths = cohort.visits["image_path"].where(first, None)
    unseen = replace(cohort, visits=cohort.visits.assign(image_path=paths))
    with pytest.raises(ModelError, match="Nobody has a later scan, in which ablation"):
        evaluate_model(model, EvaluatedCohort(unseen), tmp_path, SETTINGS)
    screened = replace(cohort, visits=cohort.visits[first])
    with pytest.raises(ModelError, match="Nobody has a visit with volumes"):
        evaluate_model(model, EvaluatedCohort(screened), tmp_path, SETTINGS)


def test_tabular_reference_is_fitted_on_other_people(
    model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    more = make_people(8, 2, None)
    same = more.select(list(more.participants["participant_id"])[6:])
    copied = Cohort(
        pd.concat([cohort.participants, same.participants]),
        pd.concat([cohort.visits, same.visits]),
        pd.concat([cohort.volumes, same.volumes]),
        is_synthetic=True,
    )
    with pytest.raises(ModelError, match="fitted on other people: 6 of the 6 are in both cohorts"):
        evaluate_model(
            model, EvaluatedCohort(cohort), tmp_path, SETTINGS, training=EvaluatedCohort(copied)
        )
    # one id is not one person among simulated cohorts
    refuse_shared_people(cohort, make_people(6, 9, None), "Something must be fitted on")


def test_people_whom_a_model_knows_do_not_judge_it(
    model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    assert model.folder is not None
    people = EvaluatedCohort(cohort)
    texts = {TRAINING_PEOPLE: describe_training_people(["sub-1", "sub-4"])}
    trained = load_model(copy_model_folder(model.folder, tmp_path / "m", model.config, texts))
    with pytest.raises(ModelError, match="tiny was trained on 2 of these 6 people"):
        evaluate_model(trained, people, tmp_path / "out", SETTINGS)
    texts = {CALIBRATION_PEOPLE: describe_calibration_people(cohort, model)}
    fitted = load_model(copy_model_folder(model.folder, tmp_path / "c", model.config, texts))
    with pytest.raises(ModelError, match="tiny was calibrated on 6 of these 6 people"):
        evaluate_model(fitted, people, tmp_path / "out", SETTINGS)
    refuse_people_known(fitted, make_people(6, 9, None))


def test_few_people_calibrate_nothing(model: BrlpModel, cohort: Cohort, tmp_path: Path) -> None:
    two = EvaluatedCohort(cohort.select(["sub-0", "sub-1"]))
    with pytest.raises(ModelError, match=r"Only 2 people .* at least 10"):
        predict_calibration_people(model, two, tmp_path, horizons_months=[24], samples=1, seed=1)


@pytest.mark.parametrize("n_people", [6, 5])
def test_too_few_people_for_the_tabular_reference_are_told(cohort: Cohort, n_people: int) -> None:
    people = cohort.participants[["participant_id"]].head(n_people)
    at_horizon = people.assign(
        horizon_months=24.0, region="hippocampus", true_mm3=900.0, baseline_mm3=1000.0
    )
    start = people.assign(region="hippocampus", start_mm3=500.0)
    if n_people == 6:
        found = predict_from_table(cohort, at_horizon, start, training=None)
        assert len(found) == n_people
        return
    with pytest.raises(ModelError, match=r"at least 6 people with a later volume, got 5"):
        predict_from_table(cohort, at_horizon, start, training=None)


def test_people_of_whom_nobody_can_be_predicted_are_told(model: BrlpModel, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    people = make_people(2, 5, tmp_path / "scans", np.asarray(model.config.affine))
    unseen = replace(people, visits=people.visits.assign(image_path=None))
    found = predict_people(model, unseen, tmp_path / "out", [48.0], 1, seed=1)
    assert (len(found.table), len(found.failures)) == (0, 2)
    assert "told_mm3" in found.table
