"""What a group-sequential trial reports when it stops, and its bounds when looks have moved."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from trialsim.analytic import group_sequential

RATES = [0.3, 0.55, 0.8, 1.0]
HSD = {"futility": "hwang_shih_decani", "futility_parameter": -2.0}


def test_stopping_at_the_first_look_needs_no_adjustment() -> None:
    design = group_sequential([0.5, 1], power=0.9)
    stopped = design.infer(1, 3.1)
    assert stopped.stagewise_p == pytest.approx(norm.sf(3.1))
    assert stopped.median_unbiased * design.drift == pytest.approx(3.1 / np.sqrt(0.5))
    low, high = np.array(stopped.interval) * design.drift * np.sqrt(0.5)
    assert (low, high) == pytest.approx((3.1 - norm.isf(0.025), 3.1 + norm.isf(0.025)))


@pytest.mark.parametrize("options", [{}, {"sides": 2, "alpha": 0.05}, {**HSD, "binding": True}])
def test_everything_reported_agrees_on_the_last_bound(options: dict[str, Any]) -> None:
    design = group_sequential(RATES, power=0.9, **options)
    stopped = design.infer(4, float(design.efficacy_z[-1]))
    assert stopped.stagewise_p == pytest.approx(design.alpha, abs=2e-6)
    assert stopped.interval[0] == pytest.approx(0, abs=1e-5)
    assert stopped.repeated_interval[0] == pytest.approx(0, abs=1e-9)
    assert stopped.repeated_p == pytest.approx(design.alpha, abs=1e-6)


@pytest.mark.parametrize("z", [2.2, -2.2])
def test_one_look_on_two_sides_has_the_p_value_of_its_z(z: float) -> None:
    stopped = group_sequential([1.0], alpha=0.05, sides=2).infer(1, z)
    assert stopped.stagewise_p == pytest.approx(2 * norm.sf(2.2))
    assert stopped.repeated_p == pytest.approx(2 * norm.sf(2.2))


def test_median_unbiased_estimate_is_the_median_of_simulated_trials() -> None:
    design, n = group_sequential([0.5, 1], power=0.9), 200_000
    estimate = design.infer(2, 2.4).median_unbiased
    rng = np.random.default_rng(3)
    first = rng.standard_normal(n) + estimate * design.drift * np.sqrt(0.5)
    steps = rng.standard_normal(n) * np.sqrt(0.5) + estimate * design.drift * 0.5
    last = first * np.sqrt(0.5) + steps
    early = first >= design.efficacy_z[0]
    more_extreme = early | (last >= 2.4)
    assert more_extreme.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(n))


def test_repeated_intervals_need_a_boundary_that_alpha_moves() -> None:
    for efficacy in ({"z": [3, 2.0]}, "haybittle_peto"):
        design = group_sequential([0.5, 1], efficacy=efficacy)  # type: ignore[arg-type]
        stopped = design.infer(1, 3.2)
        assert np.isnan(stopped.repeated_p)
        # at the design's own coverage it is z -/+ the bound, whatever the bound follows from
        ends = np.array(stopped.repeated_interval) * design.drift * 0.5**0.5
        assert ends == pytest.approx([0.2, 6.2])
        assert np.isnan(design.infer(1, 3.2, level=0.5).repeated_interval[0])


@pytest.mark.parametrize("options", [{}, {"futility": {"z": [0, 0.5]}, "binding": True}])
def test_everything_is_reported_of_wang_tsiatis_boundaries(options: dict[str, Any]) -> None:
    design = group_sequential([0.5, 0.75, 1], efficacy="obrien_fleming", **options)
    upper = float(design.efficacy_z[1])
    assert design.infer(2, upper).repeated_p == pytest.approx(0.025, abs=1e-7)
    assert design.infer(2, upper + 0.5).repeated_p < 0.01
    assert design.infer(2, -1.0).repeated_p == 1
    assert design.infer(2, 2.6, level=0.5).repeated_interval[0] > 0


def test_given_futility_bounds_stay_when_looks_move() -> None:
    for futility, exact in (({"z": [0, 0.5]}, [0.0, 0.5]), ({"z": [np.nan, 0.5]}, [-np.inf, 0.5])):
        design = group_sequential([0.5, 0.75, 1], futility=futility)
        moved = design.adjust([0.52, 0.8])
        assert moved.futility_z[:2] == pytest.approx([exact[0] + 0.04, exact[1]])
        assert moved.cumulative_alpha[-1] == pytest.approx(0.025)
    binding = group_sequential([0.5, 0.75, 1], futility={"z": [0, 0.5]}, binding=True)
    moved = binding.adjust([0.5, 0.75, 1.1])
    assert moved.futility_z[:2] == pytest.approx([0, 0.5])
    assert moved.cumulative_alpha[-1] == pytest.approx(0.025)


def test_a_chance_of_success_means_the_same_when_a_look_moves() -> None:
    rule = {"posterior": 0.2, "minimum": 0.3}
    design = group_sequential([0.5, 0.75, 1], power=0.9, futility=rule)
    root = 0.55**0.5
    exact = 0.3 * design.drift * root + norm.ppf(0.2)
    assert design.adjust([0.55]).futility_z[0] == pytest.approx(exact, abs=0.01)


def test_a_look_just_before_the_end_is_the_last_one() -> None:
    held = group_sequential([0.5, 0.75, 1]).adjust([0.5, 0.99995])
    assert held.cumulative_alpha[-1] == pytest.approx(0.025)


def test_adjusting_to_the_plan_changes_nothing() -> None:
    for options in ({}, HSD, {"efficacy": "pocock"}, {"sides": 2}):
        design = group_sequential(RATES, **options)
        again = design.adjust(RATES)
        assert again.efficacy_z == pytest.approx(design.efficacy_z, abs=1e-7)
        assert again.futility_z == pytest.approx(design.futility_z, abs=1e-6)
        assert again.power == pytest.approx(0.8)


@pytest.mark.parametrize("observed", [[0.35, 0.6, 0.8, 1.15], [0.3, 0.7, 0.9, 0.93]])
def test_overrunning_and_underrunning_spend_alpha_exactly(observed: list[float]) -> None:
    design = group_sequential(RATES, **HSD)
    held = design.adjust(observed)
    assert held.cumulative_alpha[-1] == pytest.approx(0.025)
    assert held.cumulative_alpha[0] == pytest.approx(
        2 * norm.sf(norm.isf(0.0125) / observed[0] ** 0.5)
    )
    assert (held.power > 0.8) == (observed[-1] > 1)
    assert held.drift == pytest.approx(design.drift * observed[-1] ** 0.5)


def test_bounds_of_looks_held_do_not_depend_on_those_to_come() -> None:
    design = group_sequential(RATES)
    first, second = design.adjust([0.42]), design.adjust([0.42, 0.71])
    assert first.efficacy_z[0] == pytest.approx(second.efficacy_z[0])
    assert first.information_rates.tolist() == [0.42, 0.55, 0.8, 1.0]
    assert second.information_rates.tolist() == [0.42, 0.71, 0.8, 1.0]
    # held before the first planned one it takes its place
    assert design.adjust([RATES[0] / 2]).information_rates.tolist() == [RATES[0] / 2, *RATES[1:]]
    assert design.adjust([0.42], is_final=True).cumulative_alpha.tolist() == pytest.approx([0.025])
