"""Baselines that make an image: what they show, how it is measured, and how it becomes a score."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from brlp_models.baselines.extrapolation import EXTRAPOLATION
from brlp_models.baselines.follow_up import (
    FollowUp,
    ImageBaseline,
    ImageConfig,
    TimedScan,
    measure_ratios,
    predict_image_changes,
)
from brlp_models.errors import ModelError
from brlp_models.evaluation.evaluated_people import EvaluatedCohort
from brlp_models.evaluation.evaluation import evaluate_model
from brlp_models.evaluation.measures.accuracy import CHANGE_ERROR, VOLUME_ERROR
from brlp_models.evaluation.methods import CARRY_FORWARD, MODEL
from brlp_models.evaluation.results_text import render_results
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.model.model import BrlpModel
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.grid import Grid
from brlp_models.scans.segmentation import choose_segmenter
from cohorts.cohort import Cohort
from tests.brlp_models.brain_drawing import draw_brain
from tests.brlp_models.scanned_people import add_auxiliary, make_people
from trialsim.cli.app import app

NOBODY = pd.DataFrame()
RNG = np.random.default_rng


def draw_scans(months: Sequence[float]) -> list[TimedScan]:
    return [
        TimedScan(own, torch.from_numpy(draw_brain(RNG([1, int(own)])))[None]) for own in months
    ]


def write_visits(folder: Path, affine: object, months: dict[str, Sequence[float]]) -> Cohort:
    """Return people with a scan at each of their visits, on the grid of a model."""
    people = pd.DataFrame({"participant_id": list(months)}).assign(sex="F", age_years=70.0)
    visits = []
    for person, own in months.items():
        for month, scan in zip(own, draw_scans(own), strict=True):
            path = folder / f"{person}_{month:g}.nii.gz"
            nib.save(nib.Nifti1Image(scan.image[0].numpy(), affine), path)
            key = {"participant_id": person, "session_id": f"ses-{month:g}"}
            at = {"months_from_baseline": month, "age_years": 70 + month / 12}
            visits.append({**key, **at, "diagnosis": "MCI", "image_path": str(path)})
    volumes = pd.DataFrame(visits)[["participant_id", "session_id"]].assign(
        region="hippocampus", volume_mm3=6500.0, source="test"
    )
    table = pd.DataFrame(visits).assign(segmentation_path=None)
    return Cohort(people.assign(diagnosis="MCI"), table, volumes, is_synthetic=True)


def extrapolate(model: BrlpModel, scans: Sequence[TimedScan], months: float) -> Tensor:
    return EXTRAPOLATION.predict(model, scans, NOBODY, months).measured


def test_latents_go_on_as_they_went(tiny_model: BrlpModel) -> None:
    scans = draw_scans([0, 24])
    z0, z1 = tiny_model.encode(torch.stack([own.image for own in scans]))
    expected = tiny_model.decode((z1 + 0.5 * (z1 - z0))[None])[0]
    assert torch.allclose(extrapolate(tiny_model, scans, 36), expected, atol=1e-5)
    # of three visits the last two count
    longer = [TimedScan(-12.0, torch.rand_like(scans[0].image)), *scans]
    assert torch.equal(extrapolate(tiny_model, longer, 36), extrapolate(tiny_model, scans, 36))


def test_who_does_not_change_is_predicted_to_stay(tiny_model: BrlpModel) -> None:
    first, _ = draw_scans([0, 24])
    found = EXTRAPOLATION.predict(tiny_model, [first, replace(first, months=24)], NOBODY, 48)
    assert torch.equal(found.measured, found.reference)
    ratios = measure_ratios(choose_segmenter(tiny_model), found, "one")
    assert set(ratios.values()) == {1.0}
    assert found.image.shape == first.image.shape
    assert 0 <= found.image.min() <= found.image.max() <= 1


def test_a_ratio_is_that_of_the_segmented_volumes(tiny_model: BrlpModel) -> None:
    found = EXTRAPOLATION.predict(tiny_model, draw_scans([0, 24]), NOBODY, 240)
    segmenter = choose_segmenter(tiny_model)
    later, start = segmenter.measure(
        torch.stack([found.measured, found.reference]).clamp(0, 1), ["later", "start"]
    )
    ratios = measure_ratios(segmenter, found, "one")
    assert ratios["hippocampus"] == pytest.approx(later["hippocampus"] / start["hippocampus"])
    assert ratios["hippocampus"] != 1


def test_what_cannot_be_extrapolated_is_told(tiny_model: BrlpModel) -> None:
    first, last = draw_scans([0, 24])
    for scans, months, told in (
        ([last], 48, "needs scans of 2 visits before the predicted one, got 1"),
        ([first, last], 24, "what comes after its last scan, month 24, not month 24"),
        ([first, first], 24, "Two scans of month 0 tell no course"),
    ):
        with pytest.raises(ModelError, match=told):
            EXTRAPOLATION.predict(tiny_model, scans, NOBODY, months)
    config = EXTRAPOLATION.config.model_copy(
        update={"shape": (2, 2, 2), "affine": tuple(map(tuple, np.eye(4).tolist()))}
    )
    other = replace(EXTRAPOLATION, config=config)
    with pytest.raises(ModelError, match="on another grid than that of the model tiny"):
        other.predict(tiny_model, [first, last], NOBODY, 48)


def test_people_with_one_visit_are_named_and_the_others_scored(
    tiny_model: BrlpModel, tmp_path: Path
) -> None:
    affine = Grid.of_config(tiny_model.config).affine
    months = {"sub-one": [0.0], "sub-two": [0.0, 24.0], "sub-late": [0.0, 36.0]}
    cohort = write_visits(tmp_path, affine, months)
    found = dict(
        predict_image_changes(
            EXTRAPOLATION, tiny_model, cohort, ScanCache(tmp_path / "c"), [48.0], until_months=24
        )
    )
    assert found["sub-one"] == "sub-one has scans of 1 visit up to month 24; mrextrap needs 2."
    assert "scans of 1 visit" in str(found["sub-late"])
    scans = draw_scans([0, 24])
    own = EXTRAPOLATION.predict(tiny_model, scans, NOBODY, 48)
    ratio = measure_ratios(choose_segmenter(tiny_model), own, "two")["hippocampus"]
    (change,) = found["sub-two"]
    assert float(change) == pytest.approx(100 * (ratio - 1), abs=1e-3)


def test_it_is_a_strategy_by_its_scores(tiny_model: BrlpModel, tmp_path: Path) -> None:
    affine = Grid.of_config(tiny_model.config).affine
    write_visits(tmp_path, affine, {"sub-a": [0.0, 24.0], "sub-b": [0.0]}).write(tmp_path / "c")

    def run(*words: object) -> str:
        out = ("--out", tmp_path / "s.csv", "--model", tiny_model.folder, "--quiet")
        cache = ("--scan-cache", tmp_path / "k")
        asked = ("model", "baseline-scores", "mrextrap", tmp_path / "c", *out, *cache, *words)
        return " ".join(CliRunner().invoke(app, [str(word) for word in asked]).output.split())

    told = run("--horizon", 48, "--until-months", 24)
    assert "sub-b: sub-b has scans of 1 visit up to month 24; mrextrap needs 2." in told
    assert "1 of 2 people" in told
    scores = pd.read_csv(tmp_path / "s.csv", index_col="participant_id")
    assert np.isfinite(scores.loc["sub-a", "mrextrap"])
    told = run("--horizon", 48)
    assert (
        "None of 2 people have scans to read; the first: sub-a has scans of 1 visit up to" in told
    )
    assert "what comes after its last scan" in run("--horizon", 12, "--until-months", 24)


class Still:
    """Expects everyone to look as in the last scan."""

    def predict(
        self, model: BrlpModel, scans: Sequence[TimedScan], table: pd.DataFrame, months: float
    ) -> FollowUp:
        assert len(table) == len(scans) == 1
        assert (scans[0].months, tuple(scans[0].image.shape[1:])) == (0, model.config.shape)
        assert months in (24, 48)
        return FollowUp(scans[0].image, scans[0].image, scans[0].image)


STILL = ImageBaseline(
    ImageConfig(name="deformation", horizons_months=(), is_synthetic=True, provenance="Nobody."),
    Still(),
)
SETTINGS = EvaluationSettings(samples=1, n_conditions=0, n_compared=0, n_bootstrap=20)


@pytest.fixture(scope="module")
def cohort(tiny_model: BrlpModel, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("people")
    return make_people(4, 2, folder, np.asarray(tiny_model.config.affine))


@pytest.fixture(scope="module")
def tables(
    tiny_model: BrlpModel, cohort: Cohort, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pd.DataFrame]:
    """Return those of an evaluation with both kinds of baselines."""
    out = tmp_path_factory.mktemp("evaluating")
    model = add_auxiliary(tiny_model, out / "tiny")
    people = EvaluatedCohort(cohort)
    return evaluate_model(model, people, out / "e", SETTINGS, baselines=[EXTRAPOLATION, STILL])


@pytest.mark.slow
def test_an_image_that_stays_is_as_good_as_carrying_forward(
    tables: dict[str, pd.DataFrame],
) -> None:
    accuracy = tables["accuracy"].set_index(["horizon_months", "region", "measure"])
    still, carried = (
        accuracy.loc[accuracy["method"] == name, "value"] for name in ("deformation", CARRY_FORWARD)
    )
    assert {VOLUME_ERROR, CHANGE_ERROR, "MSE", "SSIM"} == set(still.index.unique("measure"))
    pd.testing.assert_series_equal(still, carried.loc[still.index], check_names=False)
    assert {"deformation", "mrextrap"} < set(tables["times"]["method"])


@pytest.mark.slow
def test_baselines_of_two_visits_are_judged_by_the_change_since_the_second(
    tables: dict[str, pd.DataFrame], cohort: Cohort
) -> None:
    found = tables["two_visits"].set_index(["region", "measure", "method"])
    assert set(found["horizon_months"]) == {48}
    assert set(found.index.unique("method")) == {MODEL, CARRY_FORWARD, "mrextrap"}
    values = found["value"]
    assert values[("hippocampus", CHANGE_ERROR, CARRY_FORWARD)] == pytest.approx(1)
    wide = cohort.visit_volumes(("hippocampus",)).pivot_table(
        index="participant_id", columns="months_from_baseline", values="hippocampus"
    )
    lost = 100 * (wide[24.0] - wide[48.0]).abs() / 5e5
    error = values[("hippocampus", VOLUME_ERROR, CARRY_FORWARD)]
    assert error == pytest.approx(lost.mean(), rel=1e-6)
    assert {("brain image", "SSIM", "mrextrap"), ("hippocampus", "Spearman", "mrextrap")} <= set(
        found.index
    )
    assert "### From two visits" in render_results(tables)


def test_baselines_of_two_visits_need_two_horizons(
    cohort: Cohort, tiny_model: BrlpModel, tmp_path: Path
) -> None:
    once = replace(SETTINGS, horizons_months=(48.0,))
    people = EvaluatedCohort(cohort)
    model = add_auxiliary(tiny_model, tmp_path / "tiny")
    with pytest.raises(ModelError, match="mrextrap needs scans of two visits: give two horizons"):
        evaluate_model(model, people, tmp_path / "e", once, baselines=[EXTRAPOLATION])
    # told before anybody is predicted
    assert not (tmp_path / "e").exists()
