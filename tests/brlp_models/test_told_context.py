"""A baseline that tells the context: exactly, kept apart from others, refused where it cannot."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from brlp_models.auxiliary.huber import HuberAuxiliary
from brlp_models.auxiliary.told import FASTEST, ToldRatios
from brlp_models.baselines.context import ContextBaseline
from brlp_models.baselines.scoring import predict_changes, write_cross_fitted
from brlp_models.errors import ModelError
from brlp_models.evaluation.calibration.volume_error import fit_volume_error
from brlp_models.evaluation.evaluated_people import EvaluatedCohort
from brlp_models.evaluation.evaluation import evaluate_model
from brlp_models.evaluation.methods import MODEL
from brlp_models.evaluation.people_predictions import predict_people
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.evaluation.truth import find_volumes_at
from brlp_models.model.calibrated_context import tell_other_context
from brlp_models.model.config import Calibration, ModelConfig, RelativeSd
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.model.training_people import (
    CALIBRATION_PEOPLE,
    describe_calibration_people,
    describe_training_people,
    refuse_people_known,
)
from brlp_models.prediction import job as prediction_job
from brlp_models.prediction.cohort import predict_cohort
from brlp_models.prediction.context import ONE_VISIT, AuxiliaryModels, build_context_values
from brlp_models.prediction.job import CohortPrediction
from brlp_models.prediction.start import StartVisit
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.grid import Grid, resample
from brlp_models.scans.template import load_template
from brlp_models.training.baselines import fit_baseline, render_card
from brlp_models.training.cohort_baselines import fit_cohort_baseline
from cohorts.cohort import Cohort
from reports.store.study import Study
from tests.brlp_models import scanned_people
from tests.brlp_models.contrast_people import MONTHS, fit, make_people, write_cohort
from tests.brlp_models.tiny_model import CONTEXT, TINY, write_tiny_model
from trialsim.cli.app import app

KEY = ["participant_id", "horizon_months", "region"]


def with_context(*entries: dict[str, Any]) -> dict[str, Any]:
    unet = {**TINY["unet"], "cross_attention_dim": len(entries)}  # type: ignore[dict-item]
    return {"context": list(entries), "unet": unet}


def make_ratios(name: str, by_month: dict[float, float]) -> "pd.Series[float]":
    key = pd.MultiIndex.from_tuples([(name, m, "hippocampus") for m in by_month], names=KEY)
    return pd.Series(list(by_month.values()), index=key)


@pytest.mark.parametrize("space", ["native", "mni"])
def test_a_told_ratio_reaches_the_context_whatever_space_the_volumes_are_in(space: Any) -> None:
    fields = ("volume:hippocampus", "change:hippocampus", "volume:lateral_ventricle")
    entries = [{"name": name, "range": [0, 1e5]} for name in fields]
    config = ModelConfig.model_validate({**TINY, **with_context(*entries)})
    people, regions = scanned_people.make_people(60, 1, None), scanned_people.REGIONS
    huber = HuberAuxiliary.fit(
        people.baseline(), people.visit_volumes(regions), regions=regions, volume_space=space
    )
    auxiliary = AuxiliaryModels({ONE_VISIT: huber})
    person = people.select(["sub-3"])
    visit = person.visits.iloc[0]
    start = StartVisit("sub-3", visit["session_id"], visit["age_years"], 0.0, Path("t.nii"), None)
    asked: dict[str, Any] = {"determinant": 1.3, "horizons_months": [24.0, 48.0]}
    ratios = make_ratios("sub-3", {24.0: 0.95, 48.0: 0.97})
    telling = auxiliary.tell(ratios, lead="hippocampus")
    told = build_context_values(config, telling, person, start, **asked)
    untold = build_context_values(config, auxiliary, person, start, **asked)
    measured = 1.3 * person.baseline()["hippocampus_mm3"].item()
    volumes = measured * np.array([0.95, 0.97])
    assert told["volume:hippocampus"].to_numpy() == pytest.approx(volumes, rel=1e-12)
    assert told["change:hippocampus"].to_numpy() == pytest.approx(volumes - measured, rel=1e-10)
    # the ventricle keeps pace: as many times its expected log change as the hippocampus has
    ventricle = 1.3 * person.baseline()["lateral_ventricle_mm3"].item()
    pace = np.log([0.95, 0.97]) / np.log(untold["volume:hippocampus"] / measured)
    expected = ventricle * (untold["volume:lateral_ventricle"] / ventricle) ** pace
    assert told["volume:lateral_ventricle"].to_numpy() == pytest.approx(expected.to_numpy())
    assert ((pace > 0) & (pace < FASTEST)).all()


@pytest.mark.parametrize(
    ("told", "expected", "pace"),
    [(0.9, 0.9, 1.0), (1.0, 0.9, 0.0), (1.1, 0.9, 0.0), (0.0, 0.9, 5.0), (0.99, 1.2, 2.0)],
)
def test_untold_regions_keep_a_pace_between_none_and_the_fastest(
    told: float, expected: float, pace: float
) -> None:
    person = pd.DataFrame({"hippocampus_mm3": [6000.0], "thalamus_mm3": [14000.0]}, index=["sub-1"])
    others = make_ratios("sub-1", {24.0: expected})
    thalamus = pd.Series(
        [0.97], index=pd.MultiIndex.from_tuples([("sub-1", 24.0, "thalamus")], names=KEY)
    )
    model = ToldRatios(
        make_ratios("sub-1", {24.0: told}), ToldRatios(pd.concat([others, thalamus])), "hippocampus"
    )
    found = model.predict_volumes(person, horizons_months=[24.0]).set_index("region")["volume_mm3"]
    assert found["hippocampus"] == pytest.approx(6000 * told)
    assert found["thalamus"] == pytest.approx(14000 * 0.97**pace, rel=0.001)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model, baselines that learned from 40 people, and four others."""
    folder = tmp_path_factory.mktemp("told")
    archive = make_people(60, 5)
    later = pd.DataFrame(
        {
            "participant_id": archive.table.index,
            "months_from_baseline": 48.0,
            "hippocampus": archive.table["hippocampus_mm3"] * (1 + archive.change[48.0] / 100),
        }
    )
    huber = HuberAuxiliary.fit(archive.table, later, regions=("hippocampus",))
    write_tiny_model(
        folder / "model",
        texts={"auxiliary/huber.json": json.dumps(huber.to_dict())},
        **with_context(*CONTEXT[:4]),
        auxiliary={"one_visit": "auxiliary/huber.json"},
        num_inference_steps=1,
    )
    model = load_model(folder / "model")
    for name in ("image_regression", "elastic_net"):
        found = fit(make_people(40, 1), model, name)
        found.write(folder / name, card=render_card(found))
    (folder / "people").mkdir()
    affine = np.asarray(model.config.affine)
    people = write_cohort(make_people(4, 2), folder / "people", affine)
    people.write(folder / "people/cohort")
    people.select(["sub-2x0"]).write(folder / "people/one")
    people.select(["sub-2x0", "sub-2x1", "sub-2x2"]).write(folder / "people/three")
    return folder


