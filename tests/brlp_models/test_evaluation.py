"""Evaluation of a tiny random model on synthetic people."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from brlp_models.baselines.loading import load_baseline
from brlp_models.errors import ModelError
from brlp_models.evaluation import evaluated_people
from brlp_models.evaluation.baselines import carry_context_forward, predict_from_table
from brlp_models.evaluation.calibration.volume_error import predict_calibration_people
from brlp_models.evaluation.comparisons import read_diagnosis_as
from brlp_models.evaluation.evaluated_people import (
    EvaluatedCohort,
    refuse_shared_people,
)
from brlp_models.evaluation.evaluation import evaluate_model
from brlp_models.evaluation.images.predicted_scans import PredictedScans
from brlp_models.evaluation.images.real_scan import segment_on
from brlp_models.evaluation.joined_methods import find_determinants
from brlp_models.evaluation.measures.accuracy import CHANGE_ERROR, VOLUME_ERROR
from brlp_models.evaluation.methods import AUXILIARY, CARRY_FORWARD, MODEL, REFERENCE
from brlp_models.evaluation.people_predictions import predict_people
from brlp_models.evaluation.results_text import render_results
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.model.folder import copy_model_folder, load_model
from brlp_models.model.model import BrlpModel
from brlp_models.model.training_people import (
    CALIBRATION_PEOPLE,
    TRAINING_PEOPLE,
    describe_calibration_people,
    describe_training_people,
    refuse_people_known,
)
from brlp_models.prediction import start as prediction_start
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.grid import Grid
from cohorts.cohort import Cohort
from reports.figures.model_evaluation import write_evaluation_figures
from tests.brlp_models.brain_drawing import draw_brain
from tests.brlp_models.scanned_people import add_auxiliary, make_people

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def model(tiny_model: BrlpModel, tmp_path_factory: pytest.TempPathFactory) -> BrlpModel:
    return add_auxiliary(tiny_model, tmp_path_factory.mktemp("evaluating") / "tiny")


@pytest.fixture(scope="module")
def cohort(model: BrlpModel, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("people")
    return make_people(6, 2, folder, np.asarray(model.config.affine))


SETTINGS = EvaluationSettings(
    samples=2,
    compared_samples=(1, 2),
    compared_steps=(("ddim", 1), ("dpm-solver++", 2)),
    reference_steps=("ddim", 2),
    n_conditions=4,
    n_compared=2,
    n_bootstrap=20,
)


@pytest.fixture(scope="module")
def evaluated(
    model: BrlpModel, cohort: Cohort, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, pd.DataFrame], Path]:
    out = tmp_path_factory.mktemp("evaluation")
    (out / "older.csv").touch()
    more = lambda tables, folder: (folder / "more").write_text(", ".join(tables))  # noqa: E731
    people = EvaluatedCohort(cohort)
    return evaluate_model(model, people, out, SETTINGS, write_more=more), out


Evaluated = tuple[dict[str, pd.DataFrame], Path]


@pytest.mark.slow
def test_the_summaries_become_tables_of_a_model_card(evaluated: Evaluated) -> None:
    tables, _ = evaluated
    text = render_results(tables)
    assert text.count("### ") == 13
    accuracy = tables["accuracy"]
    mine = accuracy[
        (accuracy["method"] == MODEL)
        & (accuracy["region"] == "lateral_ventricle")
        & (accuracy["horizon_months"] == 48)
    ].iloc[0]
    shown = f"{mine['value']:.3g} ({mine['lower']:.3g} to {mine['upper']:.3g})"
    (line,) = [
        line
        for line in text.splitlines()
        if line.startswith("| lateral ventricle | MAE (% of brain) | 48 | ")
    ][:1]
    assert shown in line
    for part in text.split("\n\n"):
        rows = [row for row in part.splitlines() if row.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1
    assert "### Ablation" not in render_results({**tables, "comparisons": pd.DataFrame()})


@pytest.mark.slow
def test_every_table_is_written(evaluated: Evaluated) -> None:
    tables, out = evaluated
    wanted = {
        "floor", "floor_summary", "predicted", "images", "failures", "accuracy", "sexes", "ranking",
        "calibration", "uncertainty", "voxel_uncertainty", "variants", "comparisons",
        "told_diagnoses", "wrong_diagnosis", "several_visits", "reference",
        "conditions", "condition_changes", "coverage", "times",
    }  # fmt: skip
    # none of an evaluation before is left, and what stands beside the tables comes with them
    assert set(tables) == {path.stem for path in out.glob("*.csv")} == wanted
    assert (out / "more").read_text().split(", ") == [*tables]
    assert all(len(tables[name]) for name in wanted - {"failures"})
    methods = {MODEL, CARRY_FORWARD, AUXILIARY, REFERENCE}
    assert set(tables["accuracy"]["method"]) == methods
    assert {VOLUME_ERROR, CHANGE_ERROR, "MSE", "SSIM"} == set(tables["accuracy"]["measure"])
    assert set(tables["coverage"]["method"]) == {AUXILIARY, REFERENCE}
    assert set(tables["times"]["method"]) == {MODEL, AUXILIARY, REFERENCE}


@pytest.mark.slow
def test_simulated_people_are_compared_with_a_regression_on_an_archive(
    evaluated: Evaluated,
) -> None:
    tables, _ = evaluated
    (reference,) = tables["reference"].to_dict("records")
    assert reference["n_people"] == evaluated_people.N_ARCHIVE
    assert reference["how"] == "fitted on other people"
    measures = set(tables["ranking"].query("method == @MODEL")["measure"])
    assert f"Spearman minus that of the {REFERENCE}" in measures


@pytest.mark.slow
def test_carrying_forward_uses_the_volumes_of_the_input_scan(
    evaluated: Evaluated, cohort: Cohort
) -> None:
    assert_carried(evaluated[0]["predicted"], cohort)


def assert_carried(predicted: pd.DataFrame, cohort: Cohort) -> None:
    carried = predicted[predicted["method"] == CARRY_FORWARD].set_index(
        ["participant_id", "horizon_months", "region"]
    )["predicted_mm3"]
    measured = cohort.volumes.set_index(["participant_id", "session_id", "region"])["volume_mm3"]
    for (person, _, region), volume in carried.items():
        assert volume == measured[person, "ses-0", region]


@pytest.mark.slow
def test_the_variants_are_the_ablation_the_draws_and_the_steps(evaluated: Evaluated) -> None:
    variants = evaluated[0]["variants"]
    assert variants.groupby("comparison")["variant"].nunique().to_dict() == {
        "ablation": 4,
        "draws": 2,
        "sampler": 3,
    }
    latent = variants.groupby("variant")["latent_error"].mean()
    assert latent["many steps"] == 0
    assert latent["ddim, 1 steps"] > 0
    assert (variants["seconds"] > 0).all()


@pytest.mark.slow
def test_one_visit_and_several_start_from_different_scans(evaluated: Evaluated) -> None:
    methods = set(evaluated[0]["several_visits"]["method"])
    assert methods == {
        f"{MODEL}, one visit", f"{MODEL}, several visits", CARRY_FORWARD,
        f"{CARRY_FORWARD}, later visit",
    }  # fmt: skip


@pytest.mark.slow
def test_figures_of_everything_are_written(evaluated: Evaluated, tmp_path: Path) -> None:
    written = write_evaluation_figures(evaluated[0], tmp_path / "figures", is_synthetic=True)
    assert {path.stem for path in written} == {
        "accuracy", "change", "ranking", "calibration", "uncertainty", "comparisons",
        "wrong_diagnosis", "sexes",
    }  # fmt: skip


@pytest.mark.slow
def test_figures_in_percent_of_a_brain_that_nobody_measured_are_left_out(
    evaluated: Evaluated, tmp_path: Path
) -> None:
    tables = {name: evaluated[0][name] for name in ("accuracy", "sexes", "ranking")}
    for name in ("accuracy", "sexes"):
        tables[name] = tables[name][tables[name]["measure"] != VOLUME_ERROR]
    written = write_evaluation_figures(tables, tmp_path / "figures", is_synthetic=True)
    assert {path.stem for path in written} == {"ranking"}


def test_calibration_on_the_evaluated_people_is_refused(
    model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    people = EvaluatedCohort(cohort)
    with pytest.raises(ModelError, match="other people"):
        evaluate_model(model, people, tmp_path, SETTINGS, calibration=people)


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


@pytest.mark.slow
def test_volumes_alone_are_those_of_the_whole_evaluation(
    evaluated: Evaluated,
    model: BrlpModel,
    cohort: Cohort,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later = cohort.visits["months_from_baseline"] > 0
    paths = cohort.visits["image_path"].mask(later, "absent.nii.gz")
    people = EvaluatedCohort(replace(cohort, visits=cohort.visits.assign(image_path=paths)))

    def make_scan(*_: object, **__: object) -> None:
        raise AssertionError("a scan is made")

    monkeypatch.setattr(BrlpModel, "render", make_scan)
    monkeypatch.setattr(PredictedScans, "keep", make_scan)
    settings = replace(SETTINGS, volumes_only=True, n_conditions=0, n_compared=0)
    tables = evaluate_model(model, people, tmp_path / "out", settings)
    assert set(tables) == {
        "predicted", "failures", "accuracy", "sexes", "ranking", "calibration", "reference",
        "coverage", "times",
    }  # fmt: skip
    pd.testing.assert_frame_equal(tables["predicted"], evaluated[0]["predicted"])
    pd.testing.assert_series_equal(tables["ranking"]["value"], evaluated[0]["ranking"]["value"])
    assert set(tables["accuracy"]["measure"]) == {VOLUME_ERROR, CHANGE_ERROR}
    assert "### Floor" not in render_results(tables)
    written = write_evaluation_figures(tables, tmp_path / "figures", is_synthetic=True)
    assert {path.stem for path in written} == {
        "accuracy", "change", "ranking", "calibration", "sexes",
    }  # fmt: skip
    # people without scans are not taken up by an evaluation that looks at scans
    assert not (tmp_path / "out/predictions").exists()


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


def test_people_of_whom_nobody_can_be_predicted_are_told(model: BrlpModel, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    people = make_people(2, 5, tmp_path / "scans", np.asarray(model.config.affine))
    unseen = replace(people, visits=people.visits.assign(image_path=None))
    found = predict_people(model, unseen, tmp_path / "out", [48.0], 1, seed=1)
    assert (len(found.table), len(found.failures)) == (0, 2)
    assert "told_mm3" in found.table
