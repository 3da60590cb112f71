"""What is predicted of a cohort, with a tiny random model."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from brlp_models.errors import ModelError
from brlp_models.evaluation.conditions import TrueEndpoint
from brlp_models.model.config import Calibration, RelativeSd
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.model.sampling import run_reverse_diffusion
from brlp_models.prediction import job as prediction_job
from brlp_models.prediction.draws import PersonAtHorizon
from brlp_models.prediction.job import CohortPrediction
from brlp_models.prediction.tables import find_change_error
from brlp_models.scans.segmentation import NetworkSegmenter
from cohorts.cohort import Cohort
from tests.brlp_models.predicted_people import (
    ROUNDING,
    Predict,
    only,
)


def test_everyone_is_predicted_at_every_horizon(predict: Predict) -> None:
    found = predict(horizons_months=[12.0, 24.0], samples=3)
    table = found.predictions
    assert len(table) == 2 * 2 * 3
    assert set(table["region"]) == {"hippocampus", "left_hippocampus", "lateral_ventricle"}
    assert (table["n_samples"] == 3).all()
    assert (table["volume_sd_mm3"] > 0).all()
    assert (table["global_uncertainty"] > 0).all()
    assert found.failures.empty
    assert found.scan_checks["verdict"].tolist() == ["pass"] * 2


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
    error = RelativeSd(at_baseline=0.03, per_year=0.02, of_change=0.5)
    config = model.config.model_copy(update={"volume_error": {"hippocampus": error}})
    drawn = reference.predictions
    table = predict(model=replace(model, config=config), out=tmp_path / "wide").predictions
    change = table["volume_mm3"] / table["baseline_volume_mm3"] - 1
    share = np.sqrt(0.03**2 + (0.02 * 2) ** 2 + (0.5 * change) ** 2)
    share = share.where(table["region"] != "lateral_ventricle", 0)
    expected = np.hypot(drawn["volume_sd_mm3"], share * table["baseline_volume_mm3"])
    np.testing.assert_allclose(table["volume_sd_mm3"], expected, **ROUNDING)
    np.testing.assert_allclose(table["raw_volume_sd_mm3"], drawn["raw_volume_sd_mm3"], **ROUNDING)


@pytest.mark.parametrize(
    ("region", "decoding", "scale"),
    [
        ("hippocampus", "latent", 1.0),
        ("hippocampus", "difference", 1.2),
        ("lateral_ventricle", "latent", 1.0),
    ],
)
def test_what_all_draws_get_wrong_shows_where_change_is_shown(
    predict: Predict, model: BrlpModel, cohort: Cohort, region: str, decoding: str, scale: float
) -> None:
    # random networks change voxels far more than volumes: few sds shall reach their bound
    error = {region: RelativeSd(at_baseline=4e-5, per_year=2e-5, of_change=6e-4)}
    said = {"volume_error": error, "decoding": decoding, "voxel_scale": scale}
    knowing = replace(model, config=model.config.model_copy(update=said))
    seen: dict[str, tuple[PersonAtHorizon, Tensor, Tensor]] = {}

    def see(
        targets: Sequence[PersonAtHorizon], scans: Sequence[Tensor], sds: Sequence[Tensor]
    ) -> None:
        seen[targets[0].person.participant_id] = targets[0], scans[0], sds[0]

    rows = predict(only(cohort, ["sub-1"]), model=knowing, on_person=see).predictions
    row = rows.set_index("region").loc["hippocampus"]
    target, scan, sd = seen["sub-1"]
    change = row["volume_mm3"] / row["baseline_volume_mm3"] - 1
    # the endpoint's error over its change; what is known of another region says nothing here
    sd_of_change = np.sqrt(4e-5**2 + (2e-5 * 2) ** 2 + (6e-4 * change) ** 2)
    share = sd_of_change / np.hypot(change, sd_of_change)
    share *= region == model.config.endpoint
    # a decoded latent is compared with what is decoded of the starting scan, a scan with that
    person = target.person
    start = person.reconstruction.clamp(0, 1) if decoding == "latent" else person.scan.image
    shown = np.abs(np.asarray(scan - start))
    # in amount, and in place by about a voxel
    near = np.stack([gaussian_filter(channel, 1.0) for channel in shown])
    wrong_alike = share * np.hypot(shown, near)
    assert (np.abs(wrong_alike).max() > 0.1) == (region == model.config.endpoint)
    # as large as the error of what is shown
    expected = scale * np.hypot(np.asarray(target.draws.scans.sd), wrong_alike)
    assert (expected > 0.5).mean() < 0.1
    expected = np.minimum(expected, 0.5)
    np.testing.assert_allclose(np.asarray(sd), expected, **ROUNDING)


@pytest.mark.parametrize(
    ("change", "share"),
    [(0.0, 1.0), (1e-9, 1.0), (-0.03, 0.8), (0.03, 0.8), (-0.3, 0.04 / np.hypot(0.3, 0.04))],
)
def test_at_most_all_of_a_change_is_got_wrong_alike(
    predict: Predict, model: BrlpModel, cohort: Cohort, change: float, share: float
) -> None:
    seen: list[PersonAtHorizon] = []
    predict(only(cohort, ["sub-1"]), on_person=lambda targets, *_: seen.extend(targets))
    row = {
        "region": "hippocampus",
        "baseline_volume_mm3": 8000.0,
        "volume_mm3": 8000 + 8000 * change,
    }
    error = {"hippocampus": RelativeSd(at_baseline=0.04, per_year=0)}
    knowing = replace(model, config=model.config.model_copy(update={"volume_error": error}))
    assert find_change_error(knowing, seen[0], [row]) == pytest.approx(share)
    assert find_change_error(model, seen[0], [row]) == 0
    assert find_change_error(knowing, seen[0], [{**row, "region": "amygdala"}]) == 0


def test_one_draw_takes_the_sd_that_calibration_found(
    predict: Predict, model: BrlpModel, reference: CohortPrediction, tmp_path: Path
) -> None:
    known = RelativeSd(at_baseline=0.01, per_year=0.02)
    config = model.config.model_copy(update={"draw_sd": {"hippocampus": known}})
    one = replace(model, config=config)
    table = predict(model=one, out=tmp_path / "one", samples=1).predictions
    share = np.where(table["region"] == "lateral_ventricle", np.nan, np.hypot(0.01, 0.02 * 2))
    expected = share * table["baseline_volume_mm3"]
    np.testing.assert_allclose(table["volume_sd_mm3"], expected, **ROUNDING)
    assert table["raw_volume_sd_mm3"].isna().all()
    several = predict(model=one, out=tmp_path / "several").predictions
    np.testing.assert_array_equal(several["volume_sd_mm3"], reference.predictions["volume_sd_mm3"])


def test_what_was_measured_with_a_teller_takes_effect_where_it_tells(
    predict: Predict, model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    wide = {"hippocampus": RelativeSd(at_baseline=0.3, per_year=0)}
    known = {"a-1": Calibration(regions=("hippocampus",), volume_error=wide)}
    config = model.config.model_copy(update={"calibrations": known})
    key = pd.MultiIndex.from_tuples(
        [("sub-1", 24.0, "hippocampus")], names=["participant_id", "horizon_months", "region"]
    )
    found = {
        name: predict(
            only(cohort, ["sub-1"]),
            model=replace(model, config=config),
            out=tmp_path / name,
            context_from=TrueEndpoint(pd.Series([0.9], key), name),
        ).predictions
        for name in ("a-1", "b-1")
    }
    assert set(found["a-1"]["region"]) < set(found["b-1"]["region"])
    own = {name: table.set_index("region").loc["hippocampus"] for name, table in found.items()}
    sds = {name: row["volume_sd_mm3"] / row["baseline_volume_mm3"] for name, row in own.items()}
    assert sds["a-1"] == pytest.approx(np.hypot(sds["b-1"], 0.3))


@pytest.mark.slow
def test_draws_read_in_half_precision_spread_alike(
    predict: Predict, model: BrlpModel, cohort: Cohort, tmp_path: Path
) -> None:
    halved, one = load_model(model.folder or "", precision="bf16"), only(cohort, ["sub-1"])
    table = predict(one, model=halved, out=tmp_path / "half", samples=8).predictions
    whole = predict(one, out=tmp_path / "whole", samples=8).predictions
    np.testing.assert_allclose(table["volume_mm3"], whole["volume_mm3"], rtol=0.01)
    np.testing.assert_allclose(table["volume_sd_mm3"], whole["volume_sd_mm3"], rtol=0.2)


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


def test_ages_in_one_rounded_year_stay_apart(predict: Predict, tmp_path: Path) -> None:
    table = predict(horizons_months=[23.0, 24.0, 24.5], save_images=True).predictions
    rows = table[table["region"] == "hippocampus"]
    assert rows.groupby("participant_id")["volume_mm3"].nunique().tolist() == [3, 3]
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


def test_covariate_outside_training_is_flagged(predict: Predict, cohort: Cohort) -> None:
    ages = {"sub-1": 30.0, "sub-2": 70.0}
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
    lacking = (volumes["participant_id"] == "sub-2") & (volumes["region"] == "hippocampus")
    found = predict(replace(cohort, volumes=volumes[~lacking]))
    assert found.failures["participant_id"].tolist() == ["sub-2"]
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
    predict: Predict, cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_job, "AUTO_MAXIMUM", 8)
    one = only(cohort, ["sub-1"])
    loose = predict(one, samples="auto", tolerance_percent=50.0).predictions
    assert (loose["n_samples"] == 4).all()
    strict = predict(
        one, samples="auto", tolerance_percent=1e-9, out=tmp_path / "strict"
    ).predictions
    assert (strict["n_samples"] == 8).all()


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


def test_a_change_is_shown_as_far_as_it_stands_out(tiny_folder: Callable[..., Path]) -> None:
    model = load_model(tiny_folder(decoding="difference", shown_error=0.03))
    scan = torch.full((1, *model.config.shape), 0.5)
    start = torch.zeros_like(scan)
    # the same change everywhere, of two predictions; a Gaussian leaves its square as it is there
    decoded = torch.stack([start + 0.03, start - 0.09])
    shown = model.render(decoded, scan=scan, reconstruction=start)
    middle = (slice(None), 0, *(size // 2 for size in model.config.shape))
    assert shown[middle].tolist() == pytest.approx([0.5 + 0.03 / 2, 0.5 - 0.09 * 0.9], abs=1e-4)
    # a small change far from a large one is left out, beside it is shown
    decoded = start[None].clone()
    decoded[..., 0] = 0.3
    decoded[..., 1] = decoded[..., -1] = 0.003
    shown = model.render(decoded, scan=scan, reconstruction=start) - 0.5
    assert float(shown[0, 0, 8, 8, 1]) > 0.8 * 0.003
    assert abs(float(shown[0, 0, 8, 8, -1])) < 0.05 * 0.003


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
