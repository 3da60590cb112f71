"""Calibration of a tiny random model on synthetic people."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from brlp_models.errors import ModelError
from brlp_models.evaluation.calibration import guidance as guidance_module
from brlp_models.evaluation.calibration.guidance import (
    choose_guidance,
    compare_guidance,
    describe_guidance,
)
from brlp_models.evaluation.calibration.volume_error import (
    fit_draw_sd,
    fit_volume_error,
    predict_calibration_people,
)
from brlp_models.evaluation.evaluated_people import (
    EvaluatedCohort,
)
from brlp_models.model.calibrated_context import apply_calibration, keep_calibration
from brlp_models.model.config import ModelConfig, RelativeSd
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from cohorts.cohort import Cohort
from cohorts.errors import StorageError
from tests.brlp_models.scanned_people import REGIONS, add_auxiliary, make_people
from trialsim.cli.app import app


@pytest.fixture(scope="module")
def model(tiny_model: BrlpModel, tmp_path_factory: pytest.TempPathFactory) -> BrlpModel:
    return add_auxiliary(tiny_model, tmp_path_factory.mktemp("evaluating") / "tiny")


@pytest.mark.slow
def test_calibrating_predicts_without_what_was_calibrated_before(
    model: BrlpModel, tmp_path: Path
) -> None:
    (tmp_path / "scans").mkdir()
    people = make_people(10, 5, tmp_path / "scans", np.asarray(model.config.affine))
    wide = RelativeSd(at_baseline=9, per_year=9)
    before = {"volume_error": {"hippocampus": wide}, "draw_sd": {"hippocampus": wide}}
    before |= {"shown_weight": {"hippocampus": 0.1}}
    known = model.config.model_copy(update=before)
    first, second = (
        predict_calibration_people(
            one,
            EvaluatedCohort(people),
            tmp_path / name,
            horizons_months=[24, 48],
            samples=1,
            seed=1,
        )
        for name, one in (("bare", model), ("known", replace(model, config=known)))
    )
    pd.testing.assert_frame_equal(first, second)
    errors = fit_volume_error(first)
    assert set(errors) == {"hippocampus", "left_hippocampus", "lateral_ventricle"}
    assert all(error.compute_sd(2, -0.1) > 0 for error in errors.values())


def test_one_draw_errs_as_its_sd_says() -> None:
    """Errors that all draws share have an sd of 0.06, draws one of 0.03, two are averaged."""
    rng, n, years = np.random.default_rng(1), 40_000, 2.0
    shared = rng.normal(0, 0.06, n)
    draws = rng.normal(0, 0.03, (n, 2))
    table = pd.DataFrame(
        {"region": "hippocampus", "start_mm3": 3000.0, "predicted_mm3": 2900.0}, range(n)
    )
    found = table.assign(
        horizon_months=12 * years,
        true_mm3=2900 - 3000 * (shared + draws.mean(axis=1)),
        sd_mm3=3000 * draws.std(axis=1, ddof=1),
    )
    error, draw = fit_volume_error(found), fit_draw_sd(found, 2)
    claimed = np.hypot(*(one["hippocampus"].compute_sd(years, -0.03) for one in (error, draw)))
    assert claimed == pytest.approx((shared + draws[:, 0]).std(), rel=0.02)


def write_people(model: BrlpModel, folder: Path) -> tuple[Cohort, list[Any]]:
    """Return ten people, who are written, and the words that calibrate the model on them."""
    (folder / "scans").mkdir()
    people = make_people(10, 7, folder / "scans", np.asarray(model.config.affine))
    people.write(folder / "people")
    words = ["model", "calibrate", model.folder, "--on", folder / "people", "--samples", 2]
    return people, [*words, "--horizon", 24, "--out", folder / "calibrated"]


@pytest.mark.slow
def test_calibrate_writes_a_copy_that_knows_its_error(
    model: BrlpModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, words = write_people(model, tmp_path)

    def break_off(*_: object, **__: object) -> list[str]:
        raise StorageError("The disk is full.")

    with monkeypatch.context() as patched:
        # what is computed from the people comes before anything is written
        calibration = "brlp_models.evaluation.calibration.calibrated_copy"
        patched.setattr(f"{calibration}.describe_volume_error", break_off)
        broken = CliRunner().invoke(app, [*(str(word) for word in words), "--no-gain"])
    assert broken.exit_code == 1
    assert len(list((tmp_path / "calibrated.partial/error/people").iterdir())) == 10
    assert not (tmp_path / "calibrated.partial/error/scans").exists()
    found = CliRunner().invoke(app, [*(str(word) for word in words), "--no-gain"])
    assert found.exit_code == 0, found.output
    assert not (tmp_path / "calibrated.partial").exists()
    copied = load_model(tmp_path / "calibrated")
    card = (tmp_path / "calibrated/MODEL_CARD.md").read_text()
    assert card.startswith(f"# A calibrated copy of {model.model_id}")
    assert "10 SYNTHETIC people" in card
    assert re.search(
        r"- hippocampus: sd beyond the draws .* \(95 % interval .*\) at month 24", card
    )
    assert (model.folder / "MODEL_CARD.md").read_text() in card
    judged = [tmp_path / "people", "--model", tmp_path / "calibrated", "--out", tmp_path / "judged"]
    known = CliRunner().invoke(app, ["evaluate", *map(str, judged)])
    assert known.exit_code == 1
    assert "tiny was calibrated on 10 of these 10 people" in known.stderr
    few = people.select(list(people.participants["participant_id"])[:6])
    few.write(tmp_path / "few")
    words[4], words[-1] = tmp_path / "few", tmp_path / "of few"
    too_few = CliRunner().invoke(app, [str(word) for word in words])
    assert too_few.exit_code == 1
    assert "Only 6 people have a scan at baseline and later volumes" in too_few.stderr
    assert not (tmp_path / "of few.partial").exists()
    words[4], words[-1] = tmp_path / "people", tmp_path / "calibrated"
    assert set(copied.config.volume_error) >= set(REGIONS)
    assert set(copied.config.shown_weight) == set(REGIONS)
    assert all(0 <= weight <= 1 for weight in copied.config.shown_weight.values())
    assert "of a predicted change is the predicted scan's, the rest what the context tells" in card
    measured = {"volume_error": {}, "draw_sd": {}, "shown_weight": {}}
    assert copied.config.model_copy(update=measured) == model.config
    again = CliRunner().invoke(app, [str(word) for word in words])
    assert again.exit_code == 1
    assert "exists already" in again.stderr


@pytest.mark.slow
def test_a_region_without_a_gain_is_not_reported(
    model: BrlpModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, words = write_people(model, tmp_path)
    words[-1] = tmp_path / "gain"
    # random weights show nothing of a true change
    refused = CliRunner().invoke(app, [str(word) for word in words])
    assert refused.exit_code == 1
    assert "The hippocampus, the endpoint of tiny, cannot be reported: Predicted" in refused.stderr
    known = {"n": 10, "n_anatomies": 2}
    rows = [
        {"region": "hippocampus", "value": 0.8, "lower": 0.7, "upper": 0.9, "is_reported": True},
        {"region": "lateral_ventricle", "value": 0.5, "lower": 0.2, "upper": 0.8}
        | {"is_reported": False},
    ]
    table = pd.DataFrame(rows).assign(**known)
    monkeypatch.setattr(
        "brlp_models.evaluation.calibration.calibrated_copy.measure_gain", lambda *_, **__: table
    )
    found = CliRunner().invoke(app, [*(str(word) for word in words), "--no-shown-weight"])
    assert found.exit_code == 0, found.output
    assert "of 10 people, which are few: they may be too narrow." in found.output
    assert "Predicted scans show 0.50 of a true change of the lateral_ventricle" in found.output
    copied = load_model(tmp_path / "gain")
    assert copied.config.regions == ("hippocampus",)
    assert copied.config.shown_weight == {}
    assert copied.config.gain_measurement is not None
    assert copied.config.gain_measurement.n_anatomies == 2


class _Followed:
    """People of eight anatomies, 30 of each, whose true change is known."""

    def find_anatomies(self) -> "pd.Series[str]":
        names = [f"sub-{row:03}" for row in range(240)]
        return pd.Series([f"map-{row % 8}" for row in range(240)], index=names)


def rank_with(noise: dict[float, float], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let each weight of the context show the true change with an error of its own."""
    true = np.random.default_rng(1).normal(-0.1, 0.05, 240)
    folders: dict[Path, float] = {}

    def predict(model: BrlpModel, _people: object, out: Path, **_: object) -> pd.DataFrame:
        weight = model.config.guidance
        assert out not in folders
        folders[out] = weight
        error = np.random.default_rng(int(10 * weight)).normal(0, noise[weight], 240)
        return pd.DataFrame(
            {
                "participant_id": [f"sub-{row:03}" for row in range(240)],
                "region": "hippocampus",
                "predicted_mm3": 7000 * (1 + weight * true + error),
                "start_mm3": 7000.0,
                "true_mm3": 6900 * (1 + true),
                "baseline_mm3": 6900.0,
            }
        )

    monkeypatch.setattr(guidance_module, "predict_calibration_people", predict)
    return _Followed()