@pytest.fixture
def model(folder: Path) -> BrlpModel:
    return load_model(folder / "model")


@pytest.fixture
def cohort(folder: Path) -> Cohort:
    return Cohort.read(folder / "people/cohort")


def predict(model: BrlpModel, cohort: Cohort, out: Path, source: Path) -> CohortPrediction:
    told = ContextBaseline.load(source)
    return predict_cohort(model, cohort, MONTHS, 1, out=out, context_from=told)


@pytest.mark.parametrize(
    "name", ["image_regression", pytest.param("elastic_net", marks=pytest.mark.slow)]
)
def test_what_a_baseline_expects_is_what_the_networks_are_told(
    model: BrlpModel,
    cohort: Cohort,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    told: list[pd.DataFrame] = []
    encode = prediction_job.encode_context

    def keep(entries: Any, values: pd.DataFrame) -> Any:
        told.append(values)
        return encode(entries, values)

    monkeypatch.setattr(prediction_job, "encode_context", keep)
    found = predict(model, cohort, tmp_path / "out", folder / name)
    assert found.failures.empty
    baseline = ContextBaseline.load(folder / name).baseline
    changes, _ = predict_changes(baseline, model, cohort, ScanCache(tmp_path / "scans"))
    start = cohort.baseline()["hippocampus_mm3"]
    for person, values in zip(start.index, told, strict=True):
        expected = start[person] * (1 + changes.loc[person].to_numpy(float) / 100)
        assert values["volume:hippocampus"].to_numpy() == pytest.approx(expected, rel=1e-9)


def test_predictions_of_two_contexts_are_never_mixed(
    model: BrlpModel, cohort: Cohort, folder: Path, tmp_path: Path
) -> None:
    one = cohort.select(["sub-2x0"])
    first = predict(model, one, tmp_path, folder / "elastic_net")
    again = predict(model, one, tmp_path, folder / "elastic_net")
    pd.testing.assert_frame_equal(first.predictions, again.predictions)
    with pytest.raises(ModelError, match=r"with context_from elastic_net-\w{12}, not image_reg"):
        predict(model, one, tmp_path, folder / "image_regression")
    with pytest.raises(ModelError, match=r"context_from elastic_net-\w{12}, not None"):
        predict_cohort(model, one, MONTHS, 1, out=tmp_path)
    other = fit_baseline("elastic_net", make_people(40, 8), provenance="Others.")
    other.write(tmp_path / "elastic_net", card=render_card(other))
    with pytest.raises(ModelError, match=r"elastic_net-\w{12}, not elastic_net-"):
        predict(model, one, tmp_path, tmp_path / "elastic_net")


def test_who_cannot_be_told_is_refused_and_the_others_go_on(
    model: BrlpModel, cohort: Cohort, folder: Path, tmp_path: Path
) -> None:
    cohort.participants.loc[cohort.participants["participant_id"] == "sub-2x1", "diagnosis"] = "LBD"
    cohort.visits.loc[cohort.visits["participant_id"] == "sub-2x1", "diagnosis"] = "LBD"
    found = predict(model, cohort, tmp_path, folder / "image_regression")
    ((name, problem),) = found.failures.itertuples(index=False)
    assert name == "sub-2x1"
    assert problem.startswith("image_regression reads age_years, ")
    assert "the baseline of sub-2x1 lacks one of them or has a value that" in problem
    assert set(found.predictions["participant_id"]) == {"sub-2x0", "sub-2x2", "sub-2x3"}


def test_what_cannot_tell_a_context_is_refused(folder: Path, tiny_config: ModelConfig) -> None:
    told = ContextBaseline.load(folder / "image_regression")
    asked: dict[str, Any] = {"horizons_months": [24.0], "until_months": 0.0}
    config = load_model(folder / "model").config
    told.check(config, **asked)
    for wrong, changed, message in (
        (config, {"horizons_months": [12, 60]}, "until month 48 after baseline, not for 60"),
        (config, {"horizons_months": [-12]}, "until month 48 after baseline, not for -12"),
        (config, {"horizons_months": [np.nan]}, "until month 48 after baseline, not for nan"),
        (config, {"until_months": 12.0}, "reads the baseline visit alone"),
        (config.model_copy(update={"context": config.context[:3]}), {}, "holds no later volume"),
        (config.model_copy(update={"endpoint": "thalamus"}), {}, "it cannot be told"),
        (config.model_copy(update={"shape": (20, 24, 24)}), {}, "on another grid than that of"),
    ):
        with pytest.raises(ModelError, match=message):
            told.check(wrong, **{**asked, **changed})
    with pytest.raises(ModelError, match="mrextrap makes an image of the later visit"):
        ContextBaseline.load(Path("mrextrap"))
    with pytest.raises(ModelError, match=r"no folder of a baseline .* one: image_regression"):
        ContextBaseline.load(folder / "people")
    with pytest.raises(ModelError, match=r"model is no folder of a baseline: `trialsim train"):
        ContextBaseline.load(folder / "model")


def ask(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.slow
def test_a_study_tells_whose_expectation_stood_in_the_context(folder: Path, tmp_path: Path) -> None:
    people, study = folder / "people/one", tmp_path / "study.duckdb"
    words = ("predict", people, "--model", folder / "model", "--samples", 1, "--study", study)
    words = (*words, "--no-save-images", "--horizons-months", "24")
    code, said = ask(*words, "--context-from", folder / "elastic_net")
    assert code == 0, said
    identity = ContextBaseline.load(folder / "elastic_net").identity
    assert f"In the model's context the hippocampus is what {identity} expects" in said
    _, again = ask(*words, "--context-from", folder / "elastic_net")
    assert "predict: unchanged since the last run" in again
    first = Study.open(study, read_only=True).read("predictions")
    code, other = ask(*words, "--context-from", folder / "image_regression")
    assert code == 0, other
    assert f'prediction.context_from was "{identity}", is "image_regression-' in other
    second = Study.open(study, read_only=True).read("predictions")
    assert not np.allclose(first["volume_mm3"], second["volume_mm3"], rtol=1e-9)
    code, said = ask("report", study, "--out", tmp_path / "page.md")
    assert code == 0, said
    page = (tmp_path / "page.md").read_text().replace("\\", "")
    assert "In the model's context the endpoint is what image_regression-" in page


def test_people_learned_from_are_told_what_was_fitted_without_them(
    folder: Path, tmp_path: Path
) -> None:
    people, own, study = folder / "people/cohort", tmp_path / "own", tmp_path / "study.duckdb"
    write_cohort(make_people(40, 2), tmp_path, np.eye(4)).write(tmp_path / "more")
    ask("train", "baseline", "elastic_net", "--data", tmp_path / "more", "--out", own, "--quiet")
    model, cohort = load_model(folder / "model"), Cohort.read(people)
    told, person = ContextBaseline.load(own), cohort.select(["sub-2x1"])
    found = told.expect_ratios(model, person, ScanCache(tmp_path), [36.0, 48.0])
    beside = tmp_path / "own.cross_fitted.parquet"
    others = pd.read_parquet(beside).loc["sub-2x1"]
    # halfway between two months that were fitted for
    expected = 1 + np.array([others[["24.0", "48.0"]].mean(), others["48.0"]]) / 100
    assert found.to_numpy() == pytest.approx(expected, rel=1e-12)
    itself = told.baseline.predict_change(person.baseline()).loc["sub-2x1"]
    assert abs(itself[48.0] - others["48.0"]) > 1e-3
    words = (
        "predict",
        people,
        "--model",
        folder / "model",
        "--study",
        study,
        "--context-from",
        own,
    )
    code, said = ask(*words, "--horizons-months", "18", "--samples", 1)
    assert code == 0, said
    assert "elastic_net learned from 4 of 4 people: of these the context holds what was" in said
    assert set(Study.open(study).read("predictions")["horizon_months"]) == {18.0}
    beside.unlink()
    code, said = ask(*words, "--horizons-months", "24")
    assert code == 1
    assert "elastic_net learned from 4 of these 4 people" in said
    code, said = ask(*words, "--horizons-months", "60")
    assert code == 1
    assert "elastic_net predicts until month 48 after baseline, not for 60" in said


@pytest.fixture
def known(folder: Path, cohort: Cohort, tmp_path: Path) -> ContextBaseline:
    """Return a baseline that learned from the four people, with what was fitted without them."""
    ages = cohort.baseline()["age_years"]
    found = ContextBaseline.load(folder / "elastic_net").baseline
    found.write(tmp_path / "own", card="Own.", people=describe_training_people(ages.index))
    expected = pd.DataFrame({24.0: -1.0, 48.0: -np.arange(4.0)}, index=ages.index)
    write_cross_fitted(expected, ages, tmp_path / "own")
    return ContextBaseline.load(tmp_path / "own")


def expect(told: ContextBaseline, model: BrlpModel, person: Cohort) -> list[float]:
    assert told.count_own_people(person, [48.0]) == 1
    return list(told.expect_ratios(model, person, ScanCache(Path("none")), [48.0]))


def rename(people: Cohort, names: dict[str, str]) -> Cohort:
    tables = (people.participants, people.visits, people.volumes)
    return Cohort(*(table.replace({"participant_id": names}) for table in tables))


def test_people_learned_from_are_found_however_they_and_the_folder_are_named(
    known: ContextBaseline, model: BrlpModel, cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = cohort.select(["sub-2x3"])
    assert known.baseline.folder is not None
    monkeypatch.chdir(known.baseline.folder)
    for told in (known, ContextBaseline.load(Path("."))):
        for name in ("sub-2x3", "2X3"):
            assert expect(told, model, rename(one, {"sub-2x3": name})) == [0.97]


def test_others_with_the_names_of_people_learned_from_are_refused(
    known: ContextBaseline, model: BrlpModel, cohort: Cohort
) -> None:
    ages = cohort.baseline()["age_years"]
    assert abs(ages["sub-2x2"] - ages["sub-2x3"]) > 0.5
    other = rename(cohort.select(["sub-2x2"]), {"sub-2x2": "sub-2x3"})
    with pytest.raises(ModelError, match=r"1 person has names .* sub-2x3, 76.3 years; there 61.8"):
        expect(known, model, other)
    rounded = cohort.select(["sub-2x3"])
    rounded.visits["age_years"] = rounded.visits["age_years"].round()
    assert expect(known, model, rounded) == [0.97]


@pytest.mark.parametrize(
    "damage",
    [
        lambda table: table.drop(columns="48.0"),
        lambda table: table.rename(columns={"24.0": "some"}),
        lambda table: table.assign(**{"48.0": "unknown"}),
        lambda table: table.replace(-3.0, -np.inf),
        lambda table: pd.concat([table, table * 2]),
    ],
)
def test_what_was_fitted_without_people_is_whole_or_refused(
    known: ContextBaseline,
    model: BrlpModel,
    cohort: Cohort,
    tmp_path: Path,
    damage: Callable[[pd.DataFrame], pd.DataFrame],
) -> None:
    path = tmp_path / "own.cross_fitted.parquet"
    kept = pq.read_table(path)
    damaged = pa.Table.from_pandas(damage(kept.to_pandas()))
    marked = {**damaged.schema.metadata, b"baseline": kept.schema.metadata[b"baseline"]}
    pq.write_table(damaged.replace_schema_metadata(marked), path)
    with pytest.raises(ModelError, match="not as it was written, with one row a person and the"):
        expect(known, model, cohort.select(["sub-2x3"]))


@pytest.mark.slow
def test_an_evaluation_is_of_the_context_that_it_is_asked_with(
    model: BrlpModel, cohort: Cohort, folder: Path, tmp_path: Path
) -> None:
    told = ContextBaseline.load(folder / "elastic_net")
    settings = EvaluationSettings((24.0,), 1, n_conditions=0, n_compared=0, n_bootstrap=10)
    archive = write_cohort(make_people(12, 3), tmp_path, np.eye(4))
    tables = evaluate_model(
        model,
        EvaluatedCohort(cohort),
        tmp_path / "out",
        settings,
        training=EvaluatedCohort(archive),
        context_from=told,
    )
    alone = predict_cohort(
        model, cohort, [24.0], 1, out=tmp_path / "alone", seed=settings.seed, context_from=told
    ).predictions
    rows = tables["predicted"]
    mine = rows[(rows["method"] == MODEL) & (rows["region"] == "hippocampus")]
    own = alone[alone["region"] == "hippocampus"].set_index("participant_id")["volume_mm3"]
    assert mine.set_index("participant_id")["predicted_mm3"].to_dict() == own.to_dict()
    found = json.loads((tmp_path / "out/predictions/settings.json").read_text())
    assert found["context_from"] == told.identity
    fit_cohort_baseline(
        "elastic_net", archive, tmp_path / "own", horizons_months=[24.0], model=model
    )
    told = ContextBaseline.load(tmp_path / "own")
    with pytest.raises(ModelError, match="elastic_net learned from 12 of these 12"):
        evaluate_model(
            model, EvaluatedCohort(archive), tmp_path / "no", settings, context_from=told
        )


@pytest.mark.slow
def test_a_copy_is_calibrated_as_its_context_is_told(
    model: BrlpModel, folder: Path, tmp_path: Path
) -> None:
    people, reader = make_people(10, 7), folder / "elastic_net"
    cohort = write_cohort(people, tmp_path, np.asarray(model.config.affine))
    cohort.write(tmp_path / "people")
    words = ("model", "calibrate", folder / "model", "--on", tmp_path / "people", "--horizon", 24)
    words = (*words, "--samples", 2, "--no-gain", "--no-shown-weight", "--seed", 3, "--quiet")
    code, said = ask(*words, "--out", tmp_path / "copy", "--context-from", reader)
    assert code == 0, said
    told = ContextBaseline.load(reader)
    # in the precision that the command takes on this processor
    own = load_model(folder / "model", precision="auto")
    found = predict_people(
        own, cohort, tmp_path / "again", [24.0], 2, keep_scans=False, seed=3, context_from=told
    )
    at_horizon = find_volumes_at(Cohort.read(tmp_path / "people"), [24.0])
    expected = fit_volume_error(found.table.merge(at_horizon, on=KEY))
    copy = load_model(tmp_path / "copy")
    # the auxiliary model's own calibration stays beside it
    assert copy.config.model_copy(update={"calibrations": {}}) == model.config
    assert copy.told_by(told.identity).config.volume_error == expected
    assert copy.told_by("another-1").config == copy.told_by(None).config == copy.config
    card = (tmp_path / "copy/MODEL_CARD.md").read_text()
    assert f"Their context was told by {told.identity}; told by something else" in card
    # what was measured takes effect where the baseline tells the context, and nowhere else
    some = cohort.select([str(cohort.participants["participant_id"].iloc[0])])
    for teller, widened in ((told, True), (None, False)):
        sds = [
            predict_cohort(
                one, some, [24.0], 2, out=tmp_path / f"{widened}{name}", context_from=teller
            ).predictions.set_index("region")["volume_sd_mm3"]
            for name, one in (("copy", copy), ("before", model))
        ]
        assert bool((sds[0] > sds[1]).all()) is widened
        assert sds[0].equals(sds[1]) is not widened
    # recalibrated for the auxiliary model, it keeps what was measured for the baseline
    words = ("model", "calibrate", tmp_path / "copy", *words[3:], "--out", tmp_path / "both")
    code, said = ask(*words)
    assert code == 0, said
    both = load_model(tmp_path / "both")
    assert both.config.calibrations == copy.config.calibrations
    assert set(both.config.volume_error) == set(expected)

    # whoever it was calibrated on before cannot judge it either
    others = scanned_people.make_people(2, 8, None)
    (tmp_path / "copy" / CALIBRATION_PEOPLE).write_text(describe_calibration_people(others, copy))
    for who in (others, cohort):
        with pytest.raises(ModelError, match="tiny was calibrated on"):
            refuse_people_known(copy, who)


def test_what_cannot_tell_the_context_calibrates_nothing(
    model: BrlpModel, folder: Path, tmp_path: Path
) -> None:
    cohort = write_cohort(make_people(12, 2), tmp_path, np.eye(4))
    cohort.write(tmp_path / "people")
    fit_cohort_baseline(
        "elastic_net", cohort, tmp_path / "own", horizons_months=[24.0], model=model
    )
    words = ("model", "calibrate", folder / "model", "--on", tmp_path / "people")
    words = (*words, "--out", tmp_path / "copy", "--quiet", "--context-from")
    code, said = ask(*words, tmp_path / "own", "--horizon", 24)
    assert (code, "elastic_net learned from 12 of these 12 people" in said) == (1, True), said
    code, said = ask(*words, folder / "elastic_net", "--horizon", 60)
    assert (code, "until month 48 after baseline, not for 60" in said) == (1, True), said
    assert not (tmp_path / "copy.partial").exists()


@pytest.mark.parametrize(
    ("measured", "now", "said"),
    [
        ((), None, None),
        (("a-1",), "a-1", None),
        (("a-1",), None, None),
        ((), "a-1", "told by the auxiliary model; it is told by a-1 here"),
        (("b-1",), "a-1", "the auxiliary model (others that it holds: b-1); it is told by a-1"),
    ],
)
def test_sds_of_another_context_are_told(
    tiny_config: ModelConfig, measured: tuple[str, ...], now: str | None, said: str | None
) -> None:
    error = {"hippocampus": RelativeSd(at_baseline=0.01, per_year=0.01)}
    known = {who: Calibration(regions=tiny_config.regions) for who in measured}
    update = {"volume_error": error, "calibrations": known}
    told = tell_other_context(tiny_config.model_copy(update=update), now)
    assert told is None if said is None else said in str(told)
    assert tell_other_context(tiny_config, now) is None


@pytest.mark.slow
def test_volumes_only_go_with_contexts_baselines_and_conditions(
    folder: Path, tmp_path: Path
) -> None:
    write_cohort(make_people(12, 3), tmp_path, np.eye(4)).write(tmp_path / "archive")
    own, out = folder / "image_regression", tmp_path / "out"
    words = ("evaluate", folder / "people/three", "--model", folder / "model", "--horizon", 24)
    words = (*words, "--samples", 1, "--train-on", tmp_path / "archive", "--n-bootstrap", 10)
    words = (*words, "--volumes-only", "--out", out, "--baselines", own, "--context-from", own)
    code, said = ask(*words, "--compare", 1)
    assert (code, "compare 0 people, got 1" in said) == (1, True)
    code, said = ask(*words, "--conditions", 2)
    assert code == 0, said
    assert "Volumes only: no predicted scan was made and no later scan was read" in said
    assert "Volumes only: no predicted" in (out / "results.md").read_text()
    ranking = pd.read_csv(out / "ranking.csv").query("method == @MODEL and subgroup == 'all'")
    differences = ("auxiliary model alone", "baseline table alone", "image_regression")
    wanted = {"Spearman", *(f"Spearman minus that of the {name}" for name in differences)}
    assert set(ranking["measure"]) == wanted
    assert len(pd.read_csv(out / "conditions.csv")["condition"].unique()) == 4


@pytest.mark.slow
def test_who_is_told_a_larger_loss_is_predicted_a_larger_loss(tmp_path: Path) -> None:
    """By the bundled model, of the template's brain."""
    model = load_model("mini")
    template, grid = load_template(), Grid.of_config(model.config)
    brain = resample(template.image, template.grid, grid)
    nib.save(nib.Nifti1Image(brain / brain.max(), grid.affine), tmp_path / "brain.nii.gz")
    people = scanned_people.make_people(2, 1, None).select(["sub-1"])
    people.visits["image_path"] = str(tmp_path / "brain.nii.gz")
    typical = {"amygdala": 3000, "cerebral_white_matter": 450_000, "thalamus": 14_000}
    first = people.visits[["participant_id", "session_id"]].iloc[:1]
    rows = [first.assign(region=k, volume_mm3=float(v), source="test") for k, v in typical.items()]
    people = Cohort(people.participants, people.visits, pd.concat([people.volumes, *rows]))

    class Told(ContextBaseline):
        def expect_ratios(self, *_: object) -> "pd.Series[float]":
            return make_ratios("sub-1", {24.0: float(self.identity)})

    found = {}
    baseline = ContextBaseline.load(Path("image_regression")).baseline
    for ratio in (0.98, 0.85):
        told, out = Told(baseline, str(ratio)), tmp_path / str(ratio)
        table = predict_cohort(model, people, [24.0], 1, out=out, context_from=told).predictions
        own = table[table["region"] == "hippocampus"].iloc[0]
        found[ratio] = own["volume_mm3"] / own["baseline_volume_mm3"]
    assert found[0.85] < found[0.98] - 0.02
