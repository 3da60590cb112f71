"""A baseline that tells the context: exactly, kept apart from others, refused where it cannot."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brlp_models.auxiliary.huber import HuberAuxiliary
from brlp_models.auxiliary.told import FASTEST, ToldRatios
from brlp_models.baselines.context import ContextBaseline
from brlp_models.baselines.scoring import predict_changes
from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.prediction import job as prediction_job
from brlp_models.prediction.cohort import predict_cohort
from brlp_models.prediction.context import ONE_VISIT, AuxiliaryModels, build_context_values
from brlp_models.prediction.start import StartVisit
from brlp_models.scans.cache import ScanCache
from brlp_models.training.baselines import fit_baseline, render_card
from cohorts.cohort import Cohort
from reports.store.study import Study
from tests.brlp_models import scanned_people
from tests.brlp_models.contrast_people import MONTHS, make_people
from tests.brlp_models.tiny_model import TINY
from tests.brlp_models.told.asking import KEY, ask, make_ratios, predict, with_context


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