@pytest.mark.parametrize(
    ("noise", "chosen", "words"),
    [
        ({1.0: 0.05, 1.5: 0.02, 3.0: 0.05}, 1.5, "guidance 1.5 is taken: it ranks surely better."),
        ({1.0: 0.02, 1.5: 0.0301, 3.0: 0.09}, 1.0, "guidance 1 is taken: no other ranks surely"),
    ],
)
def test_the_weight_of_the_context_that_ranks_surely_better_is_chosen(
    tiny_model: BrlpModel,
    monkeypatch: pytest.MonkeyPatch,
    noise: dict[float, float],
    chosen: float,
    words: str,
) -> None:
    people = rank_with(noise, monkeypatch)
    asked: dict[str, Any] = {"horizon_months": 24, "samples": 2, "seed": 3}
    found = compare_guidance(tiny_model, people, Path("out"), values=[1.5, 3.0, 1.5], **asked)
    assert found["guidance"].tolist() == [1.0, 1.5, 3.0]
    assert found["n"].tolist() == [240] * 3
    assert found.loc[0, ["gain", "gain_lower", "gain_upper"]].tolist() == [0, 0, 0]
    assert choose_guidance(found) == chosen
    assert words in describe_guidance(found, chosen)[-1]
    # asked for alone it ranks the same, and its gain is surer than that of one among two
    alone = compare_guidance(tiny_model, people, Path("alone"), values=[1.5], **asked).loc[1]
    kept = ["value", "lower", "upper", "gain", "n"]
    pd.testing.assert_series_equal(alone[kept], found.loc[1, kept])
    assert found.loc[1, "gain_lower"] < alone["gain_lower"] < alone["gain"]


