"""Screening in stages: who passes each, with which cut-offs, and what it takes."""

import numpy as np
import pytest

from trialsim.costs import Costs
from trialsim.errors import DesignError
from trialsim.optimization.paths import PathStage, ScreeningPath
from trialsim.optimization.screening_stages import (
    ScreeningStage,
    build_latents,
    compute_passing,
    list_thresholds,
)
from trialsim.study.phrasing import phrase_value
from trialsim.study.question import parse_value


def test_people_who_enter_each_stage_are_whole_and_fill_the_next() -> None:
    path = ScreeningPath(
        (PathStage("blood", 0.3, 100), PathStage("scan", 0.5, 1500, capacity_per_month=4)), 6.0
    )
    people = np.array([30.0, 31.0])
    entering = path.count_entering(people)
    assert [one.tolist() for one in entering] == [[200, 207], [60, 62]]
    costs = Costs(participant=10, visit=1, per_month=7, screening_rate_per_month=20)
    months = path.expect_enrollment(entering, costs)
    assert months.tolist() == [60 / 4 + 6, 62 / 4 + 6]  # the scanner is what they wait for
    price = path.price(people, entering, months + 24, costs, n_visits=3)
    assert price[0] == 30 * (10 + 2) + 200 * 100 + 60 * 1500 + 7 * (15 + 6 + 24)


def test_a_stated_marker_has_its_correlation_with_true_decline() -> None:
    rng, n, reliability = np.random.default_rng(2), 200_000, 0.6
    true = rng.normal(size=n)
    decline = true * np.sqrt(reliability) + rng.normal(size=n) * np.sqrt(1 - reliability)
    stage = ScreeningStage("blood", correlation=0.5, share_passing=(0.4,))
    weights = np.ones(n)
    expected, spread = build_latents([stage], {}, decline, reliability, weights)
    passing, _, passed = compute_passing(expected, spread, (0.4,), weights)
    assert passing.mean() == pytest.approx(0.4, abs=1e-6)
    assert passed.shares == (0.4,)
    height = np.exp(-(0.2533471031**2) / 2) / np.sqrt(2 * np.pi) / 0.4
    # a person's true decline rises by correlation x selection, and so does the measured mean
    gained = np.average(decline, weights=passing) - decline.mean()
    assert gained == pytest.approx(0.5 * np.sqrt(reliability) * height, abs=0.01)


def test_measured_and_stated_stages_are_cut_one_after_another() -> None:
    rng = np.random.default_rng(3)
    scan, decline, weights = rng.normal(size=5000), rng.normal(size=5000), np.ones(5000)
    stages = [
        ScreeningStage("scan", measure="brlp", share_passing=(0.5,)),
        ScreeningStage("PET", correlation=0.3, correlations={"scan": 0.4}, share_passing=(0.2,)),
    ]
    latents = build_latents(stages, {"scan": scan}, decline, 1.0, weights)
    passing, cutoffs, _ = compute_passing(*latents, (0.5, 0.2), weights)
    assert cutoffs[0] == np.sort(scan)[2500]
    assert (passing[scan < np.median(scan)] == 0).all()
    assert passing.mean() == pytest.approx(0.1, abs=1e-3)
    related = np.corrcoef(latents[0][1] + rng.normal(size=5000) * latents[1][1], scan)[0, 1]
    assert related == pytest.approx(0.4, abs=4 / np.sqrt(5000))


def test_people_with_equal_values_pass_together() -> None:
    points = np.repeat([24.0, 26.0, 28.0, 30.0], 25)
    found = compute_passing(-points[None], np.zeros(1), (0.4,), np.ones(100))
    assert found[0].sum() == 50
    assert (found[1], found[2].shares) == ([-26.0], (0.5,))
    everyone = compute_passing(np.zeros((1, 9)), np.zeros(1), (0.4,), np.ones(9))
    assert everyone[2].shares == (1.0,)


def test_a_rule_tells_its_cutoffs() -> None:
    stages = [
        ScreeningStage("MMSE", measure="mmse", passes="low"),
        ScreeningStage("blood", correlation=0.3),
    ]
    rule = list_thresholds(stages)[0].describe(stages, [-27.0, 0.4])
    assert rule == "MMSE lowest 30% (at most 27), then blood top 30%"


def test_stages_are_written_as_a_shell_and_the_protocol_read_them() -> None:
    stages = [{"name": "blood", "correlation": 0.4, "share_passing": [0.5, 1.0]}]
    assert parse_value(phrase_value(stages)) == stages


def test_correlations_that_no_variables_have_are_refused() -> None:
    stages = [
        ScreeningStage("scan", measure="brlp"),
        ScreeningStage("PET", correlation=-0.9, correlations={"scan": 0.9}),
    ]
    decline = np.random.default_rng(0).normal(size=100)
    with pytest.raises(DesignError, match="no variable has these correlations"):
        build_latents(stages, {"scan": decline}, decline + 0.01, 1.0, np.ones(100))
    wrong = [ScreeningStage("PET", correlation=0.1, correlations={"blood": 0.9})]
    with pytest.raises(DesignError, match="'blood' is no earlier stage"):
        build_latents(wrong, {}, decline, 1.0, np.ones(100))
