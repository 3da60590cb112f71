"""Bounds at observed information are one rule, in simulated trials and in one that is monitored."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from trialsim.analytic import group_sequential
from trialsim.analytic.sequential.held import hold_looks
from trialsim.interim.judging import judge_look
from trialsim.simulation.stopping import adjust_bounds, find_stops

PLANNED = [0.4, 0.7, 1.0]
FALLEN = [[0.4, 0.3, 1.0], [0.4, 0.7, 0.6], [0.4, 0.3, 0.2], [0.4, 0.4, 0.9], [0.5, 1.04, 1.0]]


@pytest.mark.parametrize("shares", [PLANNED, [0.3, 0.5, 0.8], *FALLEN])
@pytest.mark.parametrize("options", [{}, {"sides": 2, "alpha": 0.05}, {"futility": {"z": [0, 0]}}])
def test_simulated_trials_are_judged_as_a_monitored_one(
    shares: list[float], options: dict[str, Any]
) -> None:
    design = group_sequential(PLANNED, efficacy="pocock", **options)
    upper, lower, last = adjust_bounds(design, np.array(shares)[:, None], 1.0)
    for look in range(int(last[0]) + 1):
        is_final = look == len(shares) - 1
        judged = judge_look(design, [0.1] * (look + 1), shares[: look + 1], is_final=is_final)
        assert upper[look, 0] == pytest.approx(judged.efficacy_z, abs=1e-6)
        assert lower[look, 0] == pytest.approx(judged.futility_z, abs=1e-6)


@pytest.mark.parametrize("shares", FALLEN[:3])
def test_type_one_error_is_kept_where_estimated_information_falls(shares: list[float]) -> None:
    design, n = group_sequential(PLANNED, efficacy="pocock"), 200_000
    rng, steps = np.random.default_rng(1), np.diff(PLANNED, prepend=0.0)[:, None]
    score = np.cumsum(rng.standard_normal((3, n)) * steps**0.5, axis=0)
    z = score / np.array(PLANNED)[:, None] ** 0.5
    upper, lower, last = (
        np.repeat(part, n, axis=-1)
        for part in adjust_bounds(design, np.array(shares)[:, None], 1.0)
    )
    rejected = find_stops(z, upper, lower, last).efficacy.mean()
    assert rejected < 0.025 + 4 * (0.025 * 0.975 / n) ** 0.5


@pytest.mark.parametrize("options", [{}, {"sides": 2, "alpha": 0.05}])
def test_a_last_look_without_information_spends_what_is_left(options: dict[str, Any]) -> None:
    design = group_sequential(PLANNED, efficacy="pocock", **options)
    held = hold_looks(design, [0.4, 0.3], is_final=True)
    spent = design.adjust([0.4]).cumulative_alpha[0]
    nominal = design.sides * norm.sf(held.efficacy_z[-1])
    assert spent + nominal == pytest.approx(design.alpha)


def test_a_look_that_reaches_the_planned_information_ends_the_trial() -> None:
    design = group_sequential(PLANNED)
    shares = np.array([[0.4, 0.4], [1.04, 0.98], [1.1, 1.0]])
    bounds = adjust_bounds(design, shares, 1.0)
    stops = find_stops(np.full((3, 2), 1.0), *bounds)
    assert stops.look.tolist() == [1, 2]
    assert bounds.upper[1, 0] == pytest.approx(design.adjust([0.4, 1.04]).efficacy_z[1])