def test_weights_are_told_apart_and_one_that_ranks_nobody_is_told(
    tiny_model: BrlpModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = 1 + 1e-9
    people = rank_with({1.0: 0.05, near: 0.05, 0.0: 0.0}, monkeypatch)
    asked: dict[str, Any] = {"horizon_months": 24, "samples": 2, "seed": 3}
    found = compare_guidance(tiny_model, people, Path("out"), values=[near, 0.0], **asked)
    assert choose_guidance(found) == 1
    told = describe_guidance(found, 1.0)
    assert told[2] == "guidance 0: ranks nobody, since it predicts the same change of everyone"


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -1.0])
def test_a_weight_of_the_context_that_is_none_is_refused(
    tiny_model: BrlpModel, monkeypatch: pytest.MonkeyPatch, weight: float
) -> None:
    people = rank_with({1.0: 0.05}, monkeypatch)
    asked: dict[str, Any] = {"horizon_months": 24, "samples": 2, "seed": 3}
    with pytest.raises(ModelError, match="guidance must be a number from 0 on, got"):
        compare_guidance(tiny_model, people, Path("out"), values=[weight], **asked)


def test_a_weight_of_the_context_that_networks_never_learned_is_refused(
    tiny_model: BrlpModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = rank_with({1.0: 0.05, 1.5: 0.05}, monkeypatch)
    asked: dict[str, Any] = {"horizon_months": 24, "samples": 2, "seed": 3}
    untold = tiny_model.config.model_copy(update={"context_dropout": None})
    with pytest.raises(ModelError, match=r"guidance 1\.5 weighs the context against"):
        compare_guidance(
            replace(tiny_model, config=untold), people, Path("out"), values=[1.0, 1.5], **asked
        )


def test_a_weight_of_the_context_belongs_to_who_tells_it(tiny_config: ModelConfig) -> None:
    weighed = tiny_config.model_copy(update={"guidance": 1.5})
    own = keep_calibration(tiny_config, None, weighed)
    assert own.guidance == 1.5
    told = keep_calibration(tiny_config, "a-1", weighed)
    assert told.guidance == 1
    assert apply_calibration(told, "a-1").guidance == 1.5
    # a calibration of an earlier version knew of none
    before = told.calibrations["a-1"].model_copy(update={"guidance": None})
    older = own.model_copy(update={"calibrations": {"a-1": before}})
    assert apply_calibration(older, "a-1").guidance == 1.5


@pytest.mark.slow
def test_a_copy_weighs_its_context_as_was_chosen(
    model: BrlpModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, words = write_people(model, tmp_path)
    words = [*words, "--guidance", 1.5, "--no-gain", "--no-shown-weight"]
    monkeypatch.setattr(
        "brlp_models.evaluation.calibration.calibrated_copy.choose_guidance", lambda _found: 1.5
    )
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert "guidance 1.5 is taken" in done.output
    copied = load_model(tmp_path / "calibrated")
    assert copied.config.guidance == 1.5
    assert "guidance 1.5: ranks 10 people with" in (copied.folder / "MODEL_CARD.md").read_text()
