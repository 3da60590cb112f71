"""Every table and figure of the evaluation of a tiny random model."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from brlp_models.evaluation import evaluated_people
from brlp_models.evaluation.evaluated_people import (
    EvaluatedCohort,
)
from brlp_models.evaluation.evaluation import evaluate_model
from brlp_models.evaluation.images.predicted_scans import PredictedScans
from brlp_models.evaluation.measures.accuracy import CHANGE_ERROR, VOLUME_ERROR
from brlp_models.evaluation.methods import AUXILIARY, CARRY_FORWARD, MODEL, REFERENCE
from brlp_models.evaluation.results_text import render_results
from brlp_models.model.model import BrlpModel
from cohorts.cohort import Cohort
from reports.figures.model_evaluation import write_evaluation_figures
from tests.brlp_models.evaluation.asked import SETTINGS, assert_carried


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
