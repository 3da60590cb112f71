"""Trials with time to conversion, against log-rank tests of simulated ones."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from trialsim.analytic import (
    Hazard,
    compute_observed_event_rate,
    conversion_enrichment,
    conversion_trial,
    estimate_hazard,
    logrank_events,
)
from trialsim.analytic.events.conversion import compute_event_share
from trialsim.errors import DesignError

Floats = npt.NDArray[np.float64]


def compute_logrank(months: Floats, converted: npt.NDArray[np.bool_], treated: Floats) -> Floats:
    """Return z of many trials, (n_trials, n_people); positive where treated convert later."""
    order = np.argsort(months, axis=1)
    arm, event = treated[order], np.take_along_axis(converted, order, axis=1)
    at_risk = np.arange(months.shape[1], 0, -1)
    share = np.cumsum(arm[:, ::-1], axis=1)[:, ::-1] / at_risk
    variance = (share * (1 - share) * event).sum(axis=1)
    return np.asarray(((share - arm) * event).sum(axis=1) / np.sqrt(variance))


def simulate(hazard: Hazard, ratio: float, n: int, n_trials: int) -> tuple[Floats, Floats]:
    """Return z and conversions of trials with n people in each arm, followed as `FOLLOW` says."""
    rng, shape = np.random.default_rng(1), (n_trials, 2 * n)
    treated = (np.arange(2 * n) >= n).astype(float)
    converts = hazard.invert(rng.exponential(size=shape) / np.where(treated == 1, ratio, 1.0))
    ends = FOLLOW["accrual_months"] * rng.random(shape) + FOLLOW["followup_months"]
    ends = np.minimum(ends, rng.exponential(1 / FOLLOW["dropout_per_month"], shape))
    z = compute_logrank(np.minimum(converts, ends), converts <= ends, treated)
    return z, (converts <= ends).sum(axis=1).astype(float)


FOLLOW = {"accrual_months": 18.0, "followup_months": 18.0, "dropout_per_month": 0.005}


def test_hazards_are_estimated_and_inverted() -> None:
    hazard = Hazard((0.01, 0.03), (0.0, 12.0))
    months = np.array([3.0, 12.0, 20.0, 40.0])
    assert hazard.invert(hazard.accumulate(months)) == pytest.approx(months)
    time = hazard.invert(np.random.default_rng(2).exponential(size=20_000))
    end = np.minimum(time, 30.0)
    again = estimate_hazard(end, time <= 30, (0.0, 12.0))
    assert again.per_month == pytest.approx(hazard.per_month, rel=0.06)


def test_a_conversion_where_two_periods_meet_is_of_the_first() -> None:
    # 24 months are lived until month 12, and 12 after it
    hazard = estimate_hazard([12, 24], [True, True], (0.0, 12.0))
    assert hazard.per_month == pytest.approx((1 / 24, 1 / 12))


def test_share_that_converts_is_the_exponential_s() -> None:
    share = compute_event_share(
        Hazard((0.02,)), accrual_months=0, followup_months=24, dropout_per_month=0.01
    )
    assert share == pytest.approx(2 / 3 * (1 - np.exp(-0.03 * 24)))


def test_logrank_power_agrees_with_simulation() -> None:
    hazard, n_trials = Hazard((0.01, 0.02), (0.0, 12.0)), 3000
    plan = conversion_trial(hazard, hazard_ratio=0.6, power=0.85, **FOLLOW)
    n = round(plan["n_control"])
    z, events = simulate(hazard, 0.6, n, n_trials)
    none, _ = simulate(hazard, 1.0, n, n_trials)
    bound = stats.norm.isf(0.025)
    assert events.mean() == pytest.approx(plan["events"], rel=0.01)
    assert (z > bound).mean() == pytest.approx(0.85, abs=4 * (0.85 * 0.15 / n_trials) ** 0.5)
    assert (none > bound).mean() == pytest.approx(0.025, abs=4 * (0.025 / n_trials) ** 0.5)


def test_logrank_of_one_trial_is_the_textbook_s() -> None:
    months = np.array([[6.0, 7.0, 10.0, 15.0, 19.0, 25.0]])
    converted = np.array([[True, True, False, True, False, True]])
    treated = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    # treated at risk / at risk at 6, 7, 15, 25: 4/6, 4/5, 2/3, 1/1
    expected = 4 / 6 + 4 / 5 + 2 / 3 + 1 - 2
    variance = 4 / 6 * 2 / 6 + 4 / 5 * 1 / 5 + 2 / 3 * 1 / 3
    assert compute_logrank(months, converted, treated)[0] == pytest.approx(
        expected / np.sqrt(variance)
    )


def test_enrichment_of_conversions_needs_fewer_people_and_more_screening() -> None:
    rng = np.random.default_rng(5)
    score = rng.standard_normal(4000)
    time = rng.exponential(np.exp(-0.7 * score) / 0.012)
    table = conversion_enrichment(
        np.minimum(time, 36),
        time <= 36,
        score,
        [1.0, 0.5, 0.25],
        hazard_ratio=0.7,
        accrual_months=12,
        followup_months=24,
        screening_cost=1000,
        participant_cost=20_000,
    )
    assert table["n_total"].is_monotonic_decreasing
    assert table["n_to_screen"].is_monotonic_increasing
    assert table["events"].nunique() == 1
    assert table["cost"].iloc[0] == pytest.approx(20_000 * table["n_total"].iloc[0])


_FOLLOWED: dict[str, float] = {"hazard_ratio": 0.7, "accrual_months": 12, "followup_months": 24}


def test_people_with_equal_scores_count_alike_whatever_their_order() -> None:
    time = np.sort(np.random.default_rng(3).exponential(40, 200))
    archive = np.minimum(time, 36), time < 36
    everyone = conversion_trial(estimate_hazard(*archive), **_FOLLOWED)["n_total"]
    table = conversion_enrichment(*archive, np.zeros(200), [0.25, 1.0], **_FOLLOWED)
    assert table["n_total"].tolist() == pytest.approx([everyone] * 2)
    assert table["n_archive"].tolist() == pytest.approx([50, 200])
    # four people of two scores, three of them wanted: of the last two each counts by a half
    months, converted = np.array([6.0, 12, 24, 36]), np.array([1, 1, 1, 0])
    (row,) = conversion_enrichment(months, converted, [2, 2, 1, 1], [0.75], **_FOLLOWED).to_dict(
        "records"
    )
    hazard = Hazard((2.5 / (6 + 12 + 0.5 * (24 + 36)),))
    assert row["n_total"] == pytest.approx(conversion_trial(hazard, **_FOLLOWED)["n_total"])
    assert (row["n_archive"], row["n_conversions"]) == (3, 2.5)


def test_the_interval_of_people_holds_the_truth_as_often_as_it_says() -> None:
    rng, truth = np.random.default_rng(8), conversion_trial(Hazard((0.01,)), **_FOLLOWED)
    held = []
    for _ in range(200):
        time = rng.exponential(100, 150)
        (row,) = conversion_enrichment(
            np.minimum(time, 36), time < 36, np.zeros(150), [1.0], **_FOLLOWED
        ).to_dict("records")
        held.append(row["n_total_lower"] <= truth["n_total"] <= row["n_total_upper"])
    assert 0.9 < np.mean(held) < 0.99


BAD = [
    (lambda: Hazard((0.0,)), "above 0 somewhere"),
    (lambda: Hazard((0.1, 0.2), (0.0,)), "one rate a period"),
    (lambda: estimate_hazard([1.0, 2.0], [False, False]), "at least one who converted"),
    (lambda: estimate_hazard([1.0, 2.0], [True, False], (0.0, 5.0)), "Nobody is followed"),
    (lambda: estimate_hazard([1.0, 2.0], ["no", "yes"]), "converted must be 0 or 1"),
    (lambda: estimate_hazard([1.0, 2.0, 3.0], [1, 0, -4]), "0 or 1 .* for everyone, got -4"),
    (lambda: estimate_hazard([1.0, 2.0], [1, float("nan")]), "for everyone, got nan"),
    (lambda: Hazard(("a",)), "must be numbers"),
    (lambda: conversion_enrichment([9, 8], [1, 1], [1, 2], [], **_FOLLOWED), "at least one share"),
    (lambda: conversion_enrichment([9, 8], [1, 1], [1, 2], [0.0], **_FOLLOWED), "at most 1, got 0"),
    (lambda: conversion_enrichment([9, 8], [1, 1], ["a", 2], [0.5], **_FOLLOWED), "score must be"),
    (lambda: conversion_enrichment([9, 8], [1, 0], [1, 2], [0.5], **_FOLLOWED), "top 0.5 of the"),
    (lambda: logrank_events(hazard_ratio=1.0), "must differ from 1"),
    (lambda: logrank_events(hazard_ratio=0.7, sides=3), "sides must be 1 or 2"),
    (lambda: logrank_events(hazard_ratio=0.7, power=0.01), "power must exceed alpha, got power"),
    (
        lambda: conversion_enrichment(
            [9, 8], [1, 1], [1, 2], [0.5], screening_cost=-5, **_FOLLOWED
        ),
        "screening_cost must be 0 or more, got -5",
    ),
    (
        lambda: conversion_trial(
            Hazard((0.0, 0.1), (0.0, 60.0)), hazard_ratio=0.7, accrual_months=1, followup_months=12
        ),
        "Nobody converts within 13 months",
    ),
    (
        lambda: conversion_enrichment(
            [9, 9], [1, 1], [1.0], [0.5], hazard_ratio=0.7, accrual_months=1, followup_months=9
        ),
        "needs a score, got 1 score of 2 people",
    ),
    (
        lambda: conversion_enrichment([9, 8, 7], [1, 1, 0], [3, 2, 1], [0.1], **_FOLLOWED),
        "fraction of 0.1 is nobody of the archive's 3 people: enroll more",
    ),
    (
        lambda: compute_observed_event_rate(
            scores=[3, 2, 1], events=[1, 1, 0], fraction_enrolled=1e-9
        ),
        "fraction of 1e-09 is nobody of the archive's 3 people",
    ),
    (
        lambda: conversion_enrichment([9, 8], [1, 1], [2, 1], [1 + 1e-12], **_FOLLOWED),
        "at most 1, got 1.000000000001",
    ),
]


@pytest.mark.parametrize(("ask", "words"), BAD)
def test_impossible_questions_are_refused(ask: Any, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        ask()
