"""Predictions of a cohort, with a tiny random model."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch

from brlp_models.auxiliary.huber import HuberAuxiliary
from brlp_models.errors import ModelError, OutOfMemoryError
from brlp_models.model.config import VolumeError
from brlp_models.model.folder import load_model, write_model_folder
from brlp_models.model.model import BrlpModel
from brlp_models.model.sampling import run_reverse_diffusion
from brlp_models.model.threads import limited_threads
from brlp_models.prediction import cohort as prediction_cohort
from brlp_models.prediction import draws as prediction_draws
from brlp_models.prediction import job as prediction_job
from brlp_models.prediction.batches import BatchSize
from brlp_models.prediction.cohort import predict_cohort
from brlp_models.prediction.job import CohortPrediction
from brlp_models.prediction.settings import Part
from brlp_models.scans.segmentation import NetworkSegmenter
from cohorts.cohort import Cohort
from tests.brlp_models.brain_drawing import draw_brain
from trialsim.study.steps.elsewhere import ModelOfWorker, Predicting
from trialsim.workers.processes import Processes

REGIONS = ("hippocampus", "lateral_ventricle")
PEOPLE = ("sub-1", "sub-2", "sub-3")
ROUNDING = {"rtol": 1e-4}
"""Single precision: the sds over draws are small differences of large volumes."""


def make_tables(
    people: Sequence[str], months: Sequence[float], rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    n = len(people)
    participants = pd.DataFrame(
        {
            "participant_id": people,
            "sex": rng.choice(["F", "M"], n),
            "age_years": rng.uniform(60, 80, n),
            "diagnosis": rng.choice(["CN", "MCI", "AD"], n),
        }
    )
    visits = participants.merge(pd.DataFrame({"months_from_baseline": months}), how="cross")
    visits["session_id"] = [f"ses-{m:g}" for m in visits["months_from_baseline"]]
    visits["age_years"] += visits["months_from_baseline"] / 12
    volumes = visits[["participant_id", "session_id"]].merge(
        pd.DataFrame(
            {"region": [*REGIONS, "left_hippocampus"], "volume_mm3": [7000.0, 40000.0, 3500.0]}
        ),
        how="cross",
    )
    volumes["volume_mm3"] *= rng.uniform(0.9, 1.1, len(volumes))
    return {
        "participants": participants,
        "visits": visits.drop(columns="sex").assign(image_path=None, segmentation_path=None),
        "volumes": volumes.assign(source="test"),
    }


@pytest.fixture(scope="module")
def model(tiny_model: BrlpModel, tmp_path_factory: pytest.TempPathFactory) -> BrlpModel:
    """Return the tiny model with an auxiliary regression."""
    training = Cohort(
        **make_tables([f"t{i}" for i in range(60)], [0, 12, 24], np.random.default_rng(1))
    )
    huber = HuberAuxiliary.fit(
        training.baseline(), training.visit_volumes(REGIONS), regions=REGIONS
    )
    config = tiny_model.config.model_copy(
        update={"auxiliary": {"one_visit": "auxiliary/huber.json"}}
    )
    folder = tmp_path_factory.mktemp("predicting") / "tiny"
    text = json.dumps(huber.to_dict())
    write_model_folder(
        folder, config, tiny_model.networks, card="", auxiliary={"auxiliary/huber.json": text}
    )
    return load_model(folder)


@pytest.fixture(scope="module")
def cohort(model: BrlpModel, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder, rng = tmp_path_factory.mktemp("scans"), np.random.default_rng(2)
    tables = make_tables(PEOPLE, [0, 12], rng)
    paths = []
    for row in tables["visits"].itertuples():
        path = folder / f"{row.participant_id}_{row.session_id}.nii.gz"
        nib.save(nib.Nifti1Image(draw_brain(rng), np.asarray(model.config.affine)), path)
        paths.append(str(path))
    tables["visits"]["image_path"] = paths
    return Cohort(**tables)


Predict = Callable[..., CohortPrediction]


@pytest.fixture(scope="module")
def reference(
    model: BrlpModel, cohort: Cohort, tmp_path_factory: pytest.TempPathFactory
) -> CohortPrediction:
    """Return what the `predict` fixture gives without changes."""
    out = tmp_path_factory.mktemp("reference")
    return predict_cohort(model, cohort, [24.0], 2, num_inference_steps=1, out=out)


@pytest.fixture
def predict(model: BrlpModel, cohort: Cohort, tmp_path: Path) -> Predict:
    """Predict with few steps, into a folder of its own."""

    def run(people: Cohort | None = None, **changes: Any) -> CohortPrediction:
        arguments: dict[str, Any] = {
            "horizons_months": [24.0],
            "samples": 2,
            "num_inference_steps": 1,
            "out": tmp_path / "out",
        }
        who = cohort if people is None else people
        return predict_cohort(changes.pop("model", model), who, **{**arguments, **changes})

    return run


def batch_as_on_a_gpu(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        prediction_cohort, "choose_batch_sizes", lambda *_: (BatchSize(size), BatchSize(1))
    )


def only(cohort: Cohort, people: Sequence[str]) -> Cohort:
    names = ("participants", "visits", "volumes")
    tables = {name: getattr(cohort, name) for name in names}
    return replace(
        cohort, **{k: v[v["participant_id"].isin(people)][::-1] for k, v in tables.items()}
    )


def volumes_of(found: CohortPrediction, person: str) -> pd.Series:
    rows = found.predictions[found.predictions["participant_id"] == person]
    return rows.set_index(["horizon_months", "region"])["volume_mm3"]


def test_everyone_is_predicted_at_every_horizon(predict: Predict) -> None:
    found = predict(horizons_months=[12.0, 24.0], samples=3)
    table = found.predictions
    assert len(table) == 3 * 2 * 3
    assert set(table["region"]) == {"hippocampus", "left_hippocampus", "lateral_ventricle"}
    assert (table["n_samples"] == 3).all()
    assert (table["volume_sd_mm3"] > 0).all()
    assert (table["global_uncertainty"] > 0).all()
    assert found.failures.empty
    assert found.scan_checks["verdict"].tolist() == ["pass"] * 3


def test_predicted_volume_is_the_measured_one_times_the_raw_ratio(
    reference: CohortPrediction,
) -> None:
    table = reference.predictions
    ratio = table["raw_volume_mm3"] / table["raw_baseline_volume_mm3"]
    assert np.allclose(table["volume_mm3"], table["baseline_volume_mm3"] * ratio)
    sds = table["raw_volume_sd_mm3"] / table["raw_baseline_volume_mm3"]
    assert np.allclose(table["volume_sd_mm3"], table["baseline_volume_mm3"] * sds)


def test_unchanged_latent_predicts_the_baseline_volume(
    predict: Predict, model: BrlpModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = f"{run_reverse_diffusion.__module__}.{run_reverse_diffusion.__name__}"
    monkeypatch.setattr(loop, lambda _, noise, *__: torch.zeros_like(noise))
    config = model.config.model_copy(update={"diffusion_target": "residual"})
    table = predict(model=replace(model, config=config)).predictions
    assert np.allclose(table["volume_mm3"], table["baseline_volume_mm3"], rtol=1e-5)
    assert np.allclose(table["volume_sd_mm3"], 0, atol=1e-2)


def test_what_all_draws_get_wrong_widens_the_interval(
    predict: Predict, model: BrlpModel, reference: CohortPrediction, tmp_path: Path
) -> None:
    error = VolumeError(at_baseline=0.03, per_year=0.02)
    config = model.config.model_copy(update={"volume_error": {"hippocampus": error}})
    drawn = reference.predictions
    table = predict(model=replace(model, config=config), out=tmp_path / "wide").predictions
    share = np.where(table["region"] == "lateral_ventricle", 0, np.hypot(0.03, 0.02 * 2))
    expected = np.hypot(drawn["volume_sd_mm3"], share * table["baseline_volume_mm3"])
    np.testing.assert_allclose(table["volume_sd_mm3"], expected, **ROUNDING)
    np.testing.assert_allclose(table["raw_volume_sd_mm3"], drawn["raw_volume_sd_mm3"], **ROUNDING)


def test_draws_read_in_half_precision_spread_alike(
    predict: Predict, model: BrlpModel, reference: CohortPrediction, tmp_path: Path
) -> None:
    halved = load_model(model.folder or "", precision="bf16")
    table = predict(model=halved, out=tmp_path / "half", samples=8).predictions
    whole = predict(out=tmp_path / "whole", samples=8).predictions
    np.testing.assert_allclose(table["volume_mm3"], whole["volume_mm3"], rtol=0.01)
    np.testing.assert_allclose(table["volume_sd_mm3"], whole["volume_sd_mm3"], rtol=0.2)


@pytest.mark.parametrize("change", [{"batch_size": 1}, {"batch_size": 5}, {"memory_gb": 0.001}])
def test_numbers_do_not_depend_on_the_batches(
    predict: Predict, reference: CohortPrediction, change: dict[str, Any]
) -> None:
    found = predict(**change).predictions
    pd.testing.assert_frame_equal(reference.predictions, found, check_exact=True)


def test_batches_of_a_gpu_give_the_same_numbers_but_for_rounding(
    predict: Predict, reference: CohortPrediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_as_on_a_gpu(5, monkeypatch)
    pd.testing.assert_frame_equal(reference.predictions, predict().predictions, **ROUNDING)


def test_numbers_do_not_depend_on_who_else_is_there(
    predict: Predict, reference: CohortPrediction, cohort: Cohort, tmp_path: Path
) -> None:
    alone = predict(only(cohort, ["sub-2"]), out=tmp_path / "alone")
    two = predict(only(cohort, ["sub-2", "sub-3"]), out=tmp_path / "two")
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
    assert sum(Processes(2).map(work, [Part(number, 2) for number in range(2)])) == len(PEOPLE)
    kept = {path.stat().st_mtime_ns for path in (tmp_path / "out" / "people").iterdir()}
    pd.testing.assert_frame_equal(reference.predictions, predict().predictions, check_exact=True)
    assert kept == {path.stat().st_mtime_ns for path in (tmp_path / "out" / "people").iterdir()}


def test_volumes_do_not_depend_on_whether_anybody_looks_at_the_scans(
    predict: Predict, reference: CohortPrediction
) -> None:
    shown = predict(on_person=lambda *_: None).predictions
    pd.testing.assert_frame_equal(reference.predictions, shown, check_exact=True)


@pytest.mark.parametrize(("samples", "decoded", "measured"), [(1, 2, 2), (2, 4, 4)])
def test_nothing_is_decoded_twice_and_nothing_rendered_that_nobody_looks_at(
    samples: int,
    decoded: int,
    measured: int,
    predict: Predict,
    cohort: Cohort,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = {"decode": 0, "measure": 0, "render": 0}

    def count(owner: type, name: str) -> None:
        own = getattr(owner, name)

        def counted(self: Any, images: Any, *args: Any, **options: Any) -> Any:
            done[name] += len(images)
            return own(self, images, *args, **options)

        monkeypatch.setattr(owner, name, counted)

    count(BrlpModel, "decode")
    count(BrlpModel, "render")
    count(NetworkSegmenter, "measure")
    predict(only(cohort, ["sub-1"]), samples=samples)
    assert done == {"decode": decoded, "measure": measured, "render": 0}


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


def test_ages_in_one_rounded_year_stay_apart(predict: Predict, tmp_path: Path) -> None:
    table = predict(horizons_months=[23.0, 24.0, 24.5], save_images=True).predictions
    rows = table[table["region"] == "hippocampus"]
    assert rows.groupby("participant_id")["volume_mm3"].nunique().tolist() == [3, 3, 3]
    names = {path.name for path in (tmp_path / "out").rglob("sub-1_ses-*_desc-pred*_T1w.nii.gz")}
    months = {
        name.partition("Month")[2].partition("Age")[0] for name in names if "_stat-" not in name
    }
    assert months == {"23", "24", "24p5"}


def test_images_lie_where_the_scan_lies(predict: Predict, model: BrlpModel, tmp_path: Path) -> None:
    predict(save_images=True)
    for kind in ("_desc-predictedMonth24", "_stat-sd_desc-predictedMonth24", "_desc-recon"):
        (path,) = (
            path
            for path in (tmp_path / "out").rglob(f"sub-1_ses-*{kind}*.nii.gz")
            if ("_stat-" in path.name) == ("_stat-" in kind) and "_label-" not in path.name
        )
        image: Any = nib.load(path)
        assert np.allclose(image.affine, model.config.affine)
        assert image.shape == model.config.shape
        assert image.get_fdata().max() > 0
    for scan in ("reconstructed", "predictedMonth24*"):
        name = f"sub-1_ses-*_label-hippocampus_desc-{scan}_probseg.nii.gz"
        (path,) = (tmp_path / "out").rglob(name)
        share: Any = nib.load(path)
        assert np.allclose(share.affine, model.config.affine)
        assert share.shape == model.config.shape
        assert 0 <= share.get_fdata().min() < share.get_fdata().max() <= 1


# a batch of two draws is one person; of six, all three, who are then drawn together once more
@pytest.mark.parametrize(("batch", "wanted"), [(2, {"sub-2"}), (6, {"sub-1", "sub-2", "sub-3"})])
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


def test_interrupted_run_keeps_who_is_finished(predict: Predict, tmp_path: Path) -> None:
    told: list[float] = []

    def stop(advance: float) -> None:
        told.append(advance)
        if sum(told) > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(on_progress=stop)
    kept = sorted(path.name for path in (tmp_path / "out" / "people").iterdir())
    assert kept == ["sub-1.json"]
    assert len(predict().predictions) == 3 * 3


def test_progress_adds_up_to_all_predictions(predict: Predict, cohort: Cohort) -> None:
    told: list[float] = []
    lost = cohort.visits["image_path"].where(cohort.visits["participant_id"] != "sub-2")
    predict(replace(cohort, visits=cohort.visits.assign(image_path=lost)), on_progress=told.append)
    assert sum(told) == pytest.approx(3)


def test_other_settings_need_another_folder(predict: Predict) -> None:
    predict()
    with pytest.raises(ModelError, match=r"predictions with samples 2, not 4"):
        predict(samples=4)


def test_one_persons_failure_leaves_the_rest(predict: Predict, cohort: Cohort) -> None:
    visits = cohort.visits.copy()
    visits.loc[visits["participant_id"] == "sub-2", "image_path"] = "absent.nii.gz"
    found = predict(replace(cohort, visits=visits))
    assert found.failures["participant_id"].tolist() == ["sub-2"]
    assert "absent.nii.gz" in found.failures["problem"].iloc[0]
    assert sorted(found.scan_checks["verdict"]) == ["fail", "pass", "pass"]
    assert set(found.predictions["participant_id"]) == {"sub-1", "sub-3"}


def test_failure_of_a_draws_segmentation_leaves_the_rest(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = prediction_draws.Drawing.measure

    def fail(self: Any, scans: torch.Tensor, names: Sequence[str]) -> Any:
        if names[0].startswith("sub-1_") and "predicted" in names[0]:
            raise ModelError("no segmentation of sub-1")
        return measure(self, scans, names)

    monkeypatch.setattr(prediction_draws.Drawing, "measure", fail)
    found = predict()
    assert found.failures["participant_id"].tolist() == ["sub-1"]
    assert len(found.predictions) == 2 * 3


def test_covariate_outside_training_is_flagged(predict: Predict, cohort: Cohort) -> None:
    ages = {"sub-1": 30.0, "sub-2": 70.0, "sub-3": 70.0}
    tables = {
        name: getattr(cohort, name).assign(age_years=lambda t: t["participant_id"].map(ages))
        for name in ("participants", "visits")
    }
    table = predict(replace(cohort, **tables)).predictions
    flagged = table[table["verdict"] == "warn"]
    assert set(flagged["participant_id"]) == {"sub-1"}
    assert "training range of tiny (40 to 95)" in flagged["warnings"].iloc[0]


def test_unknown_volume_is_named(predict: Predict, cohort: Cohort) -> None:
    volumes = cohort.volumes
    lacking = (volumes["participant_id"] == "sub-3") & (volumes["region"] == "hippocampus")
    found = predict(replace(cohort, volumes=volumes[~lacking]))
    assert found.failures["participant_id"].tolist() == ["sub-3"]
    assert "hippocampus" in found.failures["problem"].iloc[0]


def test_volumes_are_measured_where_the_cohort_has_none(predict: Predict, cohort: Cohort) -> None:
    bare = replace(cohort, volumes=cohort.volumes.iloc[:0])
    table = predict(bare).predictions
    assert (table["baseline_source"] == "tiny segmenter").all()
    assert "right_hippocampus" in set(table["region"])


def test_latest_allowed_visit_is_the_start(predict: Predict, tmp_path: Path) -> None:
    table = predict(horizons_months=[24.0], until_months=12.0).predictions
    assert (table["session_id"] == "ses-12").all()
    with pytest.raises(ModelError, match="after month 12 of the starting visit, got 12"):
        predict(horizons_months=[12.0], until_months=12.0, out=tmp_path / "other")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"horizons_months": [0.0]}, "after month 0 of the starting visit, got 0"),
        ({"horizons_months": [-12.0]}, "got -12"),
        ({"horizons_months": []}, "At least one horizon"),
        ({"horizons_months": [24.0, 24.0]}, "distinct"),
        ({"samples": 0}, "at least 1 or auto, got 0"),
        ({"samples": "auto", "measure": False}, "auto needs a segmenter"),
    ],
)
def test_impossible_question_is_refused(
    predict: Predict, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        predict(**change)


def test_auto_stops_when_the_volume_is_known_well_enough(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_job, "AUTO_MAXIMUM", 8)
    loose = predict(samples="auto", tolerance_percent=50.0).predictions
    assert (loose["n_samples"] == 4).all()
    strict = predict(samples="auto", tolerance_percent=1e-9, out=tmp_path / "strict").predictions
    assert (strict["n_samples"] == 8).all()


def test_shortage_of_memory_makes_batches_smaller(
    predict: Predict, reference: CohortPrediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = prediction_draws.sample_latents
    sizes: list[int] = []

    def limited(model: BrlpModel, latents: torch.Tensor, *rest: Any) -> torch.Tensor:
        sizes.append(len(latents))
        if len(latents) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return sample(model, latents, *rest)

    batch_as_on_a_gpu(6, monkeypatch)
    monkeypatch.setattr(prediction_draws, "sample_latents", limited)
    found = predict().predictions
    assert sizes[:3] == [6, 3, 1]
    pd.testing.assert_frame_equal(reference.predictions, found, **ROUNDING)


def test_shortage_of_memory_for_one_draw_is_a_sentence(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    monkeypatch.setattr(prediction_draws, "sample_latents", never)
    with pytest.raises(OutOfMemoryError, match="one draw at a time"):
        predict()


def test_shortage_of_memory_for_one_scan_is_a_sentence(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    monkeypatch.setattr(BrlpModel, "encode", never)
    with pytest.raises(OutOfMemoryError, match="one scan at a time"):
        predict()


def test_shortage_of_memory_for_segmenting_makes_batches_smaller(
    predict: Predict, reference: CohortPrediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = NetworkSegmenter.measure

    def limited(self: Any, scans: torch.Tensor, names: Sequence[str]) -> Any:
        if len(scans) > 1:
            raise MemoryError
        return measure(self, scans, names)

    monkeypatch.setattr(NetworkSegmenter, "measure", limited)
    found = predict().predictions
    pd.testing.assert_frame_equal(reference.predictions, found, **ROUNDING)


def test_strange_participant_stays_in_the_folder(
    predict: Predict, cohort: Cohort, tmp_path: Path
) -> None:
    tables = {
        name: getattr(cohort, name).replace({"participant_id": {"sub-1": "../sub-1"}})
        for name in ("participants", "visits", "volumes")
    }
    found = predict(replace(cohort, **tables), save_images=True)
    assert found.failures.empty
    assert not list(tmp_path.glob("*sub-1*"))
    assert not list((tmp_path / "out").glob("*sub-1*"))


def test_what_is_shown_changes_no_volume(
    predict: Predict, model: BrlpModel, reference: CohortPrediction, tmp_path: Path
) -> None:
    config = model.config.model_copy(update={"decoding": "difference"})
    shown: list[torch.Tensor] = []
    table = predict(
        model=replace(model, config=config),
        out=tmp_path / "shown",
        on_person=lambda _targets, scans: shown.extend(scans),
    ).predictions
    np.testing.assert_allclose(table["volume_mm3"], reference.predictions["volume_mm3"], **ROUNDING)
    assert len(shown) == len(PEOPLE)


def test_a_refined_scan_is_the_start_plus_the_sharpened_change(
    tiny_folder: Callable[..., Path],
) -> None:
    refiner = {"args": {"in_channels": 3, "out_channels": 2, "channels": [2, 4], "strides": [2]}}
    model = load_model(tiny_folder(decoding="refined", refiner=refiner))
    scan = torch.full((1, *model.config.shape), 0.5)
    decoded = torch.rand(2, 1, *model.config.shape, generator=torch.Generator().manual_seed(0)) / 9
    start = torch.zeros_like(scan)
    head = model.network("refiner")[1]  # type: ignore[index]
    for parameter in head.parameters():
        parameter.data.zero_()
    shown = model.render(decoded, scan=scan, reconstruction=start)
    torch.testing.assert_close(shown, scan + decoded)
    # the head's constant, divided by the scale of changes
    head.bias.data.fill_(1.0)
    more = model.render(decoded, scan=scan, reconstruction=start)
    torch.testing.assert_close(more, scan + decoded + 0.1)


def test_segmentations_of_scans_that_are_not_decoded_latents_are_refused(
    predict: Predict, model: BrlpModel, tmp_path: Path
) -> None:
    config = model.config.model_copy(update={"decoding": "difference"})
    with pytest.raises(ModelError, match="leave the segmentations out"):
        predict(model=replace(model, config=config), segmentations=tmp_path)


def test_the_baseline_beside_a_shown_change_is_as_sharp_as_the_scan(
    predict: Predict, model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    config = model.config.model_copy(update={"decoding": "difference"})
    people = only(cohort, ["sub-1"])
    predict(people, model=replace(model, config=config), out=tmp_path / "shown", save_images=True)
    (path,) = (tmp_path / "shown").rglob("sub-1_*_desc-reconstructed_T1w.nii.gz")
    first = people.visits.sort_values("months_from_baseline")["image_path"].iloc[0]
    scan = nib.load(first).get_fdata()
    np.testing.assert_allclose(nib.load(path).get_fdata(), scan, atol=1e-5)
