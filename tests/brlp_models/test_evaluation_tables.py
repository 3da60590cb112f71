"""Evaluation of a model: known answers on constructed tables and scans."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from brlp_models.evaluation.calibration.volume_error import fit_volume_error
from brlp_models.evaluation.images.accuracy import (
    compare_images,
    correlate_smoothed,
    correlate_voxels,
)
from brlp_models.evaluation.images.floor import summarize_floor
from brlp_models.evaluation.measures.accuracy import (
    IMAGE,
    summarize_accuracy,
    summarize_change_errors,
    tabulate_errors,
)
from brlp_models.evaluation.measures.coverage import (
    fit_factors,
    summarize_calibration,
    summarize_coverage,
)
from brlp_models.evaluation.measures.ranking import summarize_ranking
from brlp_models.evaluation.measures.uncertainty import fit_term_slope
from brlp_models.evaluation.methods import AUXILIARY, CARRY_FORWARD, MODEL
from brlp_models.evaluation.results_text import render_results
from brlp_models.evaluation.statistics import compute_mean, compute_spearman, estimate
from brlp_models.scans.grid import Grid, resample, resample_labels

REGIONS = ("hippocampus", "lateral_ventricle")
TYPICAL_MM3 = {"hippocampus": 7000.0, "left_hippocampus": 3500.0, "lateral_ventricle": 40000.0}
RNG = np.random.default_rng


def make_predicted(method: str, predicted: list[float], true: list[float]) -> pd.DataFrame:
    n = len(true)
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{k}" for k in range(n)],
            "horizon_months": 24.0,
            "region": "hippocampus",
            "method": method,
            "predicted_mm3": predicted,
            "sd_mm3": 100.0,
            "true_mm3": true,
            "baseline_mm3": 1000.0,
            "start_mm3": 1000.0,
            "brain_mm3": 1e6,
        }
    )


def summarize(*methods: pd.DataFrame) -> pd.DataFrame:
    errors = tabulate_errors(pd.concat(methods))
    found = summarize_accuracy(errors, rng=RNG(0), n_bootstrap=50)
    return found.set_index("method")


TRUE = [900.0, 950.0, 980.0, 990.0, 870.0, 930.0]


def test_perfect_predictions_have_no_error_and_improve_by_everything() -> None:
    found = summarize(
        make_predicted(MODEL, TRUE, TRUE), make_predicted(CARRY_FORWARD, [1000.0] * 6, TRUE)
    )
    assert found.loc[MODEL, "value"] == 0
    assert tuple(found.loc[MODEL, ["improvement_lower", "improvement_percent"]]) == (100, 100)
    loss = 1000 - np.mean(TRUE)
    assert found.loc[CARRY_FORWARD, "value"] == pytest.approx(100 * loss / 1e6)


def test_carrying_forward_improves_on_itself_by_nothing() -> None:
    still = make_predicted(CARRY_FORWARD, [1000.0] * 6, TRUE)
    found = summarize(still.assign(method=MODEL), still).loc[MODEL]
    assert found["improvement_lower"] == found["improvement_upper"] == 0


def test_improvement_of_similarity_is_that_of_what_it_lacks() -> None:
    images = pd.DataFrame(
        {"participant_id": ["sub-0", "sub-0"], "horizon_months": 24.0}
        | {"method": [MODEL, CARRY_FORWARD], "mse": [1.0, 2.0], "ssim": [0.9, 0.8]}
    )
    volumes = make_predicted(MODEL, TRUE, TRUE)
    found = summarize_accuracy(tabulate_errors(volumes, images), rng=RNG(0), n_bootstrap=10)
    scans = found[(found["region"] == IMAGE) & (found["method"] == MODEL)]
    assert scans["improvement_percent"].to_list() == pytest.approx([50, 50])


def test_the_change_error_of_carrying_forward_is_one_and_of_half_the_change_a_half() -> None:
    start = [1020.0, 990.0, 1000.0, 1010.0, 970.0, 1000.0]
    still = make_predicted(CARRY_FORWARD, start, TRUE).assign(start_mm3=start)
    ratio = 1 - (1 - np.array(TRUE) / 1000) / 2
    half = make_predicted(MODEL, list(ratio * start), TRUE).assign(start_mm3=start)
    found = summarize_change_errors(pd.concat([still, half]), rng=RNG(0), n_bootstrap=50)
    value = found.set_index("method")["value"]
    assert value.to_dict() == {MODEL: pytest.approx(0.5), CARRY_FORWARD: pytest.approx(1)}
    assert (found["lower"] <= found["value"] + 1e-9).all()


def test_methods_without_an_sd_have_no_coverage() -> None:
    wide = make_predicted(AUXILIARY, [940.0] * 6, TRUE).assign(sd_mm3=1000.0)
    narrow = make_predicted("elastic_net", [940.0] * 6, TRUE).assign(sd_mm3=1.0)
    still = make_predicted(CARRY_FORWARD, [1000.0] * 6, TRUE).assign(sd_mm3=np.nan)
    found = summarize_coverage(pd.concat([wide, narrow, still]))
    assert found.groupby("method")["coverage"].max().to_dict() == {AUXILIARY: 1, "elastic_net": 0}
    assert summarize_coverage(still).empty


def test_the_model_is_held_against_each_baseline() -> None:
    tables = [
        make_predicted(method, volumes, TRUE)
        for method, volumes in ((MODEL, TRUE), ("a", TRUE[::-1]), (AUXILIARY, TRUE))
    ]
    diagnosis = pd.Series(["CN"] * 6, [f"sub-{k}" for k in range(6)])
    found = summarize_ranking(pd.concat(tables), diagnosis, rng=RNG(0), n_bootstrap=50)
    rows = found[found["measure"] == "Spearman minus that of the a"]
    (row,) = rows.to_dict("records")
    assert row["method"] == MODEL
    assert row["value"] == pytest.approx(1 - compute_spearman(np.array(TRUE[::-1]), np.array(TRUE)))
    assert row["lower"] <= row["value"] <= row["upper"]
    # the auxiliary model is a baseline of everyone, and nobody's difference
    assert set(found[found["method"] == AUXILIARY]["measure"]) == {"Spearman"}


def test_the_right_order_ranks_perfectly_and_the_reverse_does_not() -> None:
    tables = [make_predicted(MODEL, TRUE, TRUE), make_predicted(AUXILIARY, TRUE[::-1], TRUE)]
    tables.append(make_predicted(CARRY_FORWARD, [1000.0] * 6, TRUE))
    diagnosis = pd.Series(["CN"] * 4 + ["AD"] * 2, [f"sub-{k}" for k in range(6)])
    found = summarize_ranking(pd.concat(tables), diagnosis, rng=RNG(0), n_bootstrap=50)
    value = found.set_index(["subgroup", "method", "measure"])["value"]
    reverse = compute_spearman(np.array(TRUE[::-1]), np.array(TRUE))
    assert value["all", MODEL, "Spearman"] == pytest.approx(1)
    difference = value["all", MODEL, f"Spearman minus that of the {AUXILIARY}"]
    assert difference == pytest.approx(1 - reverse)
    assert value["CN", MODEL, "Spearman"] == pytest.approx(1)
    assert np.isnan(value["AD", MODEL, "Spearman"])
    assert CARRY_FORWARD not in set(found["method"])


def test_people_are_ranked_by_the_models_endpoint() -> None:
    thalamus = make_predicted(MODEL, TRUE[::-1], TRUE).assign(region="thalamus")
    both = pd.concat([make_predicted(MODEL, TRUE, TRUE), thalamus])
    diagnosis = pd.Series("MS", [f"sub-{k}" for k in range(6)])
    found = summarize_ranking(both, diagnosis, region="thalamus", rng=RNG(0), n_bootstrap=50)
    reverse = compute_spearman(np.array(TRUE[::-1]), np.array(TRUE))
    # everybody has this diagnosis: nothing is said twice
    assert found["value"].item() == pytest.approx(reverse)


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    values = RNG(0).normal(3, 2, 400)
    found = estimate(compute_mean, values, rng=RNG(1), n_bootstrap=2000)
    half = norm.ppf(0.975) * values.std(ddof=1) / 20
    assert found.upper - found.lower == pytest.approx(2 * half, rel=0.08)
    assert found.value == values.mean()


def make_calibrated(n: int, error_sd: float, seed: int) -> pd.DataFrame:
    true = RNG(seed).normal(1000, error_sd, n)
    return make_predicted(MODEL, [1000.0] * n, true.tolist())


def test_honest_intervals_cover_as_often_as_they_say() -> None:
    found = summarize_calibration(make_calibrated(2000, 100, 0)).set_index("level")
    # three standard errors of a share of 2,000
    assert found.loc[0.8, "coverage"] == pytest.approx(0.8, abs=0.027)
    assert found.loc[0.95, "coverage"] == pytest.approx(0.95, abs=0.015)
    assert found["factor"].to_list() == pytest.approx([1, 1], abs=0.1)


def test_coverage_is_told_of_those_who_are_predicted_to_change_most() -> None:
    """The errors of those who change by 10 % are three times as large as of those by 1 %."""
    change = np.repeat([-0.1, -0.01, 0.01, 0.1], 500)
    sd = np.where(np.abs(change) > 0.05, 300, 100)
    predicted = 1000 * (1 + change)
    true = RNG(4).normal(predicted, sd)
    found = summarize_calibration(make_predicted(MODEL, predicted.tolist(), true.tolist()))
    found = found.set_index("level")
    of_most = 2 * norm.cdf(1.96 / 3) - 1
    # four standard errors of a share of 1,000
    assert found.loc[0.95, "coverage_of_most"] == pytest.approx(of_most, abs=0.064)
    assert found.loc[0.95, "coverage"] == pytest.approx((of_most + 0.95) / 2, abs=0.064)


@pytest.mark.parametrize("others", [True, False])
def test_recalibration_on_other_people_restores_the_coverage(others: bool) -> None:
    factors = fit_factors(make_calibrated(2000, 300, 1)) if others else None
    found = summarize_calibration(make_calibrated(2000, 300, 2), factors=factors)
    found = found.set_index("level")
    assert found.loc[0.95, "coverage"] == pytest.approx(2 * norm.cdf(1.96 / 3) - 1, abs=0.033)
    assert found.loc[0.95, "recalibrated"] == pytest.approx(0.95, abs=0.02)
    assert found["factor"].to_list() == pytest.approx([3, 3], rel=0.1)
    assert set(found["fitted_on"]) == {
        "another cohort" if others else "the other half of these people"
    }


def make_erring(n: int, of_change: float, seed: int) -> pd.DataFrame:
    """Return predictions whose draws have an sd of 1 %, and which err by 3 %, 2 % a year, and more.

    Who is predicted to lose more errs more: by `of_change` of it. The loss is skewed, to 30 %.
    """
    rng = RNG(seed)
    start, months = rng.uniform(5000, 9000, n), rng.choice([12.0, 24.0, 48.0], n)
    change = -0.3 * rng.beta(1, 3, n)
    sd = np.sqrt(0.01**2 + 0.03**2 + (0.02 * months / 12) ** 2 + (of_change * change) ** 2)
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{k}" for k in range(n)],
            "horizon_months": months,
            "region": "hippocampus",
            "predicted_mm3": (1 + change) * start,
            "sd_mm3": 0.01 * start,
            "start_mm3": start,
            "true_mm3": rng.normal(1 + change, sd) * start,
        }
    )


@pytest.mark.parametrize("of_change", [0.0, 0.5])
def test_what_the_draws_leave_out_of_the_error_is_found(of_change: float) -> None:
    table = make_erring(40_000, of_change, 6)
    found = fit_volume_error(table)["hippocampus"]
    # the variance of 40,000 squared errors: under 1 % of the sd, shared by three coefficients
    assert found.at_baseline == pytest.approx(0.03, rel=0.1)
    assert found.per_year == pytest.approx(0.02, rel=0.1)
    # a change of 7.5 % on average: 0.05 of it would be 1 % of an sd of 4 %
    assert found.of_change == pytest.approx(of_change, abs=0.05)


def test_intervals_hold_of_those_who_lose_most_what_they_hold_of_the_others() -> None:
    """Fitted on 150 people, they are as wide for each fifth as its errors are."""
    error = fit_volume_error(make_erring(150, 0.8, 1))["hippocampus"]
    others = make_erring(5000, 0.8, 2)
    change = others["predicted_mm3"] / others["start_mm3"] - 1
    sds = [
        np.hypot(0.01, error.compute_sd(*pair))
        for pair in zip(others["horizon_months"] / 12, change, strict=True)
    ]
    errors = (others["predicted_mm3"] - others["true_mm3"]) / others["start_mm3"]
    held = np.abs(errors) < norm.ppf(0.9) * np.asarray(sds)
    by_fifth = held.groupby(pd.qcut(change, 5)).mean()
    # one sd for all would hold 60 % of the fifth that loses most; 150 people tell an sd to 10 %
    assert by_fifth.to_list() == pytest.approx([0.8] * 5, abs=0.1)


def test_coverage_has_wilson_intervals() -> None:
    found = summarize_calibration(make_predicted(MODEL, [1000.0] * 10, [1000.0] * 10))
    assert (found["coverage"] == 1).all()
    assert found["coverage_lower"].to_list() == pytest.approx([0.7225, 0.7225], abs=1e-4)


def test_a_mixed_model_finds_the_slope_behind_the_people() -> None:
    rng = RNG(3)
    table = pd.DataFrame({"participant_id": np.repeat(np.arange(80), 3)})
    table["horizon_years"] = np.tile([1.0, 2.0, 3.0], 80)
    person = rng.normal(0, 5, 80)[table["participant_id"]]
    table["term"] = rng.normal(0, 1, 240)
    table["outcome"] = 0.5 * table["term"] + person + rng.normal(0, 0.3, 240)
    found = fit_term_slope(table, "outcome", "term")
    # three standard errors within people, twenty times fewer than between them
    assert found.value == pytest.approx(0.5, abs=3 * 0.3 / np.sqrt(160))
    assert found.upper - found.lower < 0.12
    assert (found.n, found.n_people) == (240, 80)


def test_one_visit_each_tells_nothing_of_people() -> None:
    table = pd.DataFrame({"participant_id": range(5), "term": range(5), "outcome": range(5)})
    assert np.isnan(fit_term_slope(table.assign(horizon_years=1.0), "outcome", "term").value)


def test_identical_scans_are_perfectly_similar() -> None:
    scan = torch.zeros(1, 20, 20, 20)
    scan[:, 4:-4, 4:-4, 4:-4] = torch.from_numpy(RNG(0).uniform(0.2, 1, (12, 12, 12)))
    same = compare_images(scan, scan)
    assert same["mse"] == 0
    assert same["ssim"] == pytest.approx(1, abs=1e-5)
    brighter = compare_images((scan + 0.1) * (scan > 0), scan)
    assert brighter["mse"] == pytest.approx(0.01, rel=1e-4)
    assert brighter["ssim"] < 1


def test_uncertainty_equal_to_the_error_correlates_perfectly() -> None:
    true = torch.from_numpy(RNG(0).uniform(0.2, 1, (1, 6, 6, 6))).float()
    error = torch.from_numpy(RNG(1).uniform(0, 0.1, (1, 6, 6, 6))).float()
    assert correlate_voxels(error, true + error, true) == pytest.approx(1, abs=1e-3)
    assert np.isnan(correlate_voxels(torch.zeros_like(true), true + error, true))


def test_noise_of_the_later_scan_drowns_single_voxels_but_no_smoothed_ones() -> None:
    true, sd = torch.zeros(1, 24, 24, 24), torch.zeros(1, 24, 24, 24)
    true[:, 3:-3, 3:-3, 3:-3] = 0.6
    sd[:, 8:16, 8:16, 8:16] = 0.05
    noise = torch.from_numpy(RNG(2).normal(0, 0.05, true.shape)).float() * (true > 0)
    plain, smoothed = (
        correlate(sd, true + sd, true + noise)
        for correlate in (correlate_voxels, correlate_smoothed)
    )
    assert plain < 0.2
    assert smoothed > 0.4


def test_labels_by_share_overlap_better_than_the_nearest() -> None:
    fine = Grid((40, 40, 40), np.eye(4))
    distance = np.linalg.norm(np.indices(fine.shape).T - 19.5, axis=-1).T
    shift = np.diag([2.0, 2.0, 2.0, 1.0])
    shift[:3, 3] = 0.9
    coarse = Grid((19, 19, 19), shift)
    ball = (17 * (distance < 8)).astype(np.int32)
    where = np.linalg.norm((np.indices(coarse.shape).T * 2 + 0.9) - 19.5, axis=-1).T < 8

    def compute_dice(labels: np.ndarray) -> float:
        return float(2 * ((labels == 17) & where).sum() / ((labels == 17).sum() + where.sum()))

    by_share = compute_dice(resample_labels(ball, fine, coarse))
    assert by_share > 0.97
    assert by_share >= compute_dice(resample(ball, fine, coarse, order=0))


def test_the_floors_intervals_are_over_people_not_visits() -> None:
    rng = RNG(3)
    people = np.repeat([f"sub-{k}" for k in range(30)], 3)
    # visits of a person are off by the same, so three of them tell no more than one
    error = np.repeat(rng.normal(0, 5, 30), 3)
    floor = pd.DataFrame(
        {
            "participant_id": people,
            "months": np.tile([0.0, 24.0, 48.0], 30),
            "region": "hippocampus",
            "true_mm3": 100.0,
            "input_mm3": 100 + error,
            "reconstructed_mm3": 100 + error,
            "dice": 0.8 + error / 100,
        }
    )
    found = summarize_floor(floor, rng=RNG(0), n_bootstrap=4000).set_index("measure")
    once = summarize_floor(floor[::3], rng=RNG(0), n_bootstrap=4000).set_index("measure")
    dice = found.loc["Dice of the segmented scan"]
    assert dice["n"] == 30
    expected = once.loc["Dice of the segmented scan", ["lower", "upper"]].astype(float)
    # 4,000 resamples: the bounds of a mean with a standard error of 0.009
    np.testing.assert_allclose(dice[["lower", "upper"]].astype(float), expected, atol=0.002)


def test_one_person_has_no_interval() -> None:
    found = estimate(compute_mean, np.array([3.0]), rng=RNG(0))
    assert found.value == 3
    assert np.isnan(found.lower)
    assert np.isnan(found.upper)


def test_both_ways_of_telling_a_wrong_diagnosis_are_shown() -> None:
    rows = [("image model alone", 0.7), ("image model and auxiliary model", -4.0)]
    table = pd.DataFrame(rows, columns=["told_to", "value"]).assign(
        diagnosis="CN", told="AD", lower=np.nan, upper=np.nan
    )
    text = render_results({"wrong_diagnosis": table}, is_synthetic=True)
    assert text.startswith("**SYNTHETIC people")
    assert "SYNTHETIC" not in render_results({"wrong_diagnosis": table})
    assert "| image model alone | CN | 0.7 |" in text
    assert "| image model and auxiliary model | CN | -4 |" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-7793.0, "-7790"),
        (999.6, "1000"),
        (1_234_567.0, "1230000"),
        (9_999_999.0, "10000000"),
        (0.0, "0"),
        (0.001, "0.001"),
        (-0.0123456, "-0.0123"),
        (12.3456, "12.3"),
        (2.5e8, "2.5e+08"),
        (12_345, "12345"),
        (np.nan, "–"),
    ],
)
def test_numbers_of_the_results_are_read_without_exponents(value: float, shown: str) -> None:
    table = pd.DataFrame({"method": ["BrLP"], "seconds": [value]})
    assert f"| BrLP | {shown} |" in render_results({"times": table})
