"""Evaluations and calibrations are of the context that they are asked with."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brlp_models.baselines.context import ContextBaseline
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
    refuse_people_known,
)
from brlp_models.prediction.cohort import predict_cohort
from brlp_models.scans.grid import Grid, resample
from brlp_models.scans.template import load_template
from brlp_models.training.cohort_baselines import fit_cohort_baseline
from cohorts.cohort import Cohort
from tests.brlp_models import scanned_people
from tests.brlp_models.contrast_people import make_people, write_cohort
from tests.brlp_models.told.asking import KEY, ask, make_ratios


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
    results = (out / "results.md").read_text()
    assert results.startswith("**SYNTHETIC people: no number here describes real patients.**")
    assert "Volumes only: no predicted" in results
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
